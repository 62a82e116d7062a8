from __future__ import annotations

import io
from collections.abc import Callable

import click
import pytest

from devbridge import palette
from devbridge.palette import ALWAYS, RUNS, Style, Turns, coloured

LOOKS = {
    Style.bold: "1",
    Style.dim: "2",
    Style.bad: "31",
    Style.good: "32",
    Style.warn: "33",
    Style.replaced: "35",
    Style.active: "36",
    Style.error: "31;1",
    Style.warning: "33;1",
}


@pytest.mark.parametrize(("look", "codes"), LOOKS.items(), ids=lambda each: str(each)[:20])
def test_a_look_is_added_where_it_is_wanted_and_ends_with_its_text(
    look: Callable[[Style, str], str], codes: str
) -> None:
    assert look(Style(True), "text") == f"\x1b[{codes}mtext\x1b[0m"
    assert look(Style(False), "text") == "text"


def test_text_without_a_code_stays_as_it_is() -> None:
    assert Style(True)("text") == "text"


def test_the_command_line_can_take_every_look_away_again() -> None:
    assert {click.unstyle(look(ALWAYS, "text")) for look in LOOKS} == {"text"}


def test_no_run_has_the_colour_of_an_error() -> None:
    assert len(set(RUNS)) == len(RUNS)
    assert not {31, 91, 37, 30} & set(palette.RUNS)


def test_runs_that_follow_each_other_have_other_colours_and_keep_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = Turns()
    names = [str(number) for number in range(len(RUNS))]
    assert [turns(name) for name in names] == list(RUNS)
    assert turns("another") == RUNS[0]
    assert [turns(name) for name in names] == list(RUNS)
    monkeypatch.setattr(palette, "REMEMBERED", len(RUNS) + 1)
    turns("one more")
    assert "0" not in turns._given, "the oldest is forgotten"
    assert len(turns._given) == len(RUNS) + 1


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": None}, False),
    ],
    ids=str,
)
def test_colours_are_for_terminals_that_know_them_where_nobody_refuses_them(
    variables: dict[str, str | None], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TERM": "xterm", "NO_COLOR": None, **variables}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert coloured(Screen()) is expected
    assert not coloured(io.StringIO())
