"""What is the same of a job whatever runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job, Secret
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Batch, CodeBuild, Compute, Fargate, Lambda
from devbridge.deploy.synth.compute import parts
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import allowed, lint, made, properties

EACH: list[Compute] = [CodeBuild(), Batch(), Fargate(), Lambda()]
each = pytest.mark.parametrize("compute", EACH, ids=lambda compute: compute.name)


@each
def test_the_role_and_the_log_group_stay_when_a_job_moves(
    compute: Compute, synthed: MakeJob
) -> None:
    template = synthed(compute=compute)
    assert properties(template, "AJobLogs")["LogGroupName"] == "/aws/codebuild/demo_dev_a"
    assert properties(template, "AJobRole")["Path"] == "/devbridge/demo/dev/"


@each
@pytest.mark.parametrize("options", [{}, {"retries": 2, "encryption_key": None}])
def test_its_invoker_is_told_the_same_of_it(
    compute: Compute, options: dict[str, Any], synthed: MakeJob
) -> None:
    template = synthed(compute=compute, **options)
    found = properties(template, "AJobInvoker")["Environment"]["Variables"]
    assert found.pop("DEVBRIDGE_PLACE")
    assert found == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "a",
        "DEVBRIDGE_PROJECT": "demo_dev_a",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_COMPUTE": compute.name,
        "DEVBRIDGE_ATTEMPTS": str(options.get("retries", 0) + 1),
    }


def test_all_attempts_and_their_delays_are_counted(root: Path) -> None:
    with loading(root):
        app = App("demo")
        job = Job(
            app,
            "a",
            handler="jobs/a.handler",
            timeout="10 minutes",
            retries=2,
            retry_delay="1 minute",
        )
    assert parts.delays(job) == [60, 120]
    assert parts.total_seconds(job) == 3 * 600 + 180


def test_numbers_are_short() -> None:
    assert [parts.number(value) for value in (90.0, 0.5, 3)] == ["90", "0.5", "3"]


def test_a_place_with_references_is_one_variable() -> None:
    assert parts.place_text({"project": "p"}) == '{"project": "p"}'
    text = parts.place_text({"queue": "${Queue}", "spot": True}).to_dict()["Fn::Sub"]
    assert json.loads(text) == {"queue": "${Queue}", "spot": True}


@each
def test_secrets_are_named_and_fetched_by_the_run_itself(compute: Compute, root: Path) -> None:
    with loading(root):
        app = App("demo")
        token = Secret(app, "token")
        Job(app, "a", handler="jobs/a.handler", compute=compute, environment={"TOKEN": token})
    template = made(app, mode="deployed")
    assert lint(template) == []
    parameter = "/devbridge/demo/dev/secrets/token"
    assert json.dumps({"TOKEN": parameter}, separators=(",", ":")) in json.loads(
        f"[{json.dumps(template.body)}]"
    )[0].replace('\\"', '"')
    (granted,) = allowed(template, "AJobRole")["ssm:GetParameter"]
    assert granted["Fn::Sub"].endswith(f":parameter{parameter}")
