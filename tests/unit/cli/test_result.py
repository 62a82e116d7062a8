from __future__ import annotations

import json
import threading

import pytest
from click.testing import Result

from devbridge import errors
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES
from runner.outcome import Failure
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


@pytest.mark.parametrize("text", ["120", "null", '{"a": [1.50, 1e400, "ü"]}', "0", '""'])
def test_the_result_comes_as_it_was_returned_and_alone(book: Book, text: str) -> None:
    book.start(ONE)
    book.end(ONE, result=text.encode())
    result = devbridge("result", "aaaa1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{text}\n"


def test_what_a_terminal_would_obey_is_the_same_json_escaped(book: Book) -> None:
    book.end(ONE, result='"\x9b31m"'.encode())
    result = devbridge("result", ONE)
    assert "\x9b" not in result.stdout
    assert json.loads(result.stdout) == "\x9b31m"


@pytest.mark.parametrize(
    "state", [state for state in EXIT_CODES if state.final and state != "SUCCEEDED"]
)
def test_a_run_without_a_result_is_an_error_with_the_code_of_its_state(
    book: Book, state: State
) -> None:
    book.end(ONE, state, failure=Failure("KeyError", "'x'"))
    result = devbridge("result", ONE)
    assert (result.exit_code, result.stdout) == (EXIT_CODES[state], "")
    assert f"the run has ended {state}: KeyError: 'x'" in result.stderr
    assert "devbridge status aaaa1111" in result.stderr


def test_a_run_that_has_not_ended_says_how_to_wait(book: Book) -> None:
    book.start(ONE)
    result = devbridge("result", ONE)
    assert (result.exit_code, result.stdout) == (errors.EXIT_JOB_NOT_FINISHED, "")
    assert "the run is RUNNING: it has no result yet" in result.stderr
    assert "devbridge result aaaa1111 --wait" in result.stderr


def test_it_waits_if_that_is_wanted(book: Book) -> None:
    results: list[Result] = []
    command = threading.Thread(
        target=lambda: results.append(devbridge("result", ONE, "--wait")), daemon=True
    )
    command.start()
    book.start(ONE)
    book.end(ONE, result=b"120")
    command.join(20)
    assert results[0].stdout == "120\n"


def test_the_result_of_a_run_elsewhere_is_asked_of_its_invoker(invoker: Invoker) -> None:
    invoker.is_in("SUCCEEDED", result={"sum": 1})
    result = devbridge("result", ELSEWHERE, "--job", "factorial")
    assert json.loads(result.stdout) == {"sum": 1}
    assert invoker.asked == [("result", ELSEWHERE)]
