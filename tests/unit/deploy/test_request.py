from __future__ import annotations

from pathlib import Path

from devbridge.config import Config
from devbridge.constructs import App
from devbridge.deploy.request import Request
from tests.unit.deploy.conftest import FakeCloud


def test_a_command_means_the_stage_and_the_interpreter_of_its_options(app: App) -> None:
    config = Config(
        root=app.root, python=Path("/venv/python"), stage="ann", offline="error", local=True
    )
    found = Request.of(config, app, FakeCloud(), "dev", schemas={"a": {}})
    assert (found.stage, found.mode, found.offline) == ("ann", "dev", "error")
    assert (found.python, found.schemas) == (Path("/venv/python"), {"a": {}})
    assert found.options == "--stage ann --local"


def test_the_stack_is_tagged_with_its_app_and_stage(app: App) -> None:
    request = Request(app, FakeCloud(), stage="prod", mode="deployed")
    assert request.tags == {"devbridge:app": "demo", "devbridge:stage": "prod"}
    assert request.options == "--stage prod"
