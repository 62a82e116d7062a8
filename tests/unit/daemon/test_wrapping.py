from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.daemon.wrapping import NARROWEST, columns, wrapped

TAG = "|  8f14e45f  "
HANG = " " * len(TAG)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("hello", 5),
        ("\x1b[31mhello\x1b[0m", 5),
        ("日本", 4),
        ("\uff46", 2),
        ("e\u0301", 1),
        ("\u200d", 0),
        ("…", 1),
        ("", 0),
    ],
)
def test_a_text_takes_the_columns_that_a_terminal_gives_it(text: str, width: int) -> None:
    assert columns(text) == width


def test_a_line_is_wrapped_between_words_below_its_beginning() -> None:
    assert wrapped(f"{TAG}one two three four five six", 35, len(TAG)).split("\n") == [
        f"{TAG}one two three four",
        f"{HANG}five six",
    ]


def test_a_line_that_just_fits_is_left_alone_and_so_are_its_neighbours() -> None:
    line = TAG + "x" * 10 + " " + "y" * 11
    assert wrapped(f"{line}\n{line}z\n", 35, len(TAG)).split("\n") == [
        line,
        TAG + "x" * 10,
        HANG + "y" * 11 + "z",
        "",
    ]


def test_a_word_that_is_wider_than_a_line_is_left_to_the_terminal() -> None:
    url = "https://example.com/" + "a" * 40
    assert wrapped(f"{TAG}see {url} for more", 60, len(TAG)) == f"{TAG}see {url} for more"


def test_after_such_a_word_the_rest_is_where_the_terminal_has_put_it() -> None:
    url = "https://example.com/" + "a" * 40  # ends in column 37 of the second row
    told = wrapped(f"{TAG}see {url} for more", 40, len(TAG) + 1)
    assert told == f"{TAG}see {url}\n{HANG} for more"


def test_words_that_are_copied_are_whole() -> None:
    text = " ".join(f"/path/{number}/of/{'x' * (number % 13)}" for number in range(40))
    assert wrapped(TAG + text, 60, len(TAG)).split()[2:] == text.split()


def test_the_blanks_of_a_table_stay_but_where_it_is_broken() -> None:
    assert wrapped(f"{TAG}a    b      cccccccccccc", 34, len(TAG)).split("\n") == [
        f"{TAG}a    b",
        f"{HANG}cccccccccccc",
    ]


def test_a_tab_goes_on_to_the_next_stop() -> None:
    assert wrapped("12345678\tx", 30, 3) == "12345678\tx"
    assert wrapped("1\t" * 3 + "1234567", 30, 3).split("\n") == ["1\t1\t1", "   1234567"]


def test_wide_characters_count_twice() -> None:
    assert wrapped(f"{'日' * 10} {'本' * 5}", 30, 2).split("\n") == ["日" * 10, "  " + "本" * 5]
    assert wrapped(f"{'日' * 10} {'本' * 4}", 30, 2) == f"{'日' * 10} {'本' * 4}"


def test_a_colour_goes_on_after_the_break_and_not_into_the_indentation() -> None:
    text = "\x1b[1m\x1b[41mone two three\x1b[0m four five six seven"
    assert wrapped(text, 24, 4).split("\n") == [
        "\x1b[1m\x1b[41mone two three\x1b[0m four five",
        "    six seven",
    ]
    assert wrapped("\x1b[1m\x1b[41mone two three four five six\x1b[0m", 24, 4).split("\n") == [
        "\x1b[1m\x1b[41mone two three four five\x1b[0m",
        "    \x1b[1m\x1b[41msix\x1b[0m",
    ]


def test_in_a_narrow_terminal_nothing_is_wrapped() -> None:
    text = "one two three four five six"
    assert wrapped(text, 4 + NARROWEST - 1, 4) == text
    assert wrapped(text, 4 + NARROWEST, 4) != text


def test_the_indentation_of_a_line_is_kept() -> None:
    assert wrapped(f"{TAG}    return x", 40, len(TAG)) == f"{TAG}    return x"


def test_of_very_many_colours_the_last_ones_go_on() -> None:
    text = "".join(f"\x1b[38;5;{number % 256}mx " for number in range(2000))
    assert len(wrapped(text, 80, 20)) < 2 * len(text)


@given(st.text("ab \n", max_size=120), st.integers(NARROWEST, 40), st.integers(0, 12))
def test_a_line_with_a_colour_is_broken_where_it_is_without(
    text: str, beside: int, hang: int
) -> None:
    text = "\n".join(f"{line}c" for line in text.split("\n"))
    coloured = wrapped(text.replace("c", "c\x1b[m"), beside + hang, hang)
    assert wrapped(text, beside + hang, hang) == coloured.replace("\x1b[m", "")
