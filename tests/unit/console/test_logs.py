from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.console import logs as module
from devbridge.console.logs import Log, Logs, mark_of
from devbridge.errors import UnknownRun
from devbridge.folders import rotated_log
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State

from .stages import Stage


class Elsewhere:
    """A run whose output is in the cloud."""

    def __init__(self) -> None:
        self.record = RunRecord(
            job_id="demo:1", job="a", state=State.RUNNING, log="/group/stream".removeprefix("/")
        )
        self.said = b""
        self.asked = 0

    def refresh(self, *, result: bool = False) -> RunRecord:
        return self.record

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        assert not follow
        self.asked += 1
        yield self.said


def lines(log: Log) -> list[str]:
    return log.index.lines(0, 1000, log.read)


def looked(logs: Logs, run: Any) -> tuple[list[str], bool]:
    with logs.open(run) as log:
        return lines(log), log.complete


def run_of(stage: Stage, run_id: str) -> Any:
    with stage.subject.runs() as (runs, _):
        return runs.find(run_id)


def test_a_log_grows_until_its_run_is_closed(stage: Stage) -> None:
    logs, run_id = Logs(), stage.add(State.RUNNING, log=b"one\ntw")
    with stage.subject.runs() as (runs, _):
        run = runs.find(run_id)
        assert looked(logs, run) == (["one", "tw"], False)
        with Path(run.record.log).open("ab") as file:
            file.write(b"o\nthree\n")
        assert looked(logs, run) == (["one", "two", "three"], False)
        stage.change(run_id, State.SUCCEEDED)
        assert looked(logs, run) == (["one", "two", "three"], True)


def test_a_log_that_is_rotated_goes_on_and_has_other_numbers_when_it_loses_lines(
    stage: Stage,
) -> None:
    logs, run_id = Logs(), stage.add(State.RUNNING, log=b"one\n")
    with stage.subject.runs() as (runs, _):
        run = runs.find(run_id)
        path = Path(run.record.log)
        versions = []
        for text in (b"two\n", b"three\n", b"four\n"):
            with logs.open(run) as log:
                versions.append((log.version, lines(log)))
            path.replace(rotated_log(path))
            path.write_bytes(text)
        with logs.open(run) as log:
            versions.append((log.version, lines(log)))
    assert [seen for _, seen in versions] == [
        ["one"],
        ["one", "two"],
        ["two", "three"],
        ["three", "four"],
    ]
    numbers = [version for version, _ in versions]
    assert numbers[0] == numbers[1]
    assert len({*numbers}) == 3


def test_a_run_that_has_not_started_has_no_lines_and_one_whose_log_is_gone_says_so(
    stage: Stage,
) -> None:
    logs = Logs()
    queued, gone = stage.add(State.QUEUED), stage.add()
    with stage.subject.runs() as (runs, _):
        assert looked(logs, runs.find(queued)) == ([], False)
        with pytest.raises(UnknownRun, match="log file is gone"):
            looked(logs, runs.find(gone))


def test_a_log_elsewhere_is_copied_and_asked_for_again_while_it_grows() -> None:
    now = 100.0
    logs, run = Logs(lambda: now), Elsewhere()
    run.said = b"one\n"
    assert looked(logs, run) == (["one"], False)
    run.said = b"one\ntwo\n"
    assert looked(logs, run) == (["one"], False), "so soon nobody is asked again"
    now += module.STALE + 1
    assert looked(logs, run) == (["one", "two"], False)
    run.record = RunRecord(job_id="demo:1", job="a", state=State.FAILED, closed=True)
    now += module.STALE + 1
    run.said += b"three\n"
    assert looked(logs, run) == (["one", "two", "three"], True)
    now += module.STALE + 1
    assert looked(logs, run) == (["one", "two", "three"], True)
    assert run.asked == 3
    logs.forget()
    assert looked(logs, run) == (["one", "two", "three"], True)
    assert run.asked == 4


def test_only_so_many_logs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN", 1)
    logs, runs = Logs(), [Elsewhere(), Elsewhere()]
    runs[1].record = RunRecord(job_id="demo:2", job="a", state=State.RUNNING)
    for run in (*runs, *runs):
        looked(logs, run)
    assert [run.asked for run in runs] == [2, 2]


def test_where_an_attempt_begins_is_a_line_of_devbridges_own(stage: Stage) -> None:
    text = f"first\nsays {mark_of(2, 3)}\n{mark_of(2, 3)}\nsecond\n{mark_of(3, 3)}\n"
    logs, run_id = Logs(), stage.add(State.RUNNING, log=text.encode())
    with stage.subject.runs() as (runs, _), logs.open(runs.find(run_id)) as log:
        assert [log.attempt(number, 3) for number in (1, 2, 3, 4)] == [0, 2, 4, None]
