from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import LazyGroup
from devbridge.cli.deploy import deploy as command
from devbridge.config import Config
from devbridge.deploy import Request
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.deploy.stage import Deployed
from devbridge.runs import find
from devbridge.runs.base import RunRecord
from devbridge.runs.lock import only_one
from devbridge.runs.model import State

HARMLESS = Plan("s", "c", False, (Change("add", "A", "AWS::X::Y", "Job 'a'"),))
REPLACES = Change(
    "replace", "T", "AWS::DynamoDB::Table", "Table 'notes'", reason="KeySchema", data=True
)
DANGEROUS = Plan("s", "c", False, (REPLACES,))
MOVES = Plan("s", "c", False, (Change("remove", "A", "AWS::X::Y", "Job 'a'", reason="moves"),))


@dataclass
class Stage:
    """What the deployment is asked for, and what it does."""

    plan: Plan = HARMLESS
    mode: str | None = "deployed"
    changed: bool = True
    asked: Any = None
    """The request."""
    executed: bool = False
    warning: str = ""
    started: bool = False

    def deploy(self, request: Request, *, approve: Callable[[Plan], None]) -> Deployed:
        self.asked = request
        if self.changed:
            approve(self.plan)
        self.executed = True
        return Deployed({"ApiUrl": "http://x"}, [], self.changed)


