from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbridge.config import Config
from devbridge.folders import FUNCTIONS
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.lock import only_one
from devbridge.runs.model import State
from devbridge.runs.pruning import KEPT, Logs, forget_old_runs, prune
from devbridge.runs.queued import Queued

DAY = 24 * 3600.0
TWO_WEEKS = timedelta(days=14)


class Stage:
    """A stage's folder, with a run that ended 14.1 days ago, one that ended 13.9 days ago, and one
    that has not ended."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        found = SimpleNamespace(
            stage_dir=folder,
            ledger=folder / "ledger",
            logs_dir=self.logs,
            lock=folder / "daemon.lock",
            stage="ann",
        )
        self.config: Config = found  # type: ignore[assignment]
        self.book = stack.enter_context(Ledger.open(self.config.ledger))
        for name, days in (("old", 14.1), ("new", 13.9), ("live", 20.0)):
            self.add(name, days, ended=name != "live")

    def add(self, name: str, days: float, *, ended: bool = True, result: bytes = b"1") -> None:
        at = time.time() - days * DAY
        log = self.logs / f"{name}.log"
        log.write_bytes(b"x" * 2048)
        run = NewRun(job_id=name, job="j", payload=b"1", created_at=at, log_path=str(log))
        state = State.SUCCEEDED if ended else State.RUNNING
        with self.book.transaction():
            self.book.add(run)
            self.book.record(Change(job_id=name, state=state, at=at, result=result))

    @property
    def runs(self) -> set[str]:
        return {record.job_id for record in self.book.recent()}

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.logs.iterdir()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path, stack)


def test_what_ended_long_ago_is_forgotten_with_its_log_and_counted(stage: Stage) -> None:
    done = prune(stage.config, TWO_WEEKS, dry_run=False)
    assert (done.runs, done.logs, done.log_bytes) == (1, 1, 2048)
    assert done.before == pytest.approx(time.time() - 14 * DAY, abs=60)
    assert done.ledger_bytes == stage.book.free()[1] > 0
    assert stage.runs == {"new", "live"}
    assert stage.files == {"new.log", "live.log"}


def test_a_dry_run_counts_the_same_and_changes_nothing(stage: Stage) -> None:
    done = prune(stage.config, TWO_WEEKS, dry_run=True)
    assert (done.runs, done.logs, done.log_bytes) == (1, 1, 2048)
    assert stage.runs == {"old", "new", "live"}
    assert len(stage.files) == 3


def test_what_has_not_ended_is_never_forgotten(stage: Stage) -> None:
    prune(stage.config, timedelta(), dry_run=False)
    assert stage.runs == {"live"}


def test_a_stage_without_a_ledger_gets_none(stage: Stage) -> None:
    stage.config.ledger.unlink()
    done = prune(stage.config, TWO_WEEKS, dry_run=False)
    assert (done.runs, done.logs, done.ledger_bytes) == (0, 0, 0)
    assert not stage.config.ledger.exists()


@pytest.mark.parametrize(("megabytes", "smaller"), [(4, True), (0.5, False)])
def test_the_ledger_is_made_smaller_when_that_pays(
    stage: Stage, megabytes: float, smaller: bool
) -> None:
    stage.add("large", 15, result=b"1" * int(megabytes * 1e6))
    before = stage.book.free()[1]
    after = prune(stage.config, TWO_WEEKS, dry_run=False).ledger_bytes
    assert (after < before) is smaller


def test_what_is_unused_must_be_a_quarter_of_the_ledger(stage: Stage) -> None:
    stage.add("large", 15, result=b"1" * 1_200_000)
    stage.add("kept", 1, result=b"1" * 4_000_000)
    assert prune(stage.config, TWO_WEEKS, dry_run=False).ledger_bytes > 5_000_000


def test_the_ledger_is_left_alone_while_a_daemon_uses_it(stage: Stage) -> None:
    stage.add("large", 15, result=b"1" * 4_000_000)
    with only_one(stage.config.lock, "ann"):
        assert prune(stage.config, TWO_WEEKS, dry_run=False).ledger_bytes > 4_000_000
    assert stage.runs == {"new", "live"}


def test_a_daemon_forgets_by_itself_what_ended_two_weeks_ago(stage: Stage) -> None:
    assert KEPT == TWO_WEEKS
    forget_old_runs(stage.config, stage.book)
    assert stage.runs == {"new", "live"}
    assert stage.files == {"new.log", "live.log"}


def test_what_rotation_has_left_of_a_log_goes_with_it_wherever_it_was_once(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1", "b.log"):
        (tmp_path / name).write_bytes(b"12345")
    logs = Logs(tmp_path)
    logs.delete(Path("/once/was/here/a.log"))
    logs.delete(Path("/once/was/here/gone.log"))
    assert (logs.count, logs.bytes) == (2, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["b.log"]


def test_the_name_of_a_log_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "ab.log").touch()
    logs = Logs(tmp_path)
    logs.delete(Path("a?.log"))
    logs.delete(Path("[a]b.log"))
    assert logs.count == 0


def test_what_never_came_to_a_daemon_is_forgotten_too(stage: Stage) -> None:
    queued = Queued(stage.config.stage_dir)
    for name in ("waits", "cancelled"):
        queued.add(name, "j")
    queued.cancel("cancelled")
    month = timedelta(days=-30)  # a month from now
    assert prune(stage.config, month, dry_run=True).runs == 3
    assert prune(stage.config, month, dry_run=False).runs == 3
    assert [each.job_id for each in queued.find()] == ["waits"]


def test_logs_of_functions_go_when_nothing_was_printed_for_two_weeks(stage: Stage) -> None:
    folder = stage.logs / FUNCTIONS
    folder.mkdir()
    for name, days in (("old.log", 14.1), ("old.log.1", 15), ("new.log", 13.9)):
        (folder / name).write_bytes(b"x" * 100)
        at = time.time() - days * DAY
        os.utime(folder / name, (at, at))
    done = prune(stage.config, TWO_WEEKS, dry_run=True)
    assert (done.logs, done.log_bytes) == (3, 2248)
    assert len([*folder.iterdir()]) == 3
    forget_old_runs(stage.config, stage.book)
    assert [path.name for path in folder.iterdir()] == ["new.log"]
