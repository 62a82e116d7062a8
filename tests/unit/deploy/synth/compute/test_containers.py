"""What containers run, whoever starts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Fargate
from devbridge.deploy.synth.compute import containers
from tests.unit.deploy.synth.compute.test_codebuild import VPC
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import container_variables, properties


def test_a_node_job_s_container_has_node_and_python(root: Path, synthed: MakeJob) -> None:
    (root / "jobs" / "b.js").write_text("export function handler() {}\n")
    template = synthed(compute=Fargate(), runtime="nodejs22.x", handler="jobs/b.handler")
    (made,) = properties(template, "AJobTask")["ContainerDefinitions"]
    assert made["Image"] == "public.ecr.aws/docker/library/node:22-bookworm"
    assert container_variables(made)["DEVBRIDGE_RUNTIME"] == "nodejs22.x"


def test_only_the_default_vpc_gives_public_addresses(root: Path) -> None:
    with loading(root):
        app = App("demo")
        first = Job(app, "a", handler="jobs/a.handler", compute=Fargate())
        second = Job(app, "b", handler="jobs/a.handler", compute=Fargate(), vpc=VPC)
    assert (containers.is_public(first), containers.is_public(second)) == (True, False)


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_image_is_that_of_the_app_s_python_unless_the_job_names_one(
    version: str, synthed: MakeJob
) -> None:
    template = synthed(compute=Fargate(), runtime=f"python{version}")
    (made,) = properties(template, "AJobTask")["ContainerDefinitions"]
    assert made["Image"] == f"public.ecr.aws/docker/library/python:{version}-slim"
