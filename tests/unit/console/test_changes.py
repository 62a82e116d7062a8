from __future__ import annotations

import pytest

from devbridge.console import changes
from devbridge.console.changes import Changes


def test_each_thing_is_told_once_in_the_order_of_its_last_change() -> None:
    seen = Changes("i")
    for thing in ("a", "b", "a", "c"):
        seen.add(thing)
    assert seen.since(0) == ["b", "a", "c"]
    assert seen.since(3) == ["c"]
    assert seen.since(seen.number) == []


def test_who_has_missed_too_much_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 2)
    seen = Changes("i")
    for thing in ("a", "b", "c"):
        seen.add(thing)
    assert seen.since(0) is None
    assert seen.since(1) == ["b", "c"]


def test_a_page_goes_on_where_it_was_unless_that_was_another_console() -> None:
    seen = Changes("i-1")
    seen.add("a")
    assert seen.known(seen.event_id(1)) == 1
    for other in ("i-2-1", "i-1-2", "i-1-", "i-1-x", "", "1", "i-1--1", "i-1-²"):
        assert seen.known(other) is None
