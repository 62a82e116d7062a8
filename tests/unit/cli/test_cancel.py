from __future__ import annotations

import json

import pytest

from devbridge import errors
from devbridge.cli.cancel import what_happened
from devbridge.runs.model import State
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


@pytest.mark.parametrize(
    ("was", "state", "said"),
    [
        (State.QUEUED, State.CANCELLED, "was QUEUED: it will not start"),
        (State.RUNNING, State.CANCELLED, "was RUNNING: stopped"),
        (State.STARTING, State.CANCELLED, "was STARTING: it will not start"),
        (State.RUNNING, State.RUNNING, "cancelling: SIGTERM now, SIGKILL after the grace period"),
        (State.STARTING, State.STARTING, "cancelling: SIGTERM now, SIGKILL after the grace period"),
        (State.SUCCEEDED, State.SUCCEEDED, "already SUCCEEDED"),
        (State.CANCELLED, State.CANCELLED, "already CANCELLED"),
        (State.RUNNING, State.FAILED, "was RUNNING, and is FAILED now"),
    ],
)
def test_cancel_says_what_happened(was: State, state: State, said: str) -> None:
    assert what_happened(was, state) == said


def test_a_cancellation_that_nobody_has_taken_yet_is_told_as_such() -> None:
    said = what_happened(State.RUNNING, State.RUNNING, waits=True)
    assert said == "was RUNNING, and no `devbridge dev` is there: the next one cancels it"


def test_cancel_goes_through_the_jobs_invoker(invoker: Invoker, book: Book) -> None:
    invoker.answers(was="QUEUED", state="CANCELLED")
    result = devbridge("cancel", "aaaa1")
    assert result.stdout == f"{ONE}  factorial  was QUEUED: it will not start\n"
    assert invoker.asked == [("cancel", ONE)]


def test_cancel_works_for_a_run_that_only_another_machine_knows(invoker: Invoker) -> None:
    invoker.answers(was="RUNNING", state="RUNNING")
    result = devbridge("cancel", ELSEWHERE, "--job", "factorial", "--json")
    assert json.loads(result.stdout) == {
        "id": ELSEWHERE,
        "job": "factorial",
        "was": "RUNNING",
        "state": "RUNNING",
        "waits": False,
    }
    assert invoker.asked == [("cancel", ELSEWHERE)]


def test_cancelling_a_run_that_has_ended_asks_nobody(invoker: Invoker, book: Book) -> None:
    book.end(ONE, State.CRASHED)
    result = devbridge("cancel", ONE)
    assert (result.exit_code, result.stdout) == (0, f"{ONE}  factorial  already CRASHED\n")
    assert invoker.events == []


def test_cancel_tells_who_was_expected_when_nobody_is_there(invoker: Invoker, book: Book) -> None:
    invoker.answers(error={"code": "Offline", "message": "devbridge of ann@laptop is not running"})
    result = devbridge("cancel", ONE)
    assert result.exit_code == errors.EXIT_INVOKE
    assert "ann@laptop is not running" in result.stderr
