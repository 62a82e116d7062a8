from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.deploy import stage_runs
from devbridge.deploy.stage_runs import opened
from devbridge.errors import NotDeployed, UnknownJob
from devbridge.runs.base import Wanted
from devbridge.runs.ledger import Ledger
from tests.unit.runs.clouds import NotThereError, exceptions


class Client:
    """Lambda, which has no such function; and a cloud that has no such stack."""

    exceptions = exceptions
    account, region, endpoint_url = "123456789012", "eu-west-1", None

    def client(self, _service: str) -> Any:
        return self

    def invoke(self, **_given: Any) -> Any:
        raise NotThereError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = Config(root=tmp_path, python=Path(sys.executable), stage="ann")
    made.make_dirs()
    return made


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
        Job(app, "a", handler="a.handler")
    return app


def test_what_is_not_asked_about_is_not_needed(config: Config) -> None:
    def never() -> Any:
        raise AssertionError

    Ledger.open(config.ledger).close()
    with opened(config, never, never, never) as runs:  # type: ignore[arg-type]
        assert runs.search(Wanted(), limit=1, deployed=False).runs == []
        assert not runs.is_deployed


def test_a_job_whose_invoker_is_not_there_is_not_deployed(
    config: Config, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    monkeypatch.setattr(
        "devbridge.deploy.deployed.check_naming", lambda *given: checked.append(given[1:])
    )
    there: Any = Client()
    with opened(config, lambda: app, lambda: there, print) as runs:
        with pytest.raises(NotDeployed, match="'a' is not deployed at stage 'ann'"):
            runs.start("a", b"1", key="k")
        with pytest.raises(UnknownJob):
            runs.start("b", b"1", key="k")
    assert checked == [("demo", "ann")], "another devbridge may have named it otherwise"
    assert stage_runs.__doc__
