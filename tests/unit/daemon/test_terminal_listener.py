from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.daemon import lines, terminal_listener
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.daemon.told import (
    AppBroken,
    Began,
    Broken,
    Deployed,
    Ended,
    FunctionPrinted,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Noted,
    Printed,
    Reloaded,
    Remarked,
    Restless,
    Said,
    Short,
    Stopping,
    Told,
    TriedAgain,
    Waits,
    Who,
)
from devbridge.daemon.worker_output import LEAST_SHOWN
from devbridge.palette import Style
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.daemon.screens import Paper

ROOT = Path("/app")
LOG = "/app/.devbridge/logs/a-r1.log"
STANDBY = Who("a-1", "a")
WHO = Who("a-1", "a", "r1")
BEGAN = Began(WHO, 1, 1, b"5")
ERROR = Failure("ValueError", "num is 9")


def run(state: State = State.SUCCEEDED, **known: object) -> RunRecord:
    given = {"created_at": 1.0, "started_at": 2.0, "ended_at": 3.5, "failure": None, **known}
    given = {"job_id": "r1", "job": "a", "log": LOG, **given}
    return RunRecord(state=state, **given)  # type: ignore[arg-type]


def change(state: State, **known: object) -> Change:
    return Change(job_id="r1", state=state, at=3.5, **known)  # type: ignore[arg-type]


class Shown:
    """What the terminal shows of some events."""

    def __init__(self, *, colour: bool = False, width: int = 0, verbose: bool = False) -> None:
        self.paper = Paper(colour=colour, width=width)
        logs = ROOT / ".devbridge" / "logs"
        self.listener = TerminalListener(self.paper, ROOT, logs, verbose=verbose)

    def __call__(self, *events: Told) -> list[str]:
        """The lines that these add, without what is held."""
        before = len(self.paper.lines)
        for event in events:
            self.listener.on(event)
        return self.paper.lines[before:]

    @property
    def soon(self) -> list[str]:
        """The lines that are held."""
        before = len(self.paper.lines)
        self.paper.release()
        return self.paper.lines[before:]


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "elapsed", lambda seconds: "+ ")


@pytest.fixture
async def shown() -> Shown:
    return Shown()


async def test_a_run_is_invoked_prints_and_is_done(shown: Shown) -> None:
    assert shown(
        BEGAN,
        Printed(WHO, b"one\ntwo\n"),
        Ended(WHO, change(State.SUCCEEDED), run(result=b"120")),
        Gone(WHO),
    ) == [
        "|  r1  Invoke a 5",
        "|  r1  + one",
        "|  r1  + two",
        "|  r1  Done    took 1.50s, result 120",
    ]


