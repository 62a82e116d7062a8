from __future__ import annotations

from devbridge.live.voice import Voice
from tests.unit.live.voices import Developer


def test_what_is_said_goes_where_the_voice_is_led_to() -> None:
    developer, terminal = Developer(), list[str]()
    developer.voice("before")
    developer.voice.say = terminal.append
    developer.voice("meanwhile")
    developer.voice.say = developer.said.append
    developer.voice("afterwards")
    assert (developer.said, terminal) == (["before", "afterwards"], ["meanwhile"])


def test_what_is_said_once_is_said_again_only_when_it_is_another() -> None:
    developer = Developer()
    for text in ("a", "b", "a"):
        developer.voice.once(text)
    assert developer.said == ["a", "b"]


def test_colours_are_for_those_who_have_them() -> None:
    plain, coloured = (
        Voice(print, warn=print, confirm=lambda *_: None, colour=colour) for colour in (False, True)
    )
    assert plain.style.bad("Error") == "Error"
    assert coloured.style.bad("Error") == "\x1b[31mError\x1b[0m"
