from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.folders import rotated_log
from devbridge.runs import logfile
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import State
from tests.unit.cli.conftest import config
from tests.unit.runs.books import Book

__all__ = ["config"]

ONE = "aaaa1111-0000-4000-8000-000000000001"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(ONE)
    yield book
    book.ledger.close()


def rotate(book: Book, job_id: str) -> None:
    """As the daemon does it."""
    path = book.config.logs_dir / f"{job_id}.log"
    path.replace(rotated_log(path))


class Following:
    """`follow` in a thread, with a reader's view of the ledger of its own."""

    def __init__(self, config: Config, job_id: str, late: float = logfile.LATE) -> None:
        self._config, self._job_id, self._late = config, job_id, late
        self._grew = threading.Condition()
        self.data = b""
        self.entry: RunRecord | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with LedgerReader.open(self._config.ledger) as view:

            def current() -> RunRecord:
                entry = view.get(self._job_id)
                assert entry is not None
                return entry

            path = self._config.logs_dir / f"{self._job_id}.log"
            for chunk in logfile.follow(path, current, late=self._late):
                self._write(chunk)
            self.entry = current()

    def _write(self, chunk: bytes) -> None:
        with self._grew:
            self.data += chunk
            self._grew.notify_all()

    def saw(self, text: bytes) -> bool:
        with self._grew:
            return self._grew.wait_for(lambda: text in self.data, timeout=20)

    def ended(self) -> bool:
        self._thread.join(20)
        return not self._thread.is_alive()


def test_following_prints_what_comes_and_ends_with_the_run(book: Book) -> None:
    following = Following(book.config, ONE)
    book.log(ONE, b"first\n")
    assert following.saw(b"first\n")
    book.start(ONE)
    book.log(ONE, b"second, no newline")
    assert following.saw(b"second, no newline")
    assert following.entry is None
    book.log(ONE, b" and the last")
    book.end(ONE)
    assert following.ended()
    assert following.data == b"first\nsecond, no newline and the last"
    assert following.entry is not None
    assert following.entry.state is State.SUCCEEDED


def test_following_waits_for_output_that_comes_after_the_end(book: Book) -> None:
    book.log(ONE, b"early ")
    book.end(ONE, closed=False)
    following = Following(book.config, ONE)
    assert following.saw(b"early ")
    book.log(ONE, b"late")
    assert following.saw(b"late")
    assert following.entry is None
    book.close_log(ONE)
    assert following.ended()
    assert following.data == b"early late"


def test_following_gives_up_on_a_run_whose_daemon_died_before_it_closed_the_log(
    book: Book,
) -> None:
    book.log(ONE, b"all there is")
    book.end(ONE, State.CRASHED, closed=False)
    following = Following(book.config, ONE, late=0.0)
    assert following.ended()
    assert following.data == b"all there is"


def test_following_goes_on_across_rotations_and_misses_nothing(book: Book) -> None:
    book.log(ONE, b"one ")
    following = Following(book.config, ONE)
    assert following.saw(b"one ")
    book.log(ONE, b"two ")
    rotate(book, ONE)
    book.log(ONE, b"three ")
    assert following.saw(b"three ")
    rotate(book, ONE)
    book.log(ONE, b"four ")
    rotate(book, ONE)
    book.log(ONE, b"five")
    book.end(ONE)
    assert following.ended()
    assert following.data.startswith(b"one two three ")
    assert following.data.endswith(b"four five")


def test_parts_that_a_rotation_moves_meanwhile_are_neither_missed_nor_read_twice(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.log(ONE, b"all")
    really_open = os.open

    def rotate_after_the_first(*arguments: Any, **more: Any) -> int:
        monkeypatch.setattr(os, "open", really_open)
        opened = really_open(*arguments, **more)
        rotate(book, ONE)
        return opened

    monkeypatch.setattr(os, "open", rotate_after_the_first)
    parts = logfile.open_parts(book.config.logs_dir / f"{ONE}.log")
    assert [os.read(part, 100) for part in parts] == [b"all"]
    for part in parts:
        os.close(part)