async def test_the_time_of_a_line_is_that_since_its_run_began(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(lines, "elapsed", lambda seconds: f"+{seconds:g} ")
    shown(BEGAN)
    shown.paper.release()
    clock[0] = 102.5
    assert shown(Printed(WHO, b"hello\n")) == ["|  r1  +2.5 hello"]


async def test_what_a_handler_prints_while_it_is_imported_is_its_jobs(shown: Shown) -> None:
    assert shown(Printed(STANDBY, b"importing\n")) == ["|  a  importing"]


async def test_a_line_that_has_not_ended_when_the_run_begins_is_not_the_runs(shown: Shown) -> None:
    assert shown(Printed(STANDBY, b"importing"), BEGAN)[0] == "|  a  importing"
    assert shown(Printed(WHO, b"hello\n")) == ["|  r1  Invoke a 5", "|  r1  + hello"]


async def test_a_line_of_our_own_does_not_break_into_an_unfinished_one(shown: Shown) -> None:
    shown(BEGAN)
    assert shown(Printed(WHO, b"half\nha"))[1:] == ["|  r1  + half"]
    assert shown(Stopping(WHO, 5.0)) == [
        "|  r1  + ha",
        "|  r1  Stopping SIGTERM was sent, SIGKILL in 5.00s",
    ]
    assert shown(Printed(WHO, b"lf\n")) == ["|  r1  + lf"]


async def test_the_last_words_come_after_all_output_whole_line_or_not(shown: Shown) -> None:
    shown(BEGAN)
    told = shown(Printed(WHO, b"no newline, caf\xc3"), Ended(WHO, change(State.SUCCEEDED), run()))
    assert told[1:] == ["|  r1  + no newline, caf", "|  r1  + \\xc3", "|  r1  Done    took 1.50s"]


async def test_a_worker_that_goes_without_last_words_still_has_said_all(shown: Shown) -> None:
    assert shown(Printed(STANDBY, b"importing"), Gone(STANDBY)) == ["|  a  importing"]


async def test_workers_of_one_job_do_not_finish_each_others_lines(shown: Shown) -> None:
    other = Who("a-2", "a", "r2")
    shown(BEGAN, Began(other, 1, 1, b"6"))
    shown.paper.release()
    assert shown(Printed(WHO, b"one "), Printed(other, b"two "), Printed(WHO, b"more\n")) == [
        "|  r1  + one more"
    ]
    shown(Gone(WHO), Gone(other))


async def test_nothing_of_a_worker_is_remembered_when_it_has_gone(shown: Shown) -> None:
    shown(BEGAN, Printed(WHO, b"half"), Gone(WHO))
    assert shown.listener._outputs == {}


async def test_an_attempt_that_is_followed_by_another_says_so(shown: Shown) -> None:
    again = change(State.QUEUED, failure=ERROR, attempt=2, detail="attempt 1 of 2 FAILED")
    record = run(State.RUNNING, failure=ERROR, ended_at=None, attempt=2, max_attempts=2)
    told = shown(Began(WHO, 1, 2, b"5"), Ended(WHO, again, record))
    assert told[0] == "|  r1  Invoke a (attempt 1 of 2) 5"
    assert told[1:] == [
        "|  r1  Error   ValueError: num is 9",
        "|  r1          after 1.50s",
        "|  r1  Again   attempt 1 of 2 FAILED",
    ]


async def test_the_last_attempt_has_no_word_of_another(shown: Shown) -> None:
    failed = change(State.FAILED, failure=ERROR, detail="attempt 2 of 2")
    assert shown(BEGAN, Ended(WHO, failed, run(State.FAILED, failure=ERROR)))[-2:] == [
        "|  r1          after 1.50s",
        f"|  r1  log     {LOG}",
    ]


async def test_a_run_that_never_started_is_shown_whole(shown: Shown) -> None:
    never = run(State.FAILED, failure=ERROR, started_at=None)
    assert shown(NeverStarted(change(State.FAILED, failure=ERROR), never, b"5")) == [
        "|  r1  Invoke a 5",
        "|  r1  Error   ValueError: num is 9",
        "|  r1          after 0ms",
        f"|  r1  log     {LOG}",
    ]


async def test_a_next_attempt_that_never_started_was_invoked_before(shown: Shown) -> None:
    told = shown(NeverStarted(change(State.CANCELLED), run(State.CANCELLED), b"5"))
    assert told == ["|  r1  Cancelled after 1.50s", f"|  r1  log     {LOG}"]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.CANCELLED, "Cancelled"),
        (State.CRASHED, "Crashed"),
        (State.QUEUED, "Again  "),  # at its checkpoint
    ],
)
async def test_what_ended_with_an_earlier_daemon_is_said(
    shown: Shown, state: State, word: str
) -> None:
    assert shown(Interrupted(change(state, detail="it had ended"), run(state))) == [
        f"|  r1  {word} it had ended"
    ]


async def test_a_run_that_waits_has_its_bar(shown: Shown) -> None:
    [line] = shown(Waits("r1", "a", 2, own=True))
    assert line.startswith("|  r1  Waiting a: 2 of 2 slots are taken")


async def test_a_run_that_is_handed_over_is_counted_elsewhere(shown: Shown) -> None:
    assert shown(HandedOver(change(State.CANCELLED), run(State.CANCELLED))) == []


