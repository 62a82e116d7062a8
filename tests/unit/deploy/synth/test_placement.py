"""What of a job or function is in the cloud, on which kind of stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Settings, Template
from devbridge.deploy.synth.compute.buildspecs import PLACEHOLDER
from devbridge.deploy.synth.placement import function_policy, has_code, is_live
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    allowed,
    made,
    properties,
    resources,
)

POLICIES = ("None", "Queue", "Error", "Cloud")


def invoker(template: Template) -> dict[str, Any]:
    return properties(template, "AJobInvoker")


def project(template: Template) -> dict[str, Any]:
    return properties(template, "AJobProject")


def test_a_jobs_own_offline_policy_comes_before_the_stages(root: Path) -> None:
    with loading(root):
        app = App("policies")
        for policy in (None, "queue", "error", "cloud"):
            Job(app, f"x-{policy}".lower(), handler="jobs/a.handler", offline=policy)
    template = made(app, offline="error")
    found = {
        name: resource["Properties"]["Environment"]["Variables"]
        for name, resource in resources(template).items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    assert [found[f"X{name}JobInvoker"]["DEVBRIDGE_OFFLINE"] for name in POLICIES] == [
        "error",
        "queue",
        "error",
        "cloud",
    ]
    projects = [found[f"X{name}JobInvoker"].get("DEVBRIDGE_PROJECT") for name in POLICIES]
    assert projects == [None, None, None, "policies_dev_x-cloud"]


def test_on_a_dev_stage_the_project_is_empty_and_the_stub_answers(synthed: MakeJob) -> None:
    template = synthed(mode="dev", concurrency=2)
    assert project(template)["Source"] == {"Type": "NO_SOURCE", "BuildSpec": PLACEHOLDER}
    assert invoker(template)["Handler"] == "stub_lambda/handler.handler"
    assert "InvokerRole" not in resources(template)
    assert not [a for a in allowed(template, "AJobRole") if not a.startswith("logs:")]


def test_a_job_that_may_not_run_live_is_deployed_on_a_dev_stage_too(synthed: MakeJob) -> None:
    template = synthed(mode="dev", enable_live_dev=False)
    assert project(template)["Source"]["Location"] == "assets/a.zip"
    assert invoker(template)["Handler"] == "stub_lambda/deployed.handler"
    assert "DEVBRIDGE_OFFLINE" not in invoker(template)["Environment"]["Variables"]
    assert "StubRole" not in resources(template)


@pytest.mark.parametrize("options", [{"offline": "cloud"}, {"stage": "cloud"}])
def test_a_job_with_the_offline_policy_cloud_has_a_stub_that_may_start_builds(
    options: dict[str, str], synthed: MakeJob
) -> None:
    template = synthed(mode="dev", **options)
    assert project(template)["Source"]["Location"] == "assets/a.zip"
    made = invoker(template)
    assert made["Handler"] == "stub_lambda/handler.handler"
    assert made["Environment"]["Variables"]["DEVBRIDGE_PROJECT"] == "demo_dev_a"
    assert made["Environment"]["Variables"]["DEVBRIDGE_BUCKET"] == "assets"
    found = allowed(template, "StubRole")
    assert "codebuild:StartBuild" in found
    assert "s3:PutObject" in found


def settings(mode: Any = "dev", offline: Any = "queue") -> Settings:
    return Settings("dev", "", "", "3.11", mode=mode, offline=offline)


def function(root: Path, **options: Any) -> Function:
    with loading(root):
        return Function(App("demo"), "f", handler="api/start.handler", **options)


def test_a_function_is_live_on_a_dev_stage_unless_it_may_not(root: Path) -> None:
    assert is_live(function(root), settings())
    assert not is_live(function(root), settings("deployed"))
    assert not is_live(function(root, enable_live_dev=False), settings())


@pytest.mark.parametrize("offline", ["queue", "error", "cloud"])
def test_the_code_of_what_is_not_live_is_in_the_cloud_whatever_the_policy(
    offline: Any, root: Path
) -> None:
    assert has_code(function(root, offline="error"), settings("deployed", offline))
    assert has_code(function(root, enable_live_dev=False), settings("dev", offline))


@pytest.mark.parametrize(
    ("own", "stages", "policy"),
    [
        (None, "queue", "cloud"),
        (None, "cloud", "cloud"),
        (None, "error", "error"),
        ("error", "queue", "error"),
        ("error", "cloud", "error"),
        ("cloud", "error", "cloud"),
    ],
)
def test_a_functions_own_policy_comes_first_and_nobody_waits_in_a_queue(
    own: Any, stages: Any, policy: str, root: Path
) -> None:
    live = function(root, offline=own)
    assert function_policy(live, settings(offline=stages)) == policy
    assert has_code(live, settings(offline=stages)) == (policy == "cloud")
