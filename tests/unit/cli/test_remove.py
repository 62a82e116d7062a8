from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import LazyGroup
from devbridge.cli.remove import remove as command
from devbridge.config import Config
from devbridge.deploy.remove import Inventory, Removed, Resource
from devbridge.errors import InvokeError, NotDeployed
from devbridge.runs import find
from devbridge.runs.base import RunRecord
from devbridge.runs.lock import only_one
from devbridge.runs.model import State

STACK_ID = "arn:aws:cloudformation:eu-west-1:1:stack/devbridge-demo--prod-/1"
NOTES = Resource("AWS::DynamoDB::Table", "notes-1", "Table 'notes'", kept=True)
FILES = Resource("AWS::S3::Bucket", "files-1", "Bucket 'files'")
ROLE = Resource("AWS::IAM::Role", "role-1", "Job 'a'")


@dataclass(frozen=True)
class Begun:
    """A run in the cloud."""

    record: RunRecord
    stage: Stage

    def cancel(self) -> None:
        if self.record.job == "refused":
            raise InvokeError("AWS refuses it")
        self.stage.cancelled.append(self.record.job_id)


@dataclass
class Stage:
    """What there is, and what was removed."""

    has: Inventory = field(
        default_factory=lambda: Inventory(STACK_ID, (NOTES, FILES, ROLE), ("token",))
    )
    removed: list[bool] = field(default_factory=list)
    runs: list[Begun] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def inventory(self, *_: object, left: bool) -> Inventory:
        return self.has

    def recent(self, *_: object, deployed: bool) -> list[tuple[str, Begun]]:
        assert deployed
        return [(run.record.job_id, run) for run in self.runs]

    def remove(self, *_: Any, delete_data: bool) -> Removed:
        self.removed.append(delete_data)
        return Removed((), ()) if delete_data else Removed(self.has.kept, self.has.secrets)


