from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon.log_files import function_log, log_path
from devbridge.daemon.log_listener import KEPT, LogListener
from devbridge.daemon.told import (
    Answered,
    Began,
    Broken,
    Ended,
    FunctionPrinted,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Noted,
    Printed,
    Remarked,
    Said,
    Told,
    Who,
)
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure

MEGABYTE = 1024 * 1024
STANDBY = Who("a-1", "a")
WHO = Who("a-1", "a", "r1")
BROKEN = Failure("ImportError", "no module named nothing")
FAILED = Change(job_id="r1", state=State.FAILED, at=2.0, failure=BROKEN)


class Logs:
    """A listener with its folder, and what it told itself."""

    def __init__(self, folder: Path, limit: int = 64 * MEGABYTE) -> None:
        self.folder = folder
        self.told: list[Told] = []
        self.listener = LogListener(folder, limit, self.told.append)

    def __call__(self, *events: Told) -> None:
        for event in events:
            self.listener.on(event)

    @property
    def path(self) -> Path:
        return log_path(self.folder, "a", "r1")

    @property
    def text(self) -> bytes:
        return self.path.read_bytes()

    @property
    def run(self) -> RunRecord:
        return RunRecord(
            job_id="r1", job="a", state=State.FAILED, created_at=1.0, log=str(self.path)
        )


