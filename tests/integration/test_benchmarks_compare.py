"""`python -m benchmarks --compare`: what its table says."""

from __future__ import annotations

import pytest

from benchmarks import compare
from benchmarks.compare import Pair
from benchmarks.harness import Failed


def test_the_medians_of_the_rounds_are_compared_and_their_range_is_shown() -> None:
    pairs = {"a": Pair("ms", [10.0, 30.0, 20.0], [5.0, 10.0, 40.0]), "b": Pair("1/s", [2.0], [3.0])}
    lines = [" ".join(line.split()) for line in compare.table(pairs, "main").splitlines()]
    assert lines == [
        "measure unit main now ratio",
        "a ms 20 (10-30) 10 (5-40) 0.5",
        "b 1/s 2 3 1.5",
    ]


def test_what_only_one_of_both_measures_is_left_out() -> None:
    pairs = {"new": Pair("ms", [], [1.0]), "none before": Pair("ms", [0.0], [1.0])}
    lines = compare.table(pairs, "main").splitlines()
    assert [" ".join(line.split()) for line in lines[1:]] == ["none before ms 0 1 -"]


def test_a_commit_that_there_is_not_is_said() -> None:
    with pytest.raises(Failed, match="no-such-commit"):
        compare.compare(["burst"], "no-such-commit", quick=True)
