from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge import printable
from devbridge.daemon.output import LONGEST_LINE, Lines

PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"\n",
                b"\r",
                b"\t",
                b" ",
                b"plain",
                b"long" * 20,
                b"\x00",
                b"\x08",
                b"\x7f",
                b"\xff",
            ),
            *(b"\x1b", b"\x1b[", b"\x1b[3", b"1", b";", b"m", b"\x1b[31m", b"\x1b[0m", b"\x1b]0;"),
            *(b"\xc3", b"\xa9", b"\xe2\x80", b"\xa8", b"\xe2", b"\xc2", b"\x85", b"\xf0\x9f"),
            *(each.encode() for each in ("é", "€", "\U0001f600", "\x9b", "\u202e", "\ud7ff")),
        ]
    ),
    max_size=8,
).map(b"".join)
"""What is hard to show, whole and cut in two."""


def model(everything: bytes) -> bytes:
    """What is shown of it, line by line, if nothing is shown before its line has ended."""
    text = everything.decode("utf-8", "backslashreplace")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    if not text or text.endswith("\n"):
        lines.pop()
    return "".join(f"| {printable.shown(line)}\n" for line in lines).encode()


def test_each_line_gets_the_tag() -> None:
    assert Lines().feed(b"one\n\ntwo\n", b"| ") == b"| one\n| \n| two\n"


def test_only_newlines_end_lines() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\n"
    assert Lines().feed(text.encode(), b"| ") == b"| a\\u2028b\\x85c\\x0bd\\x0ce\n"


def test_colours_pass_and_end_with_their_line() -> None:
    red = b"\x1b[41m red\nnext \x1b[1;38:5:4mone\x1b[0m\n"
    assert Lines().feed(red, b"| ") == b"| \x1b[41m red\x1b[0m\n| next \x1b[1;38:5:4mone\x1b[0m\n"


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]52;c;QUFB\x07",  # clipboard
        "\x1b]0;title\x1b\\",
        "\x1b[2J\x1b[1A\x1b[2K",
        "\x1b[?1049h\x1b[?25l",
        "\x1b[>4;2m",  # ends with m, and is no colour
        "\x1bPq#0\x1b\\",
        "\x1bc\x0e\x08\x7f\x00",
        "\x9b2J\x9d52;c;QUFB\x9c",
        "\u202eodd\u2066\u2028|  deadbeef  Done",
    ],
)
def test_what_a_terminal_obeys_is_shown_as_text_however_it_comes(sequence: str) -> None:
    data = f"a{sequence}b\n".encode()
    pieces = Lines()
    expected = f"| {printable.shown(f'a{sequence}b')}\n"
    assert expected.isascii()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", expected)
    assert Lines().feed(data, b"| ").decode() == expected
    one_by_one = [pieces.feed(data[n : n + 1], b"| ") for n in range(len(data))]
    assert b"".join(one_by_one).decode() == expected


def test_no_sequence_is_put_together_from_what_was_shown_before() -> None:
    lines = Lines()
    lines.feed(b"a\x1b[3", b"| ")
    assert lines.flush(b"| ") == b"| a\n"
    assert lines.feed(b"1mred\n", b"| ") == b"| \x1b[31mred\x1b[0m\n"
    lines.feed(b"b\x1b]0;t", b"| ")
    assert lines.flush(b"| ") == b"| b\\x1b]0;t\n"
    assert lines.feed(b"\x07\n", b"| ") == b"| \\x07\n"
    lines.feed(b"c\x1b[", b"| ")
    assert lines.end(b"| ") == b"| c\\x1b[\n"


def test_a_line_is_whole_though_it_came_in_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"on", b"| ") == b""
    assert lines.pending
    assert lines.feed(b"e\ntw", b"| ") == b"| one\n"
    assert lines.feed(b"o\n", b"| ") == b"| two\n"
    assert not lines.pending


def test_bytes_that_are_not_utf_8_are_shown_as_what_they_are() -> None:
    assert Lines().feed(b"caf\xe9 \xff\xfe\n", b"") == b"caf\\xe9 \\xff\\xfe\n"


def test_a_character_that_is_cut_in_two_is_whole_again() -> None:
    lines = Lines()
    whole = "\U0001f600 \u65e5\u672c\n".encode()
    assert b"".join(lines.feed(bytes([byte]), b"") for byte in whole) == whole


def test_output_that_ends_within_a_character_is_shown_to_the_end() -> None:
    lines = Lines()
    lines.feed(b"caf\xc3", b"| ")
    assert lines.end(b"| ") == b"| caf\\xc3\n"
    assert lines.end(b"| ") == b""


def test_the_last_state_of_a_progress_bar_is_shown() -> None:
    assert Lines().feed(b"10%\r50%\r100%\n", b"| ") == b"| 100%\n"


def test_lines_with_carriage_returns_at_their_ends_are_lines() -> None:
    assert Lines().feed(b"one\r\ntwo\r\n", b"| ") == b"| one\n| two\n"


def test_a_line_that_is_too_long_is_shown_in_pieces() -> None:
    lines = Lines()
    shown = lines.feed(b"x" * (LONGEST_LINE + 1), b"| ")
    assert shown == b"| " + b"x" * (LONGEST_LINE + 1) + b"\n"
    assert not lines.pending


@given(st.lists(PIECES | st.binary(max_size=20)))
def test_nothing_is_lost_and_every_line_is_tagged_however_it_is_cut(pieces: list[bytes]) -> None:
    lines = Lines()
    shown = b"".join(lines.feed(piece, b"| ") for piece in pieces) + lines.end(b"| ")
    assert shown == model(b"".join(pieces))


@given(st.lists(PIECES))
def test_what_is_shown_before_its_line_ends_is_fit_for_a_terminal(pieces: list[bytes]) -> None:
    lines = Lines()
    shown = [lines.feed(piece, b"| ") + lines.flush(b"| ") for piece in pieces]
    shown.append(lines.end(b"| "))
    for each in b"".join(shown).decode().splitlines(keepends=True):
        assert each.startswith("| ")
        assert each.endswith("\n")
        assert printable.shown(each) == each


@given(st.lists(st.text("aé€\U0001f600", max_size=9)), st.integers(3, 12))
def test_lines_that_are_too_long_are_cut_between_characters(texts: list[str], longest: int) -> None:
    everything = "".join(texts).encode()
    lines = Lines(longest)
    pieces = [everything[n : n + 5] for n in range(0, len(everything), 5)]
    shown = b"".join(lines.feed(piece, b"| ") for piece in pieces) + lines.end(b"| ")
    assert shown.decode().replace("| ", "").replace("\n", "") == everything.decode()
    assert all(len(line) <= longest + 5 + len(b"| ") for line in shown.splitlines())
