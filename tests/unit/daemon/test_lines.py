from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon import lines
from devbridge.daemon.told import Waits
from devbridge.palette import Style
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit, State
from runner.outcome import Failure

PLAIN = Style(False)
ROOT = Path("/app")
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
    bars = lines.Bars.of(["factorial"])
    assert bars.run(ENTRY.job_id, "factorial", PLAIN, 36) == "|  8f14e45f  "
    assert bars.job("factorial", PLAIN) == "|  factorial  "


def test_where_there_are_several_jobs_the_name_stands_before_it_in_a_column() -> None:
    bars = lines.Bars.of(["factorial", "report"])
    assert bars.run(ENTRY.job_id, "factorial", PLAIN, 36) == "|  factorial  8f14e45f  "
    assert bars.run(ENTRY.job_id, "report", PLAIN, 36) == "|  report     8f14e45f  "
    assert bars.job("report", PLAIN) == "|  report               "


def test_lines_of_functions_begin_where_those_of_runs_do() -> None:
    bars = lines.Bars.of(["factorial"], ["api-start", "api-ask"])
    assert bars.run(ENTRY.job_id, "factorial", PLAIN, 36) == "|  8f14e45f   "
    assert bars.job("factorial", PLAIN) == "|  factorial  "
    assert bars.function("api-start", PLAIN, 36) == "|  api-start  "
    assert bars.function("api-ask", PLAIN, 36) == "|  api-ask    "
    several = lines.Bars.of(["factorial", "report"], ["orders-api-orders", "ask"])
    assert several.run(ENTRY.job_id, "report", PLAIN, 36) == "|  report     8f14e45f  "
    assert several.function("orders-api-orders", PLAIN, 36) == "|  orders-api-orders    "
    assert lines.Bars.of([], ["a", "bcd"]).function("a", PLAIN, 36) == "|  a         "


def test_a_long_name_is_shown_without_its_middle() -> None:
    long = "nightly-recalculation-of-all"
    bars = lines.Bars.of(["a", long], [long])
    assert bars == lines.Bars(lines.LONGEST_NAME, lines.LONGEST_FUNCTION)
    assert bars.run(ENTRY.job_id, long, PLAIN, 36) == "|  nightl…-of-all  8f14e45f  "
    assert bars.function(long, PLAIN, 36) == "|  nightly-rec…ation-of-all  "


def test_all_of_it_has_one_colour() -> None:
    bar = lines.Bars(3).run(ENTRY.job_id, "a", Style(True), 36)
    assert bar == "\x1b[36m|  a    8f14e45f\x1b[0m  "


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


def test_the_log_is_named_as_seen_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "app" / "x.log"
    assert lines.log_line(log, PLAIN).split() == ["log", "app/x.log"]
    assert lines.log_line(Path("/var/x.log"), PLAIN).split() == ["log", "/var/x.log"]


def test_a_short_run_is_one_line() -> None:
    assert lines.at_once("Invoke factorial 5", ENTRY, PLAIN) == (
        "Invoke factorial 5  Done took 1.20s, result 120"
    )


def test_a_success_shows_how_long_it_took_and_its_result() -> None:
    assert lines.ended(ENTRY, ROOT, PLAIN) == ["Done    took 1.20s, result 120"]


@pytest.mark.parametrize("result", [None, b"null"])
def test_a_success_without_a_result_shows_none(result: bytes | None) -> None:
    assert lines.ended(replace(ENTRY, result=result), ROOT, PLAIN) == ["Done    took 1.20s"]


@pytest.mark.parametrize("result", [b"0", b"false", b'""'])
def test_an_empty_result_is_a_result(result: bytes) -> None:
    (line,) = lines.ended(replace(ENTRY, result=result), ROOT, PLAIN)
    assert line.endswith(f"result {result.decode()}")


def test_a_failure_shows_the_users_own_frames_the_innermost_last() -> None:
    entry = replace(ENTRY, state=State.FAILED, result=None, failure=FAILURE)
    shown = lines.ended(entry, ROOT, PLAIN)
    assert shown[0] == "Error   ZeroDivisionError: division by zero"
    arrows = [line for line in shown if line.startswith("↳")]
    assert ["line 9" in arrows[0], "line 3" in arrows[1]] == [True, True]
    assert "1 / 0" in "".join(shown)
    assert shown[-1].endswith("after 1.20s")


def test_a_message_of_several_lines_is_indented() -> None:
    entry = replace(ENTRY, state=State.FAILED, failure=Failure("E", "one\ntwo"))
    assert list(lines.ended(entry, ROOT, PLAIN))[:2] == ["Error   E: one", "        two"]


