from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from runner import versions
from runner.versions import Versions, are_counted, namespace_of

counted = pytest.mark.skipif(not are_counted(), reason="this Python does not count changes")


class Own:
    attribute = 1

    def method(self) -> None: ...


def test_python_counts_up_to_3_13() -> None:
    assert are_counted() is (sys.version_info < (3, 14))


@counted
@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(a=2),
        lambda one: one.update(b=1),
        lambda one: one.pop("a"),
        lambda one: one.clear(),
    ],
)
def test_any_change_of_any_of_them_is_seen(change: Callable[[Any], object]) -> None:
    one, other = {"a": 1}, {"a": 1}
    kept = Versions([other, one])
    assert kept.are_same()
    assert (one.get("a"), one.get("x"), list(one.items())) == (1, None, [("a", 1)])
    assert kept.are_same()
    change(one)
    assert not kept.are_same()


@counted
def test_what_is_set_in_a_class_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Versions([namespace_of(Own)])
    Own().method()
    assert kept.are_same()
    monkeypatch.setattr(Own, "attribute", 2)
    assert not kept.are_same()


def test_where_nobody_counts_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "are_counted", lambda: False)
    assert not Versions([{}]).are_same()
    assert not Versions([]).are_same()
