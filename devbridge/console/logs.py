"""What runs have printed, by lines: live runs' files where they are, others copied here."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from devbridge.console.line_index import LineIndex, Read
from devbridge.runs import logfile
from devbridge.runs.base import Run, RunRecord
from runner.outcome import NOTE

KNOWN: Final = 32
"""Logs whose lines are remembered."""
STALE: Final = 3.0
"""Seconds after which the output of a run that goes on elsewhere is asked for again."""


@dataclass(frozen=True, slots=True)
class Log:
    """A run's log, open to be read."""

    index: LineIndex
    read: Read
    complete: bool
    version: str

    def attempt(self, number: int, most: int) -> int | None:
        """The line at which an attempt begins; None: it is not known."""
        if number <= 1:
            return 0
        mark = mark_of(number, most)
        line = self.index.find(mark, 0, self.read)
        while line is not None and self.index.lines(line, 1, self.read) != [mark]:
            line = self.index.find(mark, line + 1, self.read)
        return line


def mark_of(attempt: int, most: int) -> str:
    """The line that a log has where a further attempt begins."""
    return f"{NOTE}attempt {attempt} of {most}"


@dataclass(slots=True)
class _Known:
    version: str = ""
    index: LineIndex = field(default_factory=LineIndex)
    first: IO[bytes] | None = None
    """The file that it begins in: while it is open, no other has its number."""
    copy: IO[bytes] | None = None
    copied_at: float = 0.0
    complete: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """It is another text from now on."""
        self.index, self.version = LineIndex(), secrets.token_hex(4)


class Logs:
    """The logs that were looked at last. For any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def open(self, run: Run) -> Iterator[Log]:
        """A run's log, while the block reads it.

        Raises:
            UnknownRun: its log has been deleted.
            NotFound: it cannot be read from here.
        """
        record = run.refresh()
        known = self._of(record.job_id)
        path = Path(record.log)
        with known.lock:
            if path.is_absolute() and logfile.exists(path):
                with _parts(path) as parts:
                    yield _live(known, parts, record)
            else:
                yield self._copied(known, run)

    def forget(self) -> None:
        """Let go of all copies."""
        with self._lock:
            for known in self._known.values():
                for file in (known.copy, known.first):
                    if file is not None:
                        file.close()
            self._known.clear()

    def _of(self, run_id: str) -> _Known:
        with self._lock:
            known = self._known.setdefault(run_id, _Known())
            self._known.move_to_end(run_id)
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)  # its copy is closed with the last that reads it
            return known

    def _copied(self, known: _Known, run: Run) -> Log:
        stale = self._now() - known.copied_at > STALE
        if known.copy is None or (not known.complete and stale):
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - as long as it is remembered
            for chunk in run.output(follow=False):
                copy.write(chunk)
            copy.flush()
            if copy.tell() < known.index.size:
                known.renew()
            known.copy, known.copied_at = copy, self._now()
            known.complete = run.record.state.final and run.record.closed
        file = known.copy.fileno()
        read = _reader([(file, os.fstat(file).st_size)])
        known.index.grow(read, os.fstat(file).st_size)
        return Log(known.index, read, known.complete, known.version)


def _live(known: _Known, parts: Sequence[int], record: RunRecord) -> Log:
    """Of the files of a live run. It is the same text as long as it begins in the same file."""
    sizes = [os.fstat(part).st_size for part in parts]
    same = known.first is not None and os.path.sameopenfile(known.first.fileno(), parts[0])
    if not same or sum(sizes) < known.index.size:
        known.renew()
        known.first = os.fdopen(os.dup(parts[0]), "rb")
    read = _reader([*zip(parts, sizes, strict=True)])
    known.index.grow(read, sum(sizes))
    return Log(known.index, read, record.state.final and record.closed, known.version)


@contextlib.contextmanager
def _parts(path: Path) -> Iterator[Sequence[int]]:
    parts = logfile.open_parts(path)
    try:
        yield parts
    finally:
        for part in parts:
            os.close(part)


def _reader(parts: Sequence[tuple[int, int]]) -> Read:
    """Reads files, each with its size, as if they were one."""

    def read(place: int, count: int) -> bytes:
        pieces = []
        for file, size in parts:
            if place < size and count > 0:
                piece = os.pread(file, min(count, size - place), place)
                pieces.append(piece)
                place += len(piece)
                count -= len(piece)
            place -= size
        return b"".join(pieces)

    return read
