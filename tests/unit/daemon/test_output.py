from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge import printable
from devbridge.daemon.output import LONGEST_LINE, Lines


def test_each_line_gets_the_tag() -> None:
    assert Lines().feed(b"one\n\ntwo\n", "| ") == "| one\n| \n| two\n"


def test_only_newlines_end_lines() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\n"
    assert Lines().feed(text.encode(), "| ") == "| a\\u2028b\\x85c\\x0bd\\x0ce\n"


def test_colours_pass_and_end_with_their_line() -> None:
    red = b"\x1b[41m red\nnext \x1b[1;38:5:4mone\x1b[0m\n"
    assert Lines().feed(red, "| ") == "| \x1b[41m red\x1b[0m\n| next \x1b[1;38:5:4mone\x1b[0m\n"


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
    expected = "| " + printable.shown(f"a{sequence}b") + "\n"
    assert expected.isascii()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", expected)
    assert Lines().feed(data, "| ") == expected
    assert "".join(pieces.feed(data[n : n + 1], "| ") for n in range(len(data))) == expected


def test_no_sequence_is_put_together_from_what_was_shown_before() -> None:
    lines = Lines()
    lines.feed(b"a\x1b[3", "| ")
    assert lines.flush("| ") == "| a\n"
    assert lines.feed(b"1mred\n", "| ") == "| \x1b[31mred\x1b[0m\n"
    lines.feed(b"b\x1b]0;t", "| ")
    assert lines.flush("| ") == "| b\\x1b]0;t\n"
    assert lines.feed(b"\x07\n", "| ") == "| \\x07\n"
    lines.feed(b"c\x1b[", "| ")
    assert lines.end("| ") == "| c\\x1b[\n"


def test_a_line_is_whole_though_it_came_in_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"on", "| ") == ""
    assert lines.pending
    assert lines.feed(b"e\ntw", "| ") == "| one\n"
    assert lines.feed(b"o\n", "| ") == "| two\n"
    assert not lines.pending


def test_bytes_that_are_not_utf_8_are_shown_as_what_they_are() -> None:
    assert Lines().feed(b"caf\xe9 \xff\xfe\n", "") == "caf\\xe9 \\xff\\xfe\n"


def test_a_character_that_is_cut_in_two_is_whole_again() -> None:
    lines = Lines()
    whole = "\U0001f600 \u65e5\u672c\n".encode()
    assert "".join(lines.feed(bytes([byte]), "") for byte in whole) == whole.decode()


def test_output_that_ends_within_a_character_is_shown_to_the_end() -> None:
    lines = Lines()
    lines.feed(b"caf\xc3", "| ")
    assert lines.end("| ") == "| caf\\xc3\n"
    assert lines.end("| ") == ""


def test_the_last_state_of_a_progress_bar_is_shown() -> None:
    assert Lines().feed(b"10%\r50%\r100%\n", "| ") == "| 100%\n"


def test_lines_with_carriage_returns_at_their_ends_are_lines() -> None:
    assert Lines().feed(b"one\r\ntwo\r\n", "| ") == "| one\n| two\n"


def test_a_line_that_is_too_long_is_shown_in_pieces() -> None:
    lines = Lines()
    shown = lines.feed(b"x" * (LONGEST_LINE + 1), "| ")
    assert shown == "| " + "x" * (LONGEST_LINE + 1) + "\n"
    assert not lines.pending


@given(st.lists(st.binary(max_size=20)))
def test_nothing_is_lost_and_every_line_is_tagged_however_it_is_cut(pieces: list[bytes]) -> None:
    lines = Lines()
    shown = "".join(lines.feed(piece, "| ") for piece in pieces) + lines.end("| ")
    everything = b"".join(pieces).decode("utf-8", "backslashreplace")
    expected = [line.rstrip("\r").rpartition("\r")[2] for line in everything.split("\n")]
    if not everything or everything.endswith("\n"):
        expected.pop()
    assert shown == "".join(f"| {printable.shown(line)}\n" for line in expected)
