from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading

AddJob = Callable[..., Job]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app without constructs, in a folder without files."""
    with loading(tmp_path):
        yield App("demo")


@pytest.fixture
def add_job(app: App) -> AddJob:
    """Adds a job whose module is this text."""

    def add(name: str, text: str, **options: object) -> Job:
        path = app.root / "jobs" / f"{name.replace('-', '_')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return Job(app, name, handler=f"jobs/{path.stem}.handler", **options)  # type: ignore[arg-type]

    return add
