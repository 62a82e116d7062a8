from __future__ import annotations

import itertools

import pytest

from devbridge.runs.base import Wanted
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State
from runner.outcome import Failure
from runner.triggered import Triggered

FAILURE = Failure("KeyError", 'no "ü" in a_b% c\\d')
RUNS = {
    "one": (b'{"num": 5}', State.SUCCEEDED, None),
    "two": ('{"name": "Ü_%"}'.encode(), State.FAILED, FAILURE),
    "three": (Triggered("queue", "orders", b"1", b"{}").text(), State.RUNNING, None),
    "four": (Triggered("queue", "orders", b"2", b"{}", delivery=3).text(), State.QUEUED, None),
    "five": (Triggered("queue", "orders-2", b"3", b"{}").text(), State.QUEUED, None),
    "six": (b'{"kind":"queue","name":"orders"}', State.CANCELLED, None),
}


@pytest.fixture
def book(ledger: Ledger) -> Ledger:
    for number, (name, (payload, state, failure)) in enumerate(RUNS.items()):
        at = 1000.0 + 10 * number
        new = NewRun(
            job_id=name, job="ab"[number % 2], payload=payload, created_at=at, log_path="l"
        )
        with ledger.transaction():
            ledger.add(new)
            if state is not State.QUEUED:
                ledger.record(Change(job_id=name, state=state, at=at + 1, failure=failure))
    return ledger


def found(book: Ledger, **wanted: object) -> set[str]:
    asked = Wanted(**wanted)  # type: ignore[arg-type]
    names = [record.job_id for record in book.search(asked, limit=50)]
    assert book.count(asked) == len(names)
    pages = []
    after = None
    for _ in range(len(names) + 1):
        page = book.search(asked, limit=1, after=after)
        pages += [record.job_id for record in page]
        after = page[-1].job_id if page else after
    assert pages == names, "page by page they are the same"
    newest = [name for name in reversed(RUNS) if name in names]
    assert names == newest
    return set(names)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, "one two three four five six"),
        ({"job": "a"}, "one three five"),
        ({"job": "none"}, ""),
        ({"states": (State.QUEUED,)}, "four five"),
        ({"states": (State.RUNNING, State.FAILED)}, "two three"),
        ({"since": 1020.0, "until": 1040.0}, "three four"),
        ({"trigger": "queue orders"}, "three four"),
        ({"trigger": "queue orders-2"}, "five"),
        ({"trigger": "topic orders"}, ""),
        ({"text": "NUM"}, "one"),
        ({"text": "_%"}, "two"),
        ({"text": "a_b%"}, "two"),
        ({"text": "axb"}, ""),
        ({"text": "c\\d"}, "two"),
        ({"text": 'no "ü"'}, "two"),
        ({"text": "thre"}, "three"),
        ({"text": "'; DROP TABLE runs; --"}, ""),
        ({"text": "orders", "states": (State.QUEUED,), "job": "b"}, "four"),
    ],
    ids=str,
)
def test_what_is_wanted_is_found(book: Ledger, wanted: dict[str, object], names: str) -> None:
    assert found(book, **wanted) == set(names.split())


def test_a_run_that_waits_for_its_next_attempt_runs(book: Ledger) -> None:
    with book.transaction():
        book.record(Change(job_id="three", state=State.QUEUED, at=1100.0, attempt=2))
    assert found(book, states=(State.RUNNING,)) == {"three"}
    assert found(book, states=(State.QUEUED,)) == {"four", "five"}


def test_behind_a_run_that_is_forgotten_there_is_nothing(book: Ledger) -> None:
    assert book.search(Wanted(), limit=5, after="pruned") == []


def test_runs_of_the_same_moment_come_once(ledger: Ledger) -> None:
    with ledger.transaction():
        for name in ("a", "b", "c"):
            ledger.add(NewRun(job_id=name, job="j", payload=b"1", created_at=1.0, log_path="l"))
    seen = []
    after = None
    for _ in itertools.repeat(None, 3):
        (record,) = ledger.search(Wanted(), limit=1, after=after)
        seen.append(record.job_id)
        after = record.job_id
    assert seen == ["c", "b", "a"]
