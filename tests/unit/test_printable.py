from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge import printable
from devbridge.printable import Cleaner, Printer

OBEYED = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
HARD = st.lists(
    st.sampled_from(
        [
            "\x1b",
            "[",
            "31",
            ";",
            "m",
            "]52;c;",
            "\x07",
            "\n",
            "a",
            "\x9b",
            "\u202e",
            "0",
            "\x1b[0m",
            "é",
        ]
    ),
    max_size=25,
).map("".join)
"""What sequences are made of, in any order."""


def obeyed(text: str) -> list[str]:
    """What a terminal would do more than show, colours apart."""
    return OBEYED.findall(text) + re.findall("\x1b(?!\\[[0-9;:]*m)", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é \U0001f600\ttab", "plain é \U0001f600\ttab"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\x1b[31mred\x1b[0m.", "\x1b[31mred\x1b[0m."),
        ("\x1b[1m\x1b[m", "\x1b[1m\x1b[m"),
        ("\x1b[31ma\nb", "\x1b[31ma\x1b[0m\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b[?1m", "\\x1b[?1m"),
        ("\x1b[1 m", "\\x1b[1 m"),
        ("\x1b]8;;http://x\x1b\\y", "\\x1b]8;;http://x\\x1b\\y"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\x0db"),
        ("\u2028|  x\u202e", "\\u2028|  x\\u202e"),
    ],
)
def test_only_colours_pass(text: str, expected: str) -> None:
    assert printable.shown(text) == expected


@given(HARD | st.text())
def test_nothing_that_a_terminal_obeys_is_left_of_any_text(text: str) -> None:
    for shown in (printable.shown(text), printable.continued(text), *printable.lines(text)):
        assert not obeyed(shown)
    assert "\n" not in printable.one_line(text)


@given(HARD)
def test_what_was_shown_is_shown_unchanged(text: str) -> None:
    assert printable.shown(printable.shown(text)) == printable.shown(text)


@given(HARD)
def test_no_line_leaves_a_colour_open(text: str) -> None:
    for line in printable.shown(text).split("\n"):
        colours = re.findall("\x1b\\[[0-9;:]*m", line)
        assert not colours or colours[-1] in ("\x1b[0m", "\x1b[m")


@given(st.text() | HARD)
def test_text_is_plain_that_is_shown_as_it_is_and_has_no_colours(text: str) -> None:
    as_it_is = printable.shown(text) == text and "\x1b" not in text
    assert printable.plain(text.encode()) is as_it_is


@given(st.binary(max_size=6))
def test_bytes_that_are_plain_are_utf_8(data: bytes) -> None:
    if printable.plain(data):
        assert data.decode().encode() == data


@given(st.lists(HARD.map(str.encode) | st.binary(max_size=8), max_size=6))
def test_a_stream_is_cleaned_alike_however_it_is_cut(pieces: list[bytes]) -> None:
    def cleaned(pieces: list[bytes]) -> str:
        written: list[bytes] = []
        cleaner = Cleaner(written.append)
        for piece in pieces:
            cleaner(piece)
        cleaner.end()
        return b"".join(written).decode()

    whole = b"".join(pieces)
    shown = cleaned(pieces)
    assert not obeyed(shown.replace("\r", ""))
    assert shown == cleaned([whole[n : n + 1] for n in range(len(whole))])


def test_lines_of_what_is_quoted_look_like_nobody_elses() -> None:
    assert printable.continued("ValueError: a\n|  deadbeef  Done\n  where: b") == (
        "ValueError: a\n  |  deadbeef  Done\n  where: b"
    )


@given(st.text())
def test_json_stays_json_and_is_fit_for_a_terminal(text: str) -> None:
    shown = printable.in_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert not obeyed(shown)


@pytest.mark.parametrize(("colour", "expected"), [(True, "\x1b[31m"), (False, "")])
def test_a_printer_keeps_colours_only_where_they_are_wanted(colour: bool, expected: str) -> None:
    stream = io.StringIO()
    print("\x1b[31mred\x1b[2J", file=Printer(stream, colour=colour, redact=str))
    assert stream.getvalue().startswith(f"{expected}red\\x1b[2J")
    assert ("\x1b" in stream.getvalue()) is colour