@pytest.fixture
def kept(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def test_a_run_has_what_its_worker_printed_from_its_beginning_on_as_it_came(kept: Logs) -> None:
    kept(Printed(STANDBY, b"importing"), Began(WHO, 1, 1, b"5"))
    kept(Printed(WHO, b"hello\r\n"), Printed(WHO, b"\xff\xfe\x00"))
    assert kept.text == b"hello\r\n\xff\xfe\x00"
    assert kept.path.stat().st_mode & 0o777 == 0o600
    kept(Gone(WHO))
    assert kept.told == []


def test_what_two_workers_print_is_kept_apart(kept: Logs) -> None:
    other = Who("a-2", "a", "r2")
    kept(Began(WHO, 1, 1, b"5"), Began(other, 1, 1, b"5"))
    kept(Printed(WHO, b"one"), Printed(other, b"two"), Gone(WHO), Printed(other, b" more"))
    assert kept.text == b"one"
    assert log_path(kept.folder, "a", "r2").read_bytes() == b"two more"
    kept(Gone(other))


def test_the_next_attempt_is_in_the_same_log(kept: Logs) -> None:
    kept(Began(WHO, 1, 2, b"5"), Printed(WHO, b"one\n"), Gone(WHO))
    again = Who("a-2", "a", "r1")
    kept(Began(again, 2, 2, b"5"), Printed(again, b"two\n"), Gone(again))
    assert kept.text == b"one\n--- devbridge: attempt 2 of 2\ntwo\n"


def test_an_error_is_added_when_all_output_is_there_and_a_success_adds_nothing(kept: Logs) -> None:
    kept(Began(WHO, 1, 1, b"5"), Printed(WHO, b"out\n"), Ended(WHO, FAILED, kept.run), Gone(WHO))
    assert kept.text == b"out\nImportError: no module named nothing\n"
    done = Change(job_id="r1", state=State.SUCCEEDED, at=3.0)
    kept(Began(WHO, 1, 2, b"5"), Ended(WHO, done, kept.run), Gone(WHO))
    assert kept.text.count(b"\n") == 2


def test_what_goes_on_after_the_end_is_noted_and_what_it_prints_follows(kept: Logs) -> None:
    kept(Began(WHO, 1, 1, b"5"), Ended(WHO, FAILED, kept.run), Noted(WHO, "a thread goes on"))
    kept(Printed(WHO, b"late\n"), Noted(WHO, "ended"), Gone(WHO), Noted(WHO, "nothing"))
    assert kept.text.splitlines()[1:] == [
        b"--- devbridge: a thread goes on",
        b"late",
        b"--- devbridge: ended",
    ]


def test_nothing_is_written_after_the_worker_has_gone(kept: Logs) -> None:
    kept(Began(WHO, 1, 1, b"5"), Gone(WHO), Printed(WHO, b"late"), Ended(WHO, FAILED, kept.run))
    assert kept.text == b""


def test_a_run_that_fails_because_its_job_is_broken_has_what_the_load_printed(kept: Logs) -> None:
    kept(Printed(STANDBY, b"importing\n"), Broken("a", BROKEN, "a-1"), Gone(STANDBY))
    kept(NeverStarted(FAILED, kept.run, b"5"))
    assert kept.text == b"importing\nImportError: no module named nothing\n"


def test_a_run_that_fails_for_another_reason_has_not(kept: Logs) -> None:
    kept(Printed(STANDBY, b"importing\n"), Broken("a", BROKEN, "a-1"))
    gone = Failure("UnknownJob", "the job was removed")
    kept(NeverStarted(replace(FAILED, failure=gone), kept.run, b"5"))
    assert kept.text == b"UnknownJob: the job was removed\n"


def test_what_is_printed_before_a_run_is_kept_up_to_a_bound(kept: Logs) -> None:
    kept(Printed(STANDBY, b"x" * KEPT), Printed(STANDBY, b"importing"))
    kept(Broken("a", BROKEN, "a-1"), NeverStarted(FAILED, kept.run, b"5"))
    output, _, _ = kept.text.partition(b"ImportError")
    assert output == b"x" * (KEPT - 9) + b"importing"


def test_of_a_worker_that_has_gone_nothing_is_kept(kept: Logs) -> None:
    kept(Printed(STANDBY, b"before"), Gone(STANDBY), Broken("a", BROKEN, "a-1"))
    kept(NeverStarted(FAILED, kept.run, b"5"))
    assert kept.text.startswith(b"ImportError")


@pytest.mark.parametrize("kind", [Interrupted, HandedOver])
def test_an_end_that_no_worker_of_this_daemon_saw_is_in_the_log(
    kept: Logs, kind: type[Interrupted | HandedOver]
) -> None:
    kept(kind(Change(job_id="r1", state=State.CANCELLED, at=2.0, detail="gone"), kept.run))
    assert kept.text == b"--- devbridge: CANCELLED (gone)\n"


def test_the_log_has_the_traceback_else_the_error_else_how_the_run_ended(kept: Logs) -> None:
    traced = replace(BROKEN, trace=("Traceback:", "    1 / 0", "    ~~^~~"))
    kept(Interrupted(replace(FAILED, failure=traced), kept.run))
    kept(Interrupted(replace(FAILED, failure=Failure("E", "odd \udcff")), kept.run))
    assert kept.text == b"Traceback:\n    1 / 0\n    ~~^~~\nE: odd \\udcff\n"


def test_a_log_that_cannot_be_made_is_told_of_its_run_and_the_run_goes_on(tmp_path: Path) -> None:
    kept = Logs(tmp_path / "no such folder")
    kept(Began(WHO, 1, 1, b"5"), Printed(WHO, b"hello\n"), Gone(WHO))
    [told] = kept.told
    assert isinstance(told, Remarked)
    assert (told.who, told.mood) == (WHO, Mood.BAD)
    assert "log file cannot be written: No such file" in told.text


def test_without_a_worker_it_is_told_too(tmp_path: Path) -> None:
    kept = Logs(tmp_path / "no such folder")
    kept(NeverStarted(FAILED, kept.run, b"5"))
    [told] = kept.told
    assert isinstance(told, Said)
    assert told.mood is Mood.BAD


def test_a_log_that_grows_too_large_is_told_of_its_run(tmp_path: Path) -> None:
    kept = Logs(tmp_path, limit=4096)
    kept(Began(WHO, 1, 1, b"5"), Printed(WHO, b"line\n" * 1000), Gone(WHO))
    [told] = kept.told
    assert isinstance(told, Remarked)
    assert told.mood is Mood.WARN
    assert "only the newest" in told.text


def test_what_concerns_no_log_is_not_minded(kept: Logs) -> None:
    kept(Said("hello"), Remarked(WHO, "hello", Mood.WARN))
    assert list(kept.folder.iterdir()) == []


def test_the_log_of_a_function_has_what_it_printed_and_whole_tracebacks(tmp_path: Path) -> None:
    logs, trace = Logs(tmp_path / "logs"), ("Traceback (most recent call last):", "E: m")
    (tmp_path / "logs").mkdir()
    logs(FunctionPrinted("api-start", ("hello",)))
    path = function_log(tmp_path / "logs", "api-start")
    path.unlink()  # by `devbridge prune`
    logs(FunctionPrinted("api-start", ("one\ntwo", Failure("E", "m", trace=trace))))
    assert path.read_text() == "one\ntwo\nTraceback (most recent call last):\nE: m\n"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert logs.told == []


def test_that_the_log_of_a_function_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    (tmp_path / "functions").touch()
    for _ in range(3):
        logs(FunctionPrinted("api-start", ("hello",)))
    (said,) = logs.told
    assert isinstance(said, Said)
    assert said.text.startswith("api-start: the log file cannot be written: ")


OF_FUNCTION = Who("api()-1", "api", "id", function=True)


def untimed(log: Path) -> str:
    """What a function's log has, without the times of its requests."""
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", log.read_text())


def test_the_log_of_a_live_function_has_what_it_prints_and_its_requests(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    failure = Failure("KeyError", "'x'", trace=("Traceback", "KeyError: 'x'"))
    logs(
        Printed(Who("api()-1", "api", function=True), b"loaded\n"),
        Printed(OF_FUNCTION, b"hello\n"),
        Remarked(OF_FUNCTION, "careful", Mood.WARN),
        Answered(OF_FUNCTION, "POST /a", "202", Mood.GOOD, 0.014),
        Answered(OF_FUNCTION, "POST /a", "", Mood.BAD, 0.014, failure),
        Gone(OF_FUNCTION),
    )
    assert untimed(function_log(tmp_path, "api")) == (
        "loaded\nhello\n--- devbridge: careful\n--- devbridge: POST /a 202 14ms\n"
        "--- devbridge: POST /a raised KeyError 14ms\nTraceback\nKeyError: 'x'\n"
    )


def test_why_a_function_cannot_be_loaded_is_there_once(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    nobody = Who("", "api", "id", function=True)
    logs(
        Broken("api", BROKEN, "api()-1", function=True),
        Answered(nobody, "POST /a", "", Mood.BAD, 0.0, BROKEN),
    )
    assert untimed(function_log(tmp_path, "api")) == (
        "ImportError: no module named nothing\n"
        "--- devbridge: POST /a failed ImportError: no module named nothing\n"
    )
