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
    """Adds a job whose handler's file is this text."""

    def add(name: str, text: str, *, file: str = "", **options: object) -> Job:
        path = app.root / (file or f"jobs/{name.replace('-', '_')}.ts")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(textwrap.dedent(text))
        module = path.with_suffix("").relative_to(app.root)
        handler, runtime = f"{module}.handler", "nodejs24.x"
        return Job(app, name, handler=handler, runtime=runtime, **options)  # type: ignore[arg-type]

    return add
