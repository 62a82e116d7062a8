from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import Mock

import pytest

from devbridge.daemon import lines
from devbridge.daemon.request_listener import FOLDED, MOST_HELD, SHORT
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.daemon.told import (
    Answered,
    FunctionPrinted,
    Gone,
    Mood,
    Noted,
    Printed,
    Remarked,
    Requested,
    Told,
    Who,
)
from runner.outcome import Failure
from tests.unit.daemon.screens import Paper

ROOT = Path("/app")
WHO = Who("api()-1", "api", "id", function=True)
OTHER = Who("api()-2", "api", "id2", function=True)
NOBODY = Who("", "api", "id", function=True)
ASKED = Requested(WHO, "POST /a")
BAR = "|  api  "


def answered(
    how: str = "202",
    *,
    who: Who = WHO,
    what: str = "POST /a",
    mood: Mood = Mood.GOOD,
    failure: Failure | None = None,
) -> Answered:
    return Answered(who, what, how, mood, 0.014, failure)


class Shown:
    """What the terminal shows of some events, with a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paper = Paper()
        self.listener = TerminalListener(self.paper, ROOT, ROOT)
        self.timers: list[tuple[float, Mock]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", self._call_later)
        monkeypatch.setattr(lines, "elapsed", lambda _: "+0ms    ")

    def _call_later(self, delay: float, call: object, *args: object) -> Mock:
        timer = Mock(call=call, args=args)
        self.timers.append((delay, timer))
        return timer

    def __call__(self, *events: Told) -> list[str]:
        before = len(self.paper.lines)
        for event in events:
            self.listener.on(event)
        return self.paper.lines[before:]

    def after(self, seconds: float) -> list[str]:
        """The lines that so much time adds."""
        before = len(self.paper.lines)
        due = [timer for delay, timer in self.timers if delay == seconds]
        self.timers = [each for each in self.timers if each[0] != seconds]
        for timer in due:
            if not timer.cancel.called:
                timer.call(*timer.args)
        return self.paper.lines[before:]


@pytest.fixture
async def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


async def test_a_short_request_is_one_line_when_it_is_over(shown: Shown) -> None:
    assert shown(ASKED) == []
    assert shown(answered()) == [f"{BAR}POST /a 202 14ms"]


async def test_what_it_has_printed_is_below_its_line(shown: Shown) -> None:
    assert shown(ASKED, Printed(WHO, b"one\ntwo")) == []
    assert shown(answered()) == [
        f"{BAR}POST /a 202 14ms",
        f"{BAR}+0ms    one",
        f"{BAR}+0ms    two",
    ]


async def test_a_longer_one_begins_with_a_line_and_prints_as_it_goes_on(shown: Shown) -> None:
    shown(ASKED, Printed(WHO, b"one\n"))
    assert shown.after(SHORT) == [f"{BAR}POST /a", f"{BAR}+0ms    one"]
    assert shown(Printed(WHO, b"two\n")) == [f"{BAR}+0ms    two"]
    assert shown(answered()) == [f"{BAR}POST /a 202 14ms"]


async def test_one_that_prints_much_is_not_held_back(shown: Shown) -> None:
    found = shown(ASKED, Printed(WHO, b"x" * 100 + b"\n" + b"y\n" * MOST_HELD))
    assert found[0] == f"{BAR}POST /a"
    assert len(found) > MOST_HELD


async def test_two_at_once_are_each_of_a_piece(shown: Shown) -> None:
    shown(ASKED, Requested(OTHER, "GET /b"), Printed(WHO, b"a\n"), Printed(OTHER, b"b\n"))
    assert shown(answered(who=OTHER, what="GET /b")) == [
        f"{BAR}GET /b 202 14ms",
        f"{BAR}+0ms    b",
    ]
    assert shown(answered()) == [f"{BAR}POST /a 202 14ms", f"{BAR}+0ms    a"]


async def test_an_error_has_the_users_frames_below(shown: Shown) -> None:
    frame = 'File "api/start.py", line 3, in handler\n    return 1 / 0'
    failure = Failure("ZeroDivisionError", "division by zero", (frame,))
    shown(ASKED, Printed(WHO, b"one\n"))
    assert shown(answered("", mood=Mood.BAD, failure=failure)) == [
        f"{BAR}POST /a raised ZeroDivisionError 14ms",
        f"{BAR}+0ms    one",
        f"{BAR}Error   ZeroDivisionError: division by zero",
        f'{BAR}↳ File "api/start.py", line 3, in handler',
        f"{BAR}      return 1 / 0",
    ]


async def test_a_request_that_no_worker_has_had_is_one_line(shown: Shown) -> None:
    failure = Failure("SyntaxError", "invalid syntax")
    found = shown(answered("", who=NOBODY, mood=Mood.BAD, failure=failure))
    assert found == [f"{BAR}POST /a failed SyntaxError: invalid syntax"]


async def test_what_is_printed_without_a_request_is_shown_at_once(shown: Shown) -> None:
    idle = Who("api()-1", "api", function=True)
    assert shown(Printed(idle, b"loaded\n")) == [f"{BAR}loaded"]
    assert shown(Printed(idle, b"no end"), Gone(idle)) == [f"{BAR}no end"]
    assert shown(Gone(idle)) == []


async def test_sentences_of_ours_are_among_its_lines(shown: Shown) -> None:
    assert shown(Remarked(WHO, "careful", Mood.WARN), Noted(WHO, "noted")) == [
        f"{BAR}careful",
        f"{BAR}noted",
    ]


async def test_what_was_held_is_shown_when_the_worker_goes(shown: Shown) -> None:
    shown(ASKED, Printed(WHO, b"last words"))
    assert shown(Gone(WHO)) == [f"{BAR}+0ms    last words"]


# --- health checks ------------------------------------------------------------------------------

HEALTH = (Requested(WHO, "GET /health"), answered("200", what="GET /health"))


async def test_health_checks_are_told_once_and_then_counted(shown: Shown) -> None:
    assert shown(*HEALTH) == [f"{BAR}GET /health 200 14ms"]
    assert shown(*HEALTH * 37) == []
    assert shown(ASKED, answered()) == [
        f"{BAR}37 more GET /health 200",
        f"{BAR}POST /a 202 14ms",
    ]
    assert shown(*HEALTH) == [f"{BAR}GET /health 200 14ms"]


async def test_they_are_counted_now_and_then(shown: Shown) -> None:
    shown(*HEALTH * 3)
    assert shown.after(FOLDED) == [f"{BAR}2 more GET /health 200"]
    assert shown(*HEALTH) == []


async def test_one_that_prints_or_takes_long_or_fails_is_shown(shown: Shown) -> None:
    shown(*HEALTH)
    printing = (HEALTH[0], Printed(WHO, b"hm\n"), HEALTH[1])
    assert shown(*printing) == [f"{BAR}GET /health 200 14ms", f"{BAR}+0ms    hm"]
    shown(HEALTH[0])
    assert shown.after(SHORT) == [f"{BAR}GET /health"]
    assert shown(HEALTH[1]) == [f"{BAR}GET /health 200 14ms"]
    failing = answered("503", what="GET /health", mood=Mood.BAD)
    assert shown(HEALTH[0], failing, HEALTH[0], failing) == [f"{BAR}GET /health 503 14ms"] * 2


async def test_what_changes_something_is_always_shown(shown: Shown) -> None:
    assert len(shown(ASKED, answered(), ASKED, answered())) == 2


async def test_a_deployed_function_has_the_same_bar(shown: Shown) -> None:
    assert shown(FunctionPrinted("api", ("hello",))) == [f"{BAR}hello"]
