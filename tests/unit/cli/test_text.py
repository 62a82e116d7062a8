from __future__ import annotations

from dataclasses import replace

import pytest

from devbridge.cli.text import ago, ahead, coloured, table, when
from devbridge.runs.base import RunRecord
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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (0.4, "now"),
        (5, "in 5 s"),
        (7198, "in 2 h"),
        (5400, "in 1 h"),
        (86390, "in 1 d"),
    ],
)
def test_times_to_come_are_told_in_their_largest_unit_which_may_have_just_begun(
    seconds: float, text: str
) -> None:
    assert ahead(seconds) == text


def test_a_run_is_told_by_when_it_was_asked_for_or_is_to_start() -> None:
    at = 1_700_000_000.0
    run = RunRecord(job_id="id", job="j", state=State.QUEUED, created_at=at)
    assert when(run, at + 60) == "1 min ago"
    assert when(replace(run, created_at=None), at) == "-"
    assert when(replace(run, starts_at=at), at - 60) == "in 1 min (2023-11-14T22:13:20.000Z)"


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
