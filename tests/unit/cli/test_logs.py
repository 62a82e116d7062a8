from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.config import Config
from devbridge.errors import EXIT_CLOUD, EXIT_NOT_FOUND
from devbridge.folders import rotated_log
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.runs.books import Book

ONE = "aaaa1111-0000-4000-8000-000000000001"
TWO = "aaaa2222-0000-4000-8000-000000000002"
RAW = b"\x00\xff not UTF-8\r\nno newline at the end \xf0\x9f\x98\x80"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(ONE)
    book.queue(TWO)
    yield book
    book.ledger.close()


def test_a_log_is_printed_byte_for_byte_for_who_wants_it(book: Book) -> None:
    book.log(ONE, RAW * 5000)
    result = CliRunner().invoke(main, ["logs", ONE, "--raw"])
    assert result.exit_code == 0
    assert result.stdout_bytes == RAW * 5000


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_a_log_is_printed_as_a_terminal_may_have_it(book: Book, follow: list[str]) -> None:
    book.log(ONE, b"\x1b[31mred\n10%\r20%\n\x1b]52;c;QUFB\x07\x9b2J \xe2\x80\xae \xff\n\x1b[1mend")
    book.start(ONE)
    book.end(ONE, State.SUCCEEDED)
    result = CliRunner().invoke(main, ["logs", ONE, *follow])
    assert result.exit_code == 0
    assert result.stdout_bytes.split(b"\n") == [
        b"\x1b[31mred\x1b[0m",
        b"10%\r20%",
        b"\\x1b]52;c;QUFB\\x07\\x9b2J \\u202e \\xff",
        b"\x1b[1mend\x1b[0m",
    ]


@pytest.mark.parametrize("given", ["aaaa1", "AAAA1", ONE[:-1]])
def test_the_beginning_of_an_id_is_enough(book: Book, given: str) -> None:
    book.log(ONE, b"one\n")
    assert CliRunner().invoke(main, ["logs", given]).stdout_bytes == b"one\n"


def test_a_beginning_that_fits_two_runs_lists_both(book: Book) -> None:
    result = CliRunner().invoke(main, ["logs", "aaaa"])
    assert result.exit_code == EXIT_NOT_FOUND
    assert "2 runs have an id that begins with 'aaaa'" in result.stderr
    assert ONE in result.stderr
    assert TWO in result.stderr


@pytest.mark.parametrize("given", ["bbbb", "", "%"])
def test_an_unknown_id_says_where_ids_are_listed(book: Book, given: str) -> None:
    result = CliRunner().invoke(main, ["logs", given])
    assert result.exit_code == EXIT_NOT_FOUND
    assert "see `devbridge jobs`" in result.stderr


def test_before_the_first_run_of_dev_the_cloud_is_asked(config: Config) -> None:
    result = CliRunner().invoke(main, ["logs", "aaaa", "--local"])
    assert result.exit_code == EXIT_CLOUD
    assert "devbridge dev --local" in result.stderr


def test_a_run_that_has_not_printed_yet_is_no_error(book: Book) -> None:
    result = CliRunner().invoke(main, ["logs", ONE])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "factorial is QUEUED: nothing printed yet" in result.stderr


def test_a_log_that_was_deleted_is_said_to_be_gone(book: Book) -> None:
    book.start(ONE)
    book.end(ONE)
    for options in ([], ["--follow"]):
        result = CliRunner().invoke(main, ["logs", ONE, *options])
        assert result.exit_code == EXIT_NOT_FOUND
        assert "the run's log file is gone" in result.stderr


@pytest.mark.parametrize("options", [[], ["--follow"]])
def test_a_run_that_never_started_and_has_no_log_says_how_it_ended(
    book: Book, options: list[str]
) -> None:
    book.end(ONE, State.CANCELLED)
    result = CliRunner().invoke(main, ["logs", ONE, *options])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "factorial CANCELLED before it started: it printed nothing\n"
    book.end(TWO, State.FAILED, failure=Failure("SyntaxError", "line 1"))
    result = CliRunner().invoke(main, ["logs", TWO, *options])
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "SyntaxError: line 1")


@pytest.mark.parametrize("options", [[], ["--follow"]])
def test_of_a_run_that_never_started_what_its_log_has_is_all(
    book: Book, options: list[str]
) -> None:
    book.log(ONE, b"Traceback\n")
    book.end(ONE, State.FAILED)
    result = CliRunner().invoke(main, ["logs", ONE, *options])
    assert (result.stdout, result.stderr) == ("Traceback\n", "")


def test_following_a_run_that_never_started_ends(book: Book) -> None:
    book.end(ONE, State.CANCELLED)
    result = CliRunner().invoke(main, ["logs", ONE, "--follow"])
    assert (result.exit_code, result.stdout_bytes) == (0, b"")


def test_following_leaves_no_file_open(book: Book) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    book.log(ONE, b"x")
    book.end(ONE)
    assert CliRunner().invoke(main, ["logs", ONE, "--follow"]).stdout_bytes == b"x"
    assert len(os.listdir("/dev/fd")) <= before + 1  # noqa: PTH208


# --- rotated logs -------------------------------------------------------------------------------


class Rotated:
    """A run's log, rotated as the daemon does it."""

    def __init__(self, book: Book, job_id: str) -> None:
        self.path = book.config.logs_dir / f"{job_id}.log"

    def rotate(self) -> None:
        self.path.replace(rotated_log(self.path))


def test_a_rotated_log_is_printed_from_its_oldest_part_on(book: Book) -> None:
    book.log(ONE, b"older\n")
    Rotated(book, ONE).rotate()
    book.log(ONE, b"newer\n")
    assert CliRunner().invoke(main, ["logs", ONE]).stdout_bytes == b"older\nnewer\n"


def test_a_log_is_printed_while_it_is_just_being_rotated(book: Book) -> None:
    book.log(ONE, b"all there is\n")
    Rotated(book, ONE).rotate()
    assert CliRunner().invoke(main, ["logs", ONE]).stdout_bytes == b"all there is\n"


def test_following_begins_with_the_rotated_part(book: Book) -> None:
    book.log(ONE, b"older ")
    Rotated(book, ONE).rotate()
    book.log(ONE, b"newer")
    book.end(ONE)
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    assert CliRunner().invoke(main, ["logs", ONE, "--follow"]).stdout_bytes == b"older newer"
    assert len(os.listdir("/dev/fd")) <= before + 1  # noqa: PTH208