async def test_a_broken_job_is_shown_once_and_after_what_its_import_printed(shown: Shown) -> None:
    told = shown(Printed(STANDBY, b"importing"), Broken("a", ERROR, "a-1"))
    assert told == ["|  a  importing"]
    assert shown.soon == ["Error  a cannot be loaded: ValueError: num is 9"]
    assert shown(Broken("a", ERROR, "a-2", new=False)) == []


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            TriedAgain("a", 1.0),
            "Waiting a: it cannot be loaded; tried again in 1.00s, then with longer pauses, and"
            " when it is saved",
        ),
        (
            Restless("a", ROOT / "data.json"),
            "Notice  a: /app/data.json, which its import reads, changes again and again; from now"
            " on it is loaded anew when it is run",
        ),
        (Short("no memory"), "no worker can be started now: no memory; what is asked for waits"),
        (Short(), "workers can be started again"),
        (AppBroken("no app.py"), "Error  no app.py"),
        (Said("hello"), "hello"),
        (Remarked(STANDBY, "slow", Mood.WARN), "|  a  slow"),
        (Remarked(WHO, "slow", Mood.WARN), "|  a  slow"),
        (Noted(WHO, "goes on"), "|  a  goes on"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_each_has_its_line(shown: Shown, event: Told, line: str) -> None:
    assert shown(event) == [line]


@pytest.mark.parametrize(
    ("mood", "look"),
    [
        (Mood.PLAIN, lambda style: str),
        (Mood.LOUD, lambda style: style.bold),
        (Mood.GOOD, lambda style: style.good),
        (Mood.WARN, lambda style: style.warn),
        (Mood.BAD, lambda style: style.bad),
    ],
)
async def test_a_sentence_looks_as_it_is_meant(
    mood: Mood, look: Callable[[Style], Callable[[str], str]]
) -> None:
    shown = Shown(colour=True)
    assert shown(Said("hello", mood)) == [look(Style(True))("hello")]
    assert shown(Remarked(STANDBY, "hello", mood))[0].endswith(look(Style(True))("hello"))


def test_what_a_function_prints_is_behind_its_name_and_an_error_has_the_apps_frames() -> None:
    frame = 'File "api/start.py", line 5, in handler\n    return 1 / 0'
    failure = Failure("ZeroDivisionError", "division by zero", (frame,))
    assert Shown()(FunctionPrinted("api-start", ("hello\nworld", "\x1b[2J", failure))) == [
        "|  api-start  hello",
        "|  api-start  world",
        "|  api-start  \\x1b[2J",
        "|  api-start  Error   ZeroDivisionError: division by zero",
        '|  api-start  ↳ File "api/start.py", line 5, in handler',
        "|  api-start        return 1 / 0",
    ]


# --- several jobs -------------------------------------------------------------------------------


async def test_where_there_are_several_jobs_each_line_has_its_name(shown: Shown) -> None:
    other = Who("b-1", "report", "r2")
    assert shown(
        Deployed(("a", "report")),
        Printed(STANDBY, b"importing\n"),
        BEGAN,
        Printed(WHO, b"one\n"),
        Began(other, 1, 1, b"6"),
        Printed(other, b"two\n"),
        Waits("r3", "a", 2, own=True),
        FunctionPrinted("api-start", ("hello",)),
    ) == [
        "|  a                 importing",
        "|  a       r1  Invoke a 5",
        "|  a       r1  + one",
        "|  report  r2  Invoke report 6",
        "|  report  r2  + two",
        "|  a       r3  Waiting a: 2 of 2 slots are taken (the job's own concurrency)",
        "|  api-start         hello",
    ]


async def test_the_column_of_names_is_that_of_the_app_as_it_is_now(shown: Shown) -> None:
    shown(Deployed(("a", "b")), Deployed(("a",)), BEGAN)
    assert shown.soon == ["|  r1  Invoke a 5"]


# --- runs in one line ---------------------------------------------------------------------------


async def test_a_short_run_that_prints_nothing_is_one_line(shown: Shown) -> None:
    assert shown(BEGAN) == []
    assert shown(Ended(WHO, change(State.SUCCEEDED), run(result=b"120")), Gone(WHO)) == [
        "|  r1  Invoke a 5  Done took 1.50s, result 120"
    ]
    assert shown.soon == []


async def test_short_runs_at_the_same_time_are_a_line_each(shown: Shown) -> None:
    other = Who("a-2", "a", "r2")
    second = Ended(other, change(State.SUCCEEDED), run(job_id="r2"))
    assert shown(
        BEGAN, Began(other, 1, 1, b"6"), Ended(WHO, change(State.SUCCEEDED), run()), second
    ) == ["|  r1  Invoke a 5  Done took 1.50s", "|  r2  Invoke a 6  Done took 1.50s"]


async def test_a_run_that_goes_on_is_shown_a_moment_later(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()
    monkeypatch.setattr(terminal_listener, "HELD", 0.001)
    monkeypatch.setattr(shown.paper, "release", released.set)
    shown(BEGAN)
    await asyncio.wait_for(released.wait(), 30)


async def test_whatever_else_is_said_meanwhile_comes_after_its_beginning(shown: Shown) -> None:
    assert shown(BEGAN, Said("hello"), Ended(WHO, change(State.SUCCEEDED), run())) == [
        "|  r1  Invoke a 5",
        "hello",
        "|  r1  Done    took 1.50s",
    ]


async def test_half_a_line_of_output_is_output(shown: Shown) -> None:
    assert shown(BEGAN, Printed(WHO, b"half"), Ended(WHO, change(State.SUCCEEDED), run())) == [
        "|  r1  Invoke a 5",
        "|  r1  + half",
        "|  r1  Done    took 1.50s",
    ]


async def test_a_short_run_whose_line_would_be_too_long_has_two(shown: Shown) -> None:
    long = run(result=b"1" * 70)
    assert shown(BEGAN, Ended(WHO, change(State.SUCCEEDED), long)) == [
        f"|  r1  Invoke a 5  Done took 1.50s, result {'1' * 70}"
    ]
    began = Began(WHO, 1, 1, b"2" * 80)
    assert len(shown(began, Ended(WHO, change(State.SUCCEEDED), long))) == 2
    narrow = Shown(width=50)
    assert len(narrow(BEGAN, Ended(WHO, change(State.SUCCEEDED), run(result=b"1" * 15)))) == 2
    assert len(narrow(BEGAN, Ended(WHO, change(State.SUCCEEDED), run(result=b"120")))) == 1


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.TIMED_OUT, State.CRASHED])
async def test_a_run_that_does_not_succeed_is_told_in_full_and_where_its_log_is(
    shown: Shown, state: State
) -> None:
    told = shown(BEGAN, Ended(WHO, change(state), run(state)))
    assert told[0] == "|  r1  Invoke a 5"
    assert told[-1] == f"|  r1  log     {LOG}"


