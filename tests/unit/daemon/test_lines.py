from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon import lines
from devbridge.daemon.told import Waits
from devbridge.palette import Style
from devbridge.runs.base import RunRecord
from devbridge.runs.model import Exit, State
from runner.outcome import Failure

PLAIN = Style(False)
ENTRY = RunRecord(
    job_id="8f14e45f-0000-4000-8000-000000000000",
    job="factorial",
    state=State.SUCCEEDED,
    created_at=99.0,
    started_at=100.0,
    ended_at=101.2,
    closed=False,
    attempt=1,
    max_attempts=1,
    exit=None,
    result=b"120",
    failure=None,
    log="/app/.devbridge/ada/logs/x.log",
)
FAILURE = Failure(
    "ZeroDivisionError",
    "division by zero",
    (
        'File "jobs/a.py", line 9, in handler\n    return f()',
        'File "jobs/a.py", line 3, in f\n    return 1 / 0',
    ),
)


def test_the_time_since_the_start_fills_a_column() -> None:
    assert lines.elapsed(0.012) == "+12ms   "
    assert lines.elapsed(7200.0) == "+2h00m00s"


def test_every_line_of_a_run_begins_with_its_short_id() -> None:
    assert lines.bar(ENTRY.job_id, PLAIN) == "|  8f14e45f  "


def test_a_run_keeps_its_colour() -> None:
    assert lines.bar(ENTRY.job_id, Style(True)) == lines.bar(ENTRY.job_id, Style(True))
    assert "\x1b[" in lines.bar(ENTRY.job_id, Style(True))


def test_an_invocation_shows_its_payload() -> None:
    assert lines.invoked("factorial", b'{"num":5}', 1, 1, PLAIN) == 'Invoke factorial {"num":5}'


def test_the_attempt_is_shown_when_there_may_be_several() -> None:
    assert "(attempt 2 of 3)" in lines.invoked("factorial", b"0", 2, 3, PLAIN)


@pytest.mark.parametrize(
    "payload", [b"x" * 10_000, "\U0001f600".encode() * 200, "\u65e5".encode() * 200]
)
def test_a_long_payload_is_cut_and_says_so(payload: bytes) -> None:
    shown = lines.shorten(payload)
    assert shown.endswith("…")
    assert len(shown) == lines.PAYLOAD_SHOWN + 1
    assert "\ufffd" not in shown


@pytest.mark.parametrize("payload", [b'{\n  "num": 5\r\n}', b"\xff\xfe", b""])
def test_any_payload_is_shown_on_one_line(payload: bytes) -> None:
    assert "\n" not in lines.invoked("factorial", payload, 1, 1, PLAIN)
    assert "\r" not in lines.invoked("factorial", payload, 1, 1, PLAIN)


def test_the_log_is_named_as_seen_from_the_app() -> None:
    root = Path("/app")
    assert lines.log_line(root / "logs" / "x.log", root, PLAIN).split() == ["log", "logs/x.log"]
    assert "/var/x.log" in lines.log_line(Path("/var/x.log"), root, PLAIN)


def test_a_success_shows_how_long_it_took_and_its_result() -> None:
    assert lines.ended(ENTRY, PLAIN) == ["Done    took 1.20s, result 120"]


@pytest.mark.parametrize("result", [None, b"null"])
def test_a_success_without_a_result_shows_none(result: bytes | None) -> None:
    assert lines.ended(replace(ENTRY, result=result), PLAIN) == ["Done    took 1.20s"]


@pytest.mark.parametrize("result", [b"0", b"false", b'""'])
def test_an_empty_result_is_a_result(result: bytes) -> None:
    (line,) = lines.ended(replace(ENTRY, result=result), PLAIN)
    assert line.endswith(f"result {result.decode()}")


def test_a_failure_shows_the_users_own_frames_the_innermost_last() -> None:
    entry = replace(ENTRY, state=State.FAILED, result=None, failure=FAILURE)
    shown = lines.ended(entry, PLAIN)
    assert shown[0] == "Error   ZeroDivisionError: division by zero"
    arrows = [line for line in shown if line.startswith("↳")]
    assert ["line 9" in arrows[0], "line 3" in arrows[1]] == [True, True]
    assert "1 / 0" in "".join(shown)
    assert shown[-1].endswith("after 1.20s")


def test_a_message_of_several_lines_is_indented() -> None:
    entry = replace(ENTRY, state=State.FAILED, failure=Failure("E", "one\ntwo"))
    assert list(lines.ended(entry, PLAIN))[:2] == ["Error   E: one", "        two"]


def test_a_crash_is_called_one() -> None:
    crash = Failure("Killed", "the worker was ended by SIGKILL")
    entry = replace(ENTRY, state=State.CRASHED, exit=Exit(signal=9), failure=crash)
    assert lines.ended(entry, PLAIN)[0] == "Crashed Killed: the worker was ended by SIGKILL"


@pytest.mark.parametrize(
    ("state", "word"), [(State.CANCELLED, "Cancelled"), (State.TIMED_OUT, "Timed out")]
)
def test_a_run_that_was_stopped_says_after_how_long(state: State, word: str) -> None:
    assert lines.ended(replace(ENTRY, state=state), PLAIN) == [f"{word} after 1.20s"]
    never = replace(ENTRY, state=state, started_at=None)
    assert lines.ended(never, PLAIN) == [f"{word} after 0ms"]


@pytest.mark.parametrize(
    ("own", "limit"), [(False, "--concurrency"), (True, "the job's own concurrency")]
)
def test_a_run_that_waits_says_for_which_limit(own: bool, limit: str) -> None:
    said = lines.waits(Waits(ENTRY.job_id, "factorial", 2, own), PLAIN)
    assert said == f"Waiting factorial: 2 of 2 slots are taken ({limit})"


def test_a_failure_of_which_nothing_is_known_is_still_shown() -> None:
    assert lines.ended(replace(ENTRY, state=State.FAILED), PLAIN)


@pytest.mark.parametrize("message", ["", "\n", "invalid syntax\n  ^"])
def test_a_handler_that_cannot_be_loaded_is_shown_whatever_the_message_is(message: str) -> None:
    shown = lines.broken("factorial", Failure("SyntaxError", message, FAILURE.frames), PLAIN)
    assert shown[0].startswith("Error  factorial cannot be loaded: SyntaxError")
    assert any(line.startswith("↳") for line in shown)
