from __future__ import annotations

import json
import threading

import pytest
from click.testing import Result

from devbridge import errors
from devbridge.runs import waiting
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


@pytest.mark.parametrize("state", EXIT_CODES)
def test_wait_ends_with_the_exit_code_of_the_runs_state(book: Book, state: State) -> None:
    book.start(ONE)
    book.end(ONE, state)
    assert devbridge("wait", "aaaa1").exit_code == EXIT_CODES[state]


def test_wait_ends_when_the_run_does(book: Book) -> None:
    results: list[Result] = []
    command = threading.Thread(target=lambda: results.append(devbridge("wait", ONE)), daemon=True)
    command.start()
    book.start(ONE)
    book.end(ONE, result=b"120")
    command.join(20)
    assert results[0].exit_code == 0
    assert results[0].stdout == "Done    took 1.50s, result 120\n"


def test_wait_gives_up_when_its_time_is_over(book: Book) -> None:
    result = devbridge("wait", ONE, "--timeout", "0.01 seconds")
    assert result.exit_code == errors.EXIT_JOB_NOT_FINISHED
    assert "the run is QUEUED after 10ms" in result.stderr
    assert "no `devbridge dev` is here" in result.stderr


def test_ctrl_c_says_that_the_run_goes_on(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "until_ended", interrupted)
    result = devbridge("wait", ONE)
    assert result.exit_code == errors.EXIT_INTERRUPTED
    assert f"the run goes on; to end it: devbridge cancel {ONE}" in result.stderr


@pytest.mark.parametrize("time", ["10", "soon", "-1 second", "31 days"])
def test_a_timeout_that_is_no_time_is_a_usage_error(book: Book, time: str) -> None:
    result = devbridge("wait", ONE, "--timeout", time)
    assert result.exit_code == errors.EXIT_USAGE
    assert '"2 hours"' in result.stderr


def test_wait_for_a_run_elsewhere_asks_the_invoker_until_it_has_ended(invoker: Invoker) -> None:
    for state in ("QUEUED", "RUNNING", "TIMED_OUT", "TIMED_OUT"):
        invoker.is_in(state)
    result = devbridge("wait", ELSEWHERE, "--job", "factorial", "--json")
    assert result.exit_code == errors.EXIT_JOB_TIMED_OUT
    assert json.loads(result.stdout)["state"] == "TIMED_OUT"
    assert [action for action, _ in invoker.asked] == ["status", "status", "status", "result"]


def test_of_a_run_elsewhere_no_times_are_told_that_nobody_knows(invoker: Invoker) -> None:
    failure = {"type": "KeyError", "message": "'x'"}
    for _ in range(2):
        invoker.is_in("FAILED", failure=failure)
    result = devbridge("wait", ELSEWHERE, "--job", "factorial")
    assert (result.exit_code, result.stdout) == (errors.EXIT_JOB_FAILED, "FAILED: KeyError: 'x'\n")
