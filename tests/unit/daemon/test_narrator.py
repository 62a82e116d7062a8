from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Mood, Said, Told


class Notes:
    """A listener that remembers, and has something to say to each event."""

    def __init__(self, then: Callable[[Told], None] = lambda event: None) -> None:
        self.told: list[Told] = []
        self._then = then

    def on(self, event: Told) -> None:
        self.told.append(event)
        self._then(event)


def test_each_listener_is_told_each_event_in_order() -> None:
    first, second = Notes(), Notes()
    narrator = Narrator([first])
    narrator.add(second)
    narrator.say("one")
    narrator.say("two", Mood.BAD)
    assert first.told == second.told == [Said("one"), Said("two", Mood.BAD)]


def test_who_comes_later_is_told_the_rest() -> None:
    narrator, late = Narrator(), Notes()
    narrator.say("one")
    narrator.add(late)
    narrator.say("two")
    assert late.told == [Said("two")]


def test_what_a_listener_tells_comes_after_what_it_was_told_for_all_of_them() -> None:
    def answer(event: Told) -> None:
        if event == Said("one"):
            narrator.say("an answer")

    first, second = Notes(answer), Notes()
    narrator = Narrator([first, second])
    narrator.say("one")
    narrator.say("two")
    assert first.told == second.told == [Said("one"), Said("an answer"), Said("two")]


def test_a_listener_that_breaks_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Told) -> None:
        raise OSError("the window is gone")

    after = Notes()
    narrator = Narrator([Notes(broken), after])
    with caplog.at_level(logging.ERROR):
        narrator.say("one")
        narrator.say("two")
    assert after.told == [Said("one"), Said("two")]
    assert "has not taken a Said" in caplog.text
    assert "the window is gone" in caplog.text


def test_an_interrupt_does_not_silence_the_narrator_for_ever() -> None:
    def interrupted(event: Told) -> None:
        raise KeyboardInterrupt

    narrator, after = Narrator([Notes(interrupted)]), Notes()
    with pytest.raises(KeyboardInterrupt):
        narrator.say("one")
    narrator._listeners = [after]
    narrator.say("two")
    assert after.told == [Said("two")]


def test_nobody_waits_for_listeners_that_set_no_pace() -> None:
    assert not Narrator().when_drained(lambda: None)
    assert Narrator(when_drained=lambda callback: True).when_drained(lambda: None)
