"""Node code in templates: a job's project, and a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.compute.buildspecs import BUILDSPEC
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import allowed, lint, made, properties, variables

CURATED = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
OWN = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/node@sha256:{'0123' * 16}"


@pytest.fixture(autouse=True)
def sources(root: Path) -> None:
    for file in ("jobs/a.mjs", "api/start.mjs"):
        (root / file).write_text("export async function handler(event, context) {}\n")


def project(template: Template) -> dict[str, Any]:
    return properties(template, "AJobProject")


@pytest.mark.parametrize(
    ("architecture", "kind", "image"),
    [
        ("x86_64", "LINUX_CONTAINER", CURATED),
        ("arm64", "ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:4.0"),
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_a_job_s_builds_run_in_codebuild_s_own_image_pulled_with_codebuild_s_credentials(
    architecture: str, kind: str, image: str, tls: bool, synthed: MakeJob
) -> None:
    made = project(synthed(runtime="nodejs24.x", architecture=architecture))["Environment"]
    assert (made["Type"], made["Image"]) == (kind, image)
    assert made["ImagePullCredentialsType"] == "CODEBUILD"


@pytest.mark.parametrize(("runtime", "major"), [("nodejs22.x", 22), ("nodejs24.x", 24)])
def test_the_buildspec_chooses_both_languages_and_runs_the_same_runner(
    runtime: str, major: int, synthed: MakeJob
) -> None:
    template = synthed(runtime=runtime)
    spec, python = (
        yaml.safe_load(project(template)["Source"]["BuildSpec"]),
        yaml.safe_load(BUILDSPEC),
    )
    install = spec["phases"].pop("install")
    assert install == {"runtime-versions": {"nodejs": major, "python": 3.13}}
    assert spec == python
    assert variables(template, "AJobProject")["DEVBRIDGE_RUNTIME"] == runtime


def test_an_image_of_the_user_s_own_is_pulled_with_the_role_and_has_its_own_node(
    synthed: MakeJob,
) -> None:
    template = synthed(runtime="nodejs24.x", image=OWN)
    made = project(template)
    assert made["Environment"]["Image"] == OWN
    assert made["Environment"]["ImagePullCredentialsType"] == "SERVICE_ROLE"
    assert made["Source"]["BuildSpec"] == BUILDSPEC
    assert variables(template, "AJobProject")["DEVBRIDGE_RUNTIME"] == "nodejs24.x"
    assert "ecr:BatchGetImage" in allowed(template, "AJobRole")


def test_a_node_job_s_role_may_do_no_more_than_a_python_job_s(synthed: MakeJob) -> None:
    options: dict[str, Any] = {"concurrency": 2, "install": ["x"]}
    node = allowed(synthed(runtime="nodejs24.x", **options), "AJobRole")
    assert node == allowed(synthed(**options), "AJobRole")
    assert not any(action.startswith("ecr:") for action in node)


def test_what_a_python_job_s_build_is_told_names_no_runtime(synthed: MakeJob) -> None:
    template = synthed()
    assert "DEVBRIDGE_RUNTIME" not in variables(template, "AJobProject")
    assert project(template)["Source"]["BuildSpec"] == BUILDSPEC


@pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, "--enable-source-maps"),
        ({"NODE_OPTIONS": "--stack-trace-limit=50"}, "--stack-trace-limit=50"),
    ],
)
def test_a_function_has_its_runtime_its_handler_and_reads_its_source_maps_unless_told_otherwise(
    runtime: Any, environment: dict[str, str], options: str, root: Path
) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler", runtime=runtime, environment=environment)
    template = made(app, mode="deployed")
    assert lint(template) == []
    function = properties(template, "FFunction")
    assert (function["Runtime"], function["Handler"]) == (runtime, "api/start.handler")
    assert function["Environment"]["Variables"] == {"NODE_OPTIONS": options}