@pytest.fixture
def stage(config: Config, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    there = SimpleNamespace(endpoint_url=None, account="123456789012", region="eu-west-1")

    @contextlib.contextmanager
    def embedded_cloud(*_: object) -> Iterator[SimpleNamespace]:
        running = SimpleNamespace(endpoint_url="http://127.0.0.1:1")
        yield SimpleNamespace(running=running, stay=lambda: setattr(stage, "started", True))

    def types(*_: object, **__: object) -> dict[str, Any]:
        return {"a": SimpleNamespace(warning=stage.warning)}

    monkeypatch.setattr("devbridge.cloud.session.connect", lambda *_: there)
    monkeypatch.setattr("devbridge.emulator.embedded.embedded_cloud", embedded_cloud)
    monkeypatch.setattr("devbridge.deploy.deploy", stage.deploy)
    monkeypatch.setattr("devbridge.deploy.stage_mode", lambda *_: stage.mode)
    monkeypatch.setattr("devbridge.languages.probing.probe", types)
    monkeypatch.setattr("devbridge.types.write", lambda *_: None)
    monkeypatch.setattr("devbridge.types.schemas", lambda _: {"a": {"type": "integer"}})
    return stage


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.cli.deploying.has_terminal", lambda: True)


class OneCommand(LazyGroup):
    """devbridge's group with this command only."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return command


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(OneCommand("devbridge"), ["deploy", *arguments], input=answer)


def test_it_deploys_the_jobs_to_codebuild_and_says_what_there_is(
    stage: Stage, config: Config
) -> None:
    result = run("--stage", "prod")
    assert result.exit_code == 0, result.output
    assert (stage.asked.stage, stage.asked.mode) == ("prod", "deployed")
    assert stage.asked.schemas == {"a": {"type": "integer"}}
    assert stage.asked.python == config.python
    assert "app demo, stage prod, to account 123456789012, region eu-west-1\n" in result.stdout
    assert "+ Job 'a'  AWS::X::Y  A\n" in result.stdout
    assert "ApiUrl       http://x\nDeployed in " in result.stdout


def test_the_stage_is_known_as_deployed_afterwards(stage: Stage, config: Config) -> None:
    assert run("--stage", "ann").exit_code == 0
    config.ledger.touch()
    assert find.is_deployed(config)


def test_what_is_deployed_is_what_payloads_are_checked_with_here(
    stage: Stage, config: Config
) -> None:
    stage.mode = "dev"
    assert run("--stage", "ann").exit_code == errors.EXIT_NOT_CONFIRMED
    assert not config.schemas.exists()
    assert run("--stage", "ann", "--yes").exit_code == 0
    assert json.loads(config.schemas.read_text()) == {"a": {"type": "integer"}}


def test_if_nothing_changed_it_says_so(stage: Stage) -> None:
    stage.changed = False
    assert "nothing to deploy: the stage is up to date" in run("--stage", "prod").stdout


def test_it_needs_no_answer_for_what_takes_no_data_away(stage: Stage) -> None:
    assert run("--stage", "prod").exit_code == 0
    assert stage.executed


@pytest.mark.parametrize(
    ("plan", "mode", "said"),
    [
        (DANGEROUS, "deployed", "replaces or removes what holds data: Table 'notes'"),
        (HARMLESS, "dev", "makes a stage of `devbridge dev` a deployed one"),
    ],
)
def test_without_a_terminal_it_refuses_and_changes_nothing(
    stage: Stage, plan: Plan, mode: str, said: str
) -> None:
    stage.plan, stage.mode = plan, mode
    result = run("--stage", "prod", answer="y\n")
    assert result.exit_code == errors.EXIT_NOT_CONFIRMED
    assert result.stderr.count("error:") == 1
    assert said in result.stderr
    assert "--yes" in result.stderr
    assert not stage.executed


@pytest.mark.parametrize(("plan", "mode"), [(DANGEROUS, "deployed"), (HARMLESS, "dev")])
@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_it_asks(stage: Stage, plan: Plan, mode: str) -> None:
    stage.plan, stage.mode = plan, mode
    declined = run("--stage", "prod", answer="n\n")
    assert declined.exit_code == errors.EXIT_ERROR
    assert "nothing was changed" in declined.stderr
    assert not stage.executed
    assert run("--stage", "prod", answer="y\n").exit_code == 0
    assert stage.executed


@pytest.mark.parametrize(
    ("plan", "state", "asks"),
    [
        (MOVES, State.RUNNING, True),
        (MOVES, State.STARTING, True),
        (MOVES, State.QUEUED, False),
        (MOVES, State.SCHEDULED, False),
        (MOVES, State.SUCCEEDED, False),
        (HARMLESS, State.RUNNING, False),
    ],
)
def test_runs_under_way_of_a_job_that_moves_are_named_and_asked_about(
    stage: Stage,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    plan: Plan,
    state: State,
    asks: bool,
) -> None:
    (config.root / "a.py").write_text("def handler(payload): ...\n")
    app = (
        'from devbridge import App, Job\n\napp = App("demo")\nJob(app, "a", handler="a.handler")\n'
    )
    (config.root / "app.py").write_text(app)
    records = [RunRecord(job_id=f"p:{job}", job=job, state=state) for job in "ab"]
    runs = [("", SimpleNamespace(record=record)) for record in records]
    monkeypatch.setattr(find.StageRuns, "recent", lambda *_, **__: runs)
    stage.plan = plan
    result = run("--stage", "prod")
    if asks:
        assert result.exit_code == errors.EXIT_NOT_CONFIRMED
        assert f"rights there:\n  p:a  {state}\n" in result.stdout
        assert "the deployment takes their rights from 1 run under way" in result.stderr
        assert run("--stage", "prod", "--yes").exit_code == 0
    else:
        assert result.exit_code == 0
        assert "under way" not in result.stdout
    assert stage.executed


def test_with_yes_it_does_not_ask(stage: Stage) -> None:
    stage.plan, stage.mode = DANGEROUS, "dev"
    result = run("--stage", "prod", "--yes")
    assert result.exit_code == 0, result.output
    assert "its stubs go" in result.stdout
    assert "! Table 'notes'" in result.stdout
    assert "ITS DATA IS LOST" in result.stdout


def test_it_refuses_while_devbridge_dev_runs_the_stage(stage: Stage, config: Config) -> None:
    with only_one(config.lock, config.stage):
        result = run("--stage", config.stage)
    assert result.exit_code == errors.EXIT_ALREADY_RUNNING
    assert stage.asked is None


def test_it_waits_for_another_deployment_of_the_stage(
    stage: Stage, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = contextlib.ExitStack()
    other.enter_context(only_one(config.lock, config.stage, "deploy"))
    monkeypatch.setattr("devbridge.runs.lock.sleep", lambda _: other.close())
    result = run("--stage", config.stage)
    assert result.exit_code == 0, result.output
    assert "  wait     `devbridge deploy` changes the stage ann now" in result.stdout
    assert stage.executed


def test_on_this_machine_the_cloud_stays_and_it_says_how_to_stop_it(stage: Stage) -> None:
    result = run("--local")
    assert result.exit_code == 0, result.output
    assert stage.started
    assert "devbridge cloud stop" in result.stdout
    assert "devbridge invoke" not in result.stdout  # the app has no job


def test_a_handler_that_cannot_be_imported_is_a_warning(stage: Stage) -> None:
    stage.warning = "no module named torch"
    result = run("--stage", "prod")
    assert result.exit_code == 0
    assert "warning: job 'a': no module named torch" in result.stderr


def test_an_interpreter_that_is_not_there_is_an_error_before_anything(stage: Stage) -> None:
    result = run("--python", "/no/such/python")
    assert result.exit_code == errors.EXIT_INTERPRETER
    assert stage.asked is None