def test_a_crash_is_called_one() -> None:
    crash = Failure("Killed", "the worker was ended by SIGKILL")
    entry = replace(ENTRY, state=State.CRASHED, exit=Exit(signal=9), failure=crash)
    assert lines.ended(entry, ROOT, PLAIN)[0] == "Crashed Killed: the worker was ended by SIGKILL"


@pytest.mark.parametrize(
    ("state", "word"), [(State.CANCELLED, "Cancelled"), (State.TIMED_OUT, "Timed out")]
)
def test_a_run_that_was_stopped_says_after_how_long(state: State, word: str) -> None:
    assert lines.ended(replace(ENTRY, state=state), ROOT, PLAIN) == [f"{word} after 1.20s"]
    stopped = replace(ENTRY, state=State.CANCELLED, failure=Failure("DaemonStopped", "was stopped"))
    assert lines.ended(stopped, ROOT, PLAIN) == ["Cancelled after 1.20s: was stopped"]
    why = Failure("OutOfTime", "the time of one invocation was over")
    late = replace(ENTRY, state=State.TIMED_OUT, failure=why)
    said = "Timed out after 1.20s: the time of one invocation was over"
    assert lines.ended(late, ROOT, PLAIN) == [said]
    never = replace(ENTRY, state=state, started_at=None)
    assert lines.ended(never, ROOT, PLAIN) == [f"{word} after 0ms"]


@pytest.mark.parametrize(
    ("own", "limit"), [(False, "--concurrency"), (True, "the job's own concurrency")]
)
def test_a_run_that_waits_says_for_which_limit(own: bool, limit: str) -> None:
    wait = Waits(ENTRY.job_id, "factorial", 2, own)
    assert lines.waits(wait, 1, PLAIN) == f"Waiting factorial: 2 of 2 slots are taken ({limit})"
    said = lines.waits(wait, 1204, PLAIN)
    assert said == f"Waiting factorial: 1,204 runs, 2 of 2 slots are taken ({limit})"


def test_a_failure_of_which_nothing_is_known_is_still_shown() -> None:
    assert lines.ended(replace(ENTRY, state=State.FAILED), ROOT, PLAIN)


@pytest.mark.parametrize("message", ["", "\n", "invalid syntax\n  ^"])
def test_a_handler_that_cannot_be_loaded_is_shown_whatever_the_message_is(message: str) -> None:
    failure = Failure("SyntaxError", message, FAILURE.frames)
    shown = lines.broken(["factorial"], failure, ROOT, PLAIN)
    assert shown[0].startswith("Error  factorial cannot be loaded: SyntaxError")
    assert any(line.startswith("↳") for line in shown)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lines.Broke.TOO, "Error  a, b cannot be loaded, either: E: one"),
        (lines.Broke.STILL, "Error  a, b still cannot be loaded: E: one"),
    ],
)
def test_an_error_that_was_said_is_told_of_in_a_line(how: lines.Broke, said: str) -> None:
    failure = Failure("E", "one\ntwo", FAILURE.frames)
    assert lines.broken(["a", "b"], failure, ROOT, PLAIN, how=how) == [said]


@pytest.mark.parametrize(
    ("state", "word"), [(State.CANCELLED, "Cancelled"), (State.CRASHED, "Crashed")]
)
def test_what_ended_with_an_earlier_daemon_says_how(state: State, word: str) -> None:
    change = Change(job_id="r", state=state, at=1.0, detail="devbridge dev ended")
    assert lines.interrupted(change, PLAIN) == f"{word} devbridge dev ended"


def test_a_run_that_is_asked_to_stop_says_when_it_is_killed() -> None:
    assert lines.stopping(120, PLAIN) == "Stopping SIGTERM was sent, SIGKILL in 2m00s"


def test_it_is_said_when_there_are_no_workers_and_when_there_are_again() -> None:
    assert "no worker can be started now: out of memory;" in lines.short("out of memory", PLAIN)
    assert lines.short("", PLAIN) == "workers can be started again"


def test_a_run_that_waits_for_a_debugger_says_where() -> None:
    assert lines.debugger("ws://127.0.0.1:9229/x") == "Debugger ws://127.0.0.1:9229/x"


def test_who_stops_the_daemon_sees_who_gets_how_long() -> None:
    end = "Ctrl-C again ends everything at once"
    assert lines.leaving((0, "request", 3.0), (0, "run", 10.0)) == f"Stopping: {end}"
    both = lines.leaving((1, "request", 3.0), (2, "run", 10.0))
    assert both == f"Stopping: 1 request gets up to 3 s; 2 runs get up to 10 s; {end}"
