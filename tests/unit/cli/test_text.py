from __future__ import annotations

import pytest

from devbridge.cli.text import ago, coloured, table
from devbridge.runs.model import State


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (0.4, "now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (150, "2 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (86400 * 3, "3 d ago"),
    ],
)
def test_times_past_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_a_table_aligns_its_columns_and_leaves_no_blanks_at_the_end() -> None:
    text = table(("ID", "STATE", "ERROR"), [("abc", "RUNNING", ""), ("d", "FAILED", "ValueError")])
    assert text.splitlines() == [
        "ID   STATE    ERROR",
        "abc  RUNNING",
        "d    FAILED   ValueError",
    ]


def test_colours_do_not_count_as_width() -> None:
    first, second = table(("A", "B"), [(coloured(State.FAILED), "x")]).splitlines()
    assert first.index("B") == len("FAILED") + 2
    assert second.endswith("  x")
