from __future__ import annotations

import pytest

from devbridge import redaction
from devbridge.cli.tools.log import MOST, WIDTH, Part, part

TEN = [b"".join(b"line %d\n" % number for number in range(1, 11))]


def numbers(found: Part) -> list[int]:
    return [number for number, _ in found.lines]


def test_the_last_lines_have_their_numbers() -> None:
    found = part(TEN, 2)
    assert found.lines == ((9, "line 9"), (10, "line 10"))
    assert found.text() == "lines 9-10 of 10 lines\n9: line 9\n10: line 10"


def test_what_follows_a_line_is_shown_from_there() -> None:
    assert numbers(part(TEN, 3, start=4)) == [4, 5, 6]
    assert part(TEN, 3, start=11).text() == "none of 10 lines"


def test_a_text_is_found_whatever_its_case_and_the_last_ones_are_shown() -> None:
    found = part(TEN, 1, find="LINE 1")
    assert (found.lines, found.found) == (((10, "line 10"),), 2)
    assert found.text().startswith("2 of 10 lines have it, the last 1 of them\n")
    assert part(TEN, 5, find="line 1", start=2).lines == ((10, "line 10"),)
    assert part(TEN, 5, find="nothing").text() == "0 of 10 lines have it"


def test_lines_and_characters_may_come_in_pieces() -> None:
    whole = "é one\ntwo €\nthree".encode()
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    assert part(pieces, 9).lines == ((1, "é one"), (2, "two €"), (3, "three"))


def test_no_log_has_no_lines() -> None:
    assert part([], 5) == Part((), 0)
    assert part([b"\n"], 5).lines == ((1, ""),)


def test_a_progress_bar_is_its_last_state() -> None:
    bar = [b"10%\r", b"20", b"%\r99%\r\nend\r\n"]
    assert part(bar, 5).lines == ((1, "99%"), (2, "end"))


def test_what_a_terminal_obeys_is_shown_as_text_without_colours() -> None:
    assert part([b"\x1b[31mred\x1b[0m \x1b]0;title\x07\xff\n"], 5).lines == (
        (1, "red \\x1b]0;title\\x07\\xff"),
    )


def test_long_lines_are_cut_and_no_more_is_shown_than_can_be_read() -> None:
    long = b"x" * 100_000 + b"\n"
    found = part([long] * 50, 50)
    assert found.lines[-1] == (50, "x" * WIDTH + "…")
    assert 1 <= len(found.lines) <= MOST // WIDTH
    assert numbers(part([long] * 50, 50, start=1))[0] == 1


def test_a_line_that_does_not_end_takes_no_memory() -> None:
    found = part((b"y" * (1 << 16) for _ in range(200)), 5)
    assert found.lines == ((1, "y" * WIDTH + "…"),)


def test_credentials_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_values", type(redaction._values)())
    monkeypatch.setattr(redaction, "_known", None)
    redaction.secret("hunter2-hunter2")
    assert part([b"token hunter2-hunter2\n"], 5).lines == ((1, "token [redacted]"),)
