"""Templates of an app with one job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Container, Job
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.names import Mode
from tests.unit.deploy.templates import (
    lint,
    made,
)

MakeJob = Callable[..., Template]
MakeApp = Callable[..., Template]


@pytest.fixture
def synthed(root: Path) -> MakeJob:
    """Makes the template of an app with one job, "a"; cfn-lint must find nothing wrong."""

    def make(*, mode: Mode = "deployed", stage: str = "queue", **options: Any) -> Template:
        if options.get("runtime") != "container":
            options.setdefault("handler", "jobs/a.handler")
        with loading(root):
            app = App("demo")
            Job(app, "a", **options)
        template = made(app, mode=mode, offline=stage)
        assert lint(template) == []
        return template

    return make


@pytest.fixture
def contained(root: Path, synthed: MakeJob) -> MakeJob:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").write_text("FROM scratch\n")

    def make(*, cmd: list[str] | None = None, **options: Any) -> Template:
        container = Container("render", cmd=cmd or ["./run", "a b", "$HOME"])
        return synthed(runtime="container", container=container, **options)

    return make


@pytest.fixture
def synthed_app(root: Path) -> MakeApp:
    """Makes the template of an app with what a function adds; cfn-lint must find nothing wrong."""

    def make(define: Callable[[App], object], **settings: Any) -> Template:
        template = made(app_of(define, root), **settings)
        assert lint(template) == []
        return template

    return make


def app_of(define: Callable[[App], object], root: Path = Path("/nowhere")) -> App:
    """An app with what a function adds."""
    with loading(root):
        app = App("demo")
        define(app)
    return app
