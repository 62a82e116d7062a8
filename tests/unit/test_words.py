from __future__ import annotations

import pytest

from devbridge.words import few, many


def test_a_line_has_a_few_names() -> None:
    names = [str(number) for number in range(100)]
    assert few([]) == ""
    assert few(names[:3]) == "0, 1, 2"
    assert few(names[:7]) == "0, 1, 2, 3, 4, 5, 6", "one more is as long as its name"
    assert few(names[:8]) == "0, 1, 2, 3, 4, 5 and 2 more"
    assert few(names) == "0, 1, 2, 3, 4, 5 and 94 more"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1204, "1,204 runs")]
)
def test_a_number_goes_with_its_noun(count: int, text: str) -> None:
    assert many(count, "run") == text


def test_a_plural_may_have_a_verb() -> None:
    assert many(1, "run was", "runs were") == "1 run was"
    assert many(2, "run was", "runs were") == "2 runs were"
