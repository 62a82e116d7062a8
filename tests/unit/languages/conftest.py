from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.constructs import App, Container, Function, Job
from devbridge.constructs.app import loading
from devbridge.languages import known, launchers, packers, probing
from tests.unit.languages.fakes import FakeLanguage


@pytest.fixture
def languages(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeLanguage]:
    made = {name: FakeLanguage(name) for name in ("python", "nodejs")}
    for module in (known, launchers, packers, probing):
        monkeypatch.setattr(module, "LANGUAGES", made)
    return made


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """Jobs and functions in both languages, and a container."""
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    (tmp_path / "b.ts").write_text("export const handler = () => 1\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with loading(tmp_path):
        app = App("demo")
        Job(app, "snake", handler="a.handler")
        Job(app, "hexagon", handler="b.handler", runtime="nodejs24.x")
        Job(app, "box", runtime="container", container=Container(".", cmd=["./run"]))
        Function(app, "ask", handler="a.handler")
        Function(app, "tell", handler="b.handler", runtime="nodejs22.x")
        yield app