async def test_who_wants_more_is_told_where_each_log_is() -> None:
    shown = Shown(verbose=True)
    failed = run(State.FAILED, failure=ERROR)
    assert shown(BEGAN) == ["|  r1  Invoke a 5", f"|  r1  log     {LOG}"]
    assert shown(Ended(WHO, change(State.FAILED), failed))[-1] == "|  r1          after 1.50s"


# --- wide lines ---------------------------------------------------------------------------------


async def test_what_is_too_wide_is_wrapped_below_its_beginning() -> None:
    shown = Shown(width=40)
    assert shown(BEGAN, Printed(WHO, b"one two three four five six seven eight\n"))[1:] == [
        "|  r1  + one two three four five six",
        "         seven eight",
    ]
    failed = run(State.FAILED, failure=Failure("ValueError", "one two three four five"))
    assert shown(Ended(WHO, change(State.FAILED), failed))[:2] == [
        "|  r1  Error   ValueError: one two three",
        "               four five",
    ]


async def test_a_payload_and_a_result_are_cut_to_the_room_that_there_is() -> None:
    began = Began(WHO, 1, 1, b"2" * 100)
    ended = Ended(WHO, change(State.SUCCEEDED), run(result=b"1" * 100))
    told = Shown(width=60)(began, Printed(WHO, b"one\n"), ended)
    assert [len(line) for line in told] == [60, len("|  r1  + one"), 60]
    assert told[0].endswith("22…")
    assert told[2].endswith("11…")
    assert Shown(width=30)(began, Printed(WHO, b"one\n"))[0].count("2") == LEAST_SHOWN
    assert Shown()(began, Printed(WHO, b"one\n"))[0].count("2") == lines.PAYLOAD_SHOWN


# --- jobs that cannot be loaded -----------------------------------------------------------------


async def test_a_run_that_fails_with_what_was_said_does_not_say_it_again(shown: Shown) -> None:
    error = Failure("ImportError", "no a", frames=('File "x.py", line 1',))
    shown(Broken("a", error, "a-1"))
    shown.paper.release()
    never = run(State.FAILED, failure=error, started_at=None)
    assert shown(NeverStarted(change(State.FAILED, failure=error), never, b"5")) == [
        "|  r1  Invoke a 5",
        "|  r1  Error   ImportError: no a (said above: the job cannot be loaded)",
        f"|  r1  log     {LOG}",
    ]


async def test_an_error_that_comes_back_after_the_job_was_loaded_is_said_whole(
    shown: Shown,
) -> None:
    error = Failure("ImportError", "no a", frames=('File "x.py", line 1',))
    assert shown(Broken("a", error, "a-1"), Reloaded("a", 0.1))[-1] == "Reloaded a in 100ms"
    shown(Broken("a", error, "a-2"))
    assert shown.soon == ["Error  a cannot be loaded: ImportError: no a", '↳ File "x.py", line 1']


async def test_what_one_save_has_reloaded_is_told_of_together(shown: Shown) -> None:
    assert shown(Reloaded("a", 0.031, more=True), Reloaded("b", 0.04, more=True)) == []
    assert shown(Reloaded("c", 0.05)) == ["Reloaded a, b, c in 50ms"]
    assert shown(Reloaded("a", 0.031)) == ["Reloaded a in 31ms"]


async def test_what_is_reloaded_is_told_though_others_take_long(shown: Shown) -> None:
    assert shown(Reloaded("a", 0.031, more=True)) == []
    assert shown.soon == ["Reloaded a in 31ms"]
    assert shown(Reloaded("b", 0.4)) == ["Reloaded b in 400ms"]
