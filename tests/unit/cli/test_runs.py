from __future__ import annotations

import pytest

from devbridge import errors
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, TWO, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_beginning_that_fits_two_runs_lists_both(book: Book, command: str) -> None:
    result = devbridge(command, "aaaa")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert ONE in result.stderr
    assert TWO in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_run_that_is_not_in_the_ledger_needs_its_jobs_name(book: Book, command: str) -> None:
    result = devbridge(command, ELSEWHERE)
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "--job NAME" in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_beginning_of_an_id_is_never_asked_of_the_invoker(
    invoker: Invoker, book: Book, command: str
) -> None:
    result = devbridge(command, "bbbb", "--job", "factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "see `devbridge jobs`" in result.stderr
    assert invoker.events == []


def test_a_wrong_jobs_name_is_refused(book: Book) -> None:
    result = devbridge("status", ONE, "--job", "other")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "is one of job 'factorial', not of 'other'" in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_run_that_the_daemon_does_not_know_either_is_not_found(
    invoker: Invoker, command: str
) -> None:
    invoker.answers(error={"code": "UnknownRun", "message": "nothing is known of it"})
    result = devbridge(command, ELSEWHERE, "--job", "factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "nothing is known of it" in result.stderr
