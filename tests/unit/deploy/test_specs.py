from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.constructs import App, Container, Job
from devbridge.constructs.app import loading
from devbridge.deploy import specs
from devbridge.deploy.synth import Settings
from tests.unit.deploy.conftest import FakeCloud

SETTINGS = Settings("dev", "arn:aws:iam::123456789012:user/ann", "iot", "3.11")


def test_a_container_job_tells_the_daemon_its_command(root: Path) -> None:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").touch()
    with loading(root):
        app = App("demo")
        container = Container("render", cmd=["./run", "x"])
        Job(app, "a", runtime="container", container=container)
    values = {"ARole": "arn:aws-cn:iam::123456789012:role/x"}
    (spec,) = specs.job_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    assert (spec.command, spec.command_dir) == (("./run", "x"), "render")
    assert spec.project_arn == "arn:aws-cn:codebuild:eu-west-1:123456789012:project/demo_dev_a"


def test_on_a_laptop_install_is_a_folder_on_the_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def installed_path(requirements: object, *rest: object, **_: object) -> Path:
        asked.append(requirements)
        return Path("/installed")

    monkeypatch.setattr(specs, "installed_path", installed_path)
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", install=["polars"])
    values = {"ARole": "arn:aws:iam::123456789012:role/x"}
    (spec,) = specs.job_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    assert spec.environment["DEVBRIDGE_PATH"] == "/installed"
    assert asked == [("polars",)]