@pytest.fixture
def stage(config: Config, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()

    @contextlib.contextmanager
    def cloud(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(endpoint_url=None, account="1", region="eu-west-1")

    def outputs(*_: object) -> None:
        raise NotDeployed("app 'demo' is not deployed")

    @contextlib.contextmanager
    def stage_runs(*_: object) -> Iterator[Stage]:
        yield stage

    monkeypatch.setattr("devbridge.cli.remove.cloud", cloud)
    monkeypatch.setattr("devbridge.cli.runs.stage_runs", stage_runs)
    monkeypatch.setattr("devbridge.deploy.outputs", outputs)
    monkeypatch.setattr("devbridge.deploy.remove.inventory", stage.inventory)
    monkeypatch.setattr("devbridge.deploy.remove.remove", stage.remove)
    return stage


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.cli.deploying.has_terminal", lambda: True)


class OneCommand(LazyGroup):
    """devbridge's group with this command only."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return command


def run(*arguments: str, answer: str | None = None) -> Result:
    given = ["remove", "--stage", "prod", *arguments]
    return CliRunner().invoke(OneCommand("devbridge"), given, input=answer)


@pytest.mark.usefixtures("terminal")
def test_it_says_what_goes_and_what_is_kept_and_asks(stage: Stage) -> None:
    result = run(answer="n\n")
    assert result.exit_code == errors.EXIT_ERROR
    assert result.stdout.startswith(
        "to be removed: stack devbridge-demo--prod- in account 1, region eu-west-1, with\n"
        "  AWS::S3::Bucket  files-1  Bucket 'files'  and all that is in it\n"
        "  AWS::IAM::Role  role-1  Job 'a'\n"
        "to be kept:\n"
        "  AWS::DynamoDB::Table  notes-1  Table 'notes'\n"
        "  AWS::SSM::Parameter  the value of secret 'token'\n"
    )
    assert "nothing was changed" in result.stderr
    assert stage.removed == []


def test_what_is_under_way_is_named_and_cancelled_those_that_wait_first(stage: Stage) -> None:
    for name, job, state in [
        ("p:1", "a", State.RUNNING),
        ("p:2", "a", State.QUEUED),
        ("p:3", "a", State.SUCCEEDED),
        ("p:4", "refused", State.RUNNING),
        ("p:5", "a", State.SCHEDULED),
    ]:
        stage.runs.append(Begun(RunRecord(job_id=name, job=job, state=state), stage))
    assert run().exit_code == errors.EXIT_NOT_CONFIRMED
    assert stage.cancelled == []
    result = run("--yes")
    named = "to be cancelled, for it is under way:\n  p:1  RUNNING\n  p:2  QUEUED\n  p:4  RUNNING\n"
    assert f"{named}  p:5  SCHEDULED\n" in result.stdout
    assert sorted(stage.cancelled[:2]) == ["p:2", "p:5"]
    assert stage.cancelled[2:] == ["p:1"]
    assert "warning: p:4 could not be cancelled: AWS refuses it" in result.stderr
    assert stage.removed == [False]


def test_that_nobody_can_tell_what_is_under_way_keeps_nothing_from_going(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recent(*_: object, **__: object) -> None:
        raise InvokeError("no")

    monkeypatch.setattr(stage, "recent", recent)
    assert run("--yes").exit_code == 0
    assert stage.removed == [False]


def test_without_a_terminal_it_refuses(stage: Stage) -> None:
    result = run(answer="y\n")
    assert result.exit_code == errors.EXIT_NOT_CONFIRMED
    assert stage.removed == []


def test_afterwards_it_says_what_was_kept_and_how_to_delete_it(stage: Stage) -> None:
    result = run("--yes")
    assert result.exit_code == 0, result.output
    assert stage.removed == [False]
    _, after = result.stdout.split("removed: app demo, stage prod\n")
    assert after == (
        "kept in account 1, region eu-west-1:\n"
        "  AWS::DynamoDB::Table  notes-1  Table 'notes'\n"
        "  AWS::SSM::Parameter  the value of secret 'token'\n"
        "to delete it: devbridge remove --stage prod --delete-data\n"
    )


def test_with_delete_data_everything_goes(stage: Stage) -> None:
    result = run("--delete-data", "--yes")
    assert stage.removed == [True]
    before, _ = result.stdout.split("removed: app demo")
    assert "Table 'notes'  and all that is in it" in before
    assert "the value of secret 'token'" in before
    assert "kept" not in result.stdout


def test_what_an_earlier_removal_kept_is_deleted_only_with_delete_data(stage: Stage) -> None:
    stage.has = Inventory("", (NOTES,), ("token",))
    assert run("--yes").exit_code == errors.EXIT_NOT_FOUND
    assert stage.removed == []
    result = run("--yes", "--delete-data")
    assert result.exit_code == 0
    assert "to be removed: what was retained in account 1" in result.stdout
    assert stage.removed == [True]


def test_a_stage_with_nothing_is_not_deployed(stage: Stage) -> None:
    stage.has = Inventory("", (), ())
    assert run("--yes", "--delete-data").exit_code == errors.EXIT_NOT_FOUND


def test_it_refuses_while_devbridge_dev_runs_the_stage(stage: Stage, config: Config) -> None:
    with only_one(config.lock, config.stage):
        result = run("--yes", "--stage", config.stage)
    assert result.exit_code == errors.EXIT_ALREADY_RUNNING
    assert stage.removed == []


def test_it_waits_for_a_deployment_of_the_stage(
    stage: Stage, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = contextlib.ExitStack()
    other.enter_context(only_one(config.lock, config.stage, "deploy"))
    monkeypatch.setattr("devbridge.runs.lock.sleep", lambda _: other.close())
    result = run("--yes", "--stage", config.stage)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("  wait     `devbridge deploy` changes the stage ann now")
    assert stage.removed == [False]


def test_a_removed_stage_is_no_deployed_one_any_more(stage: Stage, config: Config) -> None:
    config.ledger.touch()
    find.mark_deployed(config)
    assert run("--yes", "--stage", config.stage).exit_code == 0
    assert not find.is_deployed(config)
