from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.deploy import Deployed, Progress, Request
from devbridge.errors import DevbridgeError
from devbridge.live import deployer as module
from devbridge.live.broken import Broken
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.runs.model import JobSpec
from tests.unit.live.voices import Developer

NOTHING: Any = None


class Desk:
    """A deployer whose deployments are made up."""

    def __init__(self, root: Path) -> None:
        self.developer = Developer()
        self.changed = True
        self.jobs: list[JobSpec] = []
        self.broken: list[str] = []
        """Functions that cannot be packed."""
        self.progress: list[Progress] = []
        self.asked: Request = NOTHING
        self.approve: Any = None
        config = Config(root=root, python=Path(sys.executable), stage="ann", offline="error")
        voice = self.developer.voice
        self.deployer = Deployer(
            config,
            NOTHING,
            voice,
            Consent(NOTHING, voice, yes=False),
            Broken(voice, unloaded := Unloaded()),
            unloaded,
        )

    def deploy(self, request: Request, *, approve: object, broken: Any) -> Deployed:
        self.asked, self.approve = request, approve
        for name in self.broken:
            function: Any = SimpleNamespace(name=name, live=False)
            broken(function, DevbridgeError(f"{name} does not parse"), False)
        for progress in self.progress:
            request.on_progress(progress)
        return Deployed({}, self.jobs, self.changed)

    def run(self) -> list[str]:
        """Deploy, and return what is said."""
        before = len(self.developer.said)
        self.deployer.deploy(NOTHING, {"a": {"type": "integer"}})
        return self.developer.said[before:]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'app = App("demo")\nJob(app, "a", handler="jobs/not_there_yet.handler")\n'
    )
    desk = Desk(tmp_path)
    monkeypatch.setattr(module, "deploy", desk.deploy)
    return desk


def test_it_deploys_the_stage_that_the_configuration_names(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved: list[object] = []
    monkeypatch.setattr(Consent, "approve", lambda _, plan: approved.append(plan))
    assert desk.run() == []
    config = desk.deployer.config
    assert (desk.asked.stage, desk.asked.mode) == ("ann", "dev")
    assert desk.asked.python == config.python
    assert desk.asked.offline == "error"
    assert desk.asked.schemas == {"a": {"type": "integer"}}
    desk.approve("a plan")
    assert approved == ["a plan"]


def test_a_handler_that_is_not_there_yet_is_no_reason_not_to_load_the_app(desk: Desk) -> None:
    app = desk.deployer.load()
    assert app.name == "demo"
    assert app.stage == "ann"


def test_when_there_is_nothing_to_deploy_that_is_said(desk: Desk) -> None:
    desk.changed = False
    assert desk.run() == ["nothing to deploy: the stage is up to date"]
    desk.broken = ["greet"]
    assert "nothing to deploy" not in "".join(desk.run()), "it is not up to date"


def test_what_cannot_be_packed_is_left_out_until_the_next_deployment(desk: Desk) -> None:
    assert desk.deployer.whole
    desk.broken = ["greet"]
    desk.run()
    assert not desk.deployer.whole
    desk.broken = []
    desk.run()
    assert desk.deployer.whole


def test_steps_are_said_each_time_and_warnings_when_they_are_new(desk: Desk) -> None:
    step, warning = Progress("upload", "the stubs"), Progress("warning", "job a: certifi is old")
    desk.progress = [step, warning]
    assert desk.run() == [f"  {step}", f"  {warning}"]
    assert desk.run() == [f"  {step}"]


def test_on_a_terminal_a_deployment_after_a_save_has_no_lines_of_its_own(desk: Desk) -> None:
    voice = Voice(desk.developer.said.append, warn=print, confirm=print, colour=False, brief=True)
    desk.deployer = replace(desk.deployer, voice=voice)
    steps = [Progress("upload", "the stubs", size=1), Progress("plan", "1 change")]
    desk.progress = steps
    assert desk.run() == [f"  {step}" for step in steps]
    desk.deployer.consent.running = True
    assert desk.run() == []


def test_what_was_asked_is_over_once_it_is_deployed(desk: Desk) -> None:
    desk.deployer.consent.open = (("Table 'notes'", "3 items"),)
    desk.run()
    assert not desk.deployer.consent.open


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 60.0), (timedelta(seconds=10), 10.0)])
def test_each_job_has_the_timeout_of_the_configuration_if_that_has_one(
    desk: Desk, timeout: timedelta | None, seconds: float
) -> None:
    desk.jobs = [JobSpec(name, "a.handler", 60.0, 3072, "role", {}) for name in "ab"]
    desk.deployer = replace(desk.deployer, config=replace(desk.deployer.config, timeout=timeout))
    deployed = desk.deployer.deploy(NOTHING, {})
    assert [(spec.name, spec.timeout) for spec in deployed.jobs] == [("a", seconds), ("b", seconds)]
