from __future__ import annotations

import random

import pytest

from devbridge.console import line_index
from devbridge.console.line_index import BLOCK, LONGEST, LineIndex, Read


def reader(text: bytes, reads: list[int] | None = None) -> Read:
    def read(place: int, count: int) -> bytes:
        if reads is not None:
            reads.append(count)
        return text[place : place + count]

    return read


def made(text: bytes) -> LineIndex:
    index = LineIndex()
    index.grow(reader(text), len(text))
    return index


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"a", b"a\n", b"a\nb", b"\n\na\n\n", b"x" * BLOCK + b"\n" + b"y" * BLOCK]
)
def test_lines_are_those_that_the_text_has(text: bytes) -> None:
    index, expected = made(text), text.decode().splitlines()
    assert index.total == len(expected)
    shown = [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in expected]
    assert index.lines(0, 100, reader(text)) == shown
    for number, line in enumerate(shown):
        assert index.lines(number, 1, reader(text)) == [line]
    assert index.lines(len(expected), 5, reader(text)) == []


def test_any_part_of_any_text_is_found_however_it_has_grown() -> None:
    chance = random.Random(5)  # noqa: S311
    for _ in range(20):
        lines = [b"x" * chance.choice((0, 1, 50, 5000)) for _ in range(chance.randint(1, 400))]
        text = b"\n".join(lines) + chance.choice((b"", b"\n"))
        index = LineIndex()
        size = 0
        while size < len(text):
            size = min(len(text), size + chance.randint(1, 2 * BLOCK))
            index.grow(reader(text), size)
        expected = text.decode().removesuffix("\n").split("\n") if text else []
        assert index.total == len(expected)
        for _ in range(10):
            start, count = chance.randint(0, len(expected)), chance.randint(0, 50)
            assert index.lines(start, count, reader(text)) == expected[start : start + count]
            if start < len(expected):
                assert index.line_at(index.offset(start, reader(text)), reader(text)) == start


def test_a_million_lines_are_read_where_they_are_looked_at() -> None:
    text = b"".join(b"line %d of a million\n" % number for number in range(1_000_000))
    index = made(text)
    reads: list[int] = []
    read = reader(text, reads)
    assert index.total == 1_000_000
    assert index.lines(500_000, 2, read) == [
        "line 500000 of a million",
        "line 500001 of a million",
    ]
    assert sum(reads) <= 3 * BLOCK
    assert index.find("LINE 999999 ", 0, read) == 999_999
    assert index.find("line 3 ", 999_999, read, back=True) == 3


def test_an_answer_has_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_index, "MOST", 10)
    text = b"aaa\nbbb\nccc\n" + b"d" * 50 + b"\ne\n"
    index = made(text)
    assert index.lines(0, 5, reader(text)) == ["aaa", "bbb"]
    assert index.lines(2, 5, reader(text)) == ["ccc"]
    assert index.lines(3, 5, reader(text)) == ["d" * 10]
    assert index.lines(4, 5, reader(text)) == ["e"]


@pytest.mark.parametrize("piece", [1, 3, 7, 1 << 20])
def test_a_text_is_found_across_the_pieces_that_are_read(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(line_index, "_PIECE", piece)
    text = b"zero\nOne needle\ntwo\nneedle needle\nfour"
    index, read = made(text), reader(text)
    assert index.find("NEEDLE", 0, read) == 1
    assert index.find("needle", 1, read) == 1
    assert index.find("needle", 2, read) == 3
    assert index.find("needle", 4, read) is None
    assert index.find("needle", 99, read) is None
    assert index.find("needle", 4, read, back=True) == 3
    assert index.find("needle", 3, read, back=True) == 3
    assert index.find("needle", 2, read, back=True) == 1
    assert index.find("needle", 0, read, back=True) is None
    assert index.find("needle", 99, read, back=True) == 3
    assert index.find("four", 0, read) == 4
    assert index.find("", 0, read) is None
    assert index.find("One needle\ntwo", 0, read) is None


def test_what_is_no_utf8_is_shown_as_far_as_it_is() -> None:
    text = b"\xff\x00a\x1b[31mred\r\n"
    assert made(text).lines(0, 1, reader(text)) == ["�\0a\x1b[31mred\r"]
