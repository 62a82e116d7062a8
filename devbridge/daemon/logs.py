"""The runs' log files: what was printed, as it came, and how it ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from devbridge.daemon.told import (
    Began,
    Broken,
    Ended,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Printed,
    Remarked,
    Said,
    Told,
    Who,
)
from devbridge.folders import rotated_log
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from runner.outcome import Failure

MAX_LOG: Final = 64 * 1024 * 1024
"""Bytes of one run's log, by default; the oldest are given up."""
KEPT: Final = 64 * 1024
"""Bytes of what is printed before a run begins that are kept, the newest."""


def log_path(folder: Path, job: str, job_id: str) -> Path:
    """Where a run's output is kept."""
    return folder / f"{job}-{job_id}.log"


class LogFile:
    """A run's log, mode 0600, and the part before it, `rotated_log(path)`, when it has grown large.

    Together they never have more than `limit` bytes: the newest are kept. A full disk is reported
    once; the run goes on.
    """

    def __init__(
        self,
        path: Path,
        on_error: Callable[[str], None],
        *,
        limit: int = MAX_LOG,
        on_rotate: Callable[[str], None] | None = None,
    ) -> None:
        """`on_error` and `on_rotate` are each told once, in words for the terminal."""
        self._path = path
        self._on_error = on_error
        self._on_rotate = on_rotate
        self._limit = limit
        self._half = max(limit // 2, 1024)
        self._size = 0
        self._fd: int | None = None
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def write(self, data: bytes) -> None:
        """Add to the end; what is old goes when there is too much."""
        if self._fd is None:
            return
        try:
            view = memoryview(data)
            while len(view) > self._half - self._size:
                room = max(0, self._half - self._size)
                cut = bytes(view[:room]).rfind(b"\n") + 1
                if cut == 0 and self._size <= len(self._seam()):
                    cut = room  # a line that is longer than a file
                self._append(view[:cut])
                view = view[cut:]
                self._rotate()
            self._append(view)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the file. Idempotent; what is written later is lost."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # a network file system may say now that it is full
                os.close(fd)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size  # an earlier attempt has written to it

    def _append(self, view: memoryview) -> None:
        assert self._fd is not None  # noqa: S101 - narrows the type
        while view:
            count = os.write(self._fd, view)
            self._size += count
            view = view[count:]

    def _rotate(self) -> None:
        self.close()
        self._path.replace(rotated_log(self._path))
        self._open()
        self._append(memoryview(self._seam()))
        if self._on_rotate is not None:
            tell, self._on_rotate = self._on_rotate, None
            tell(
                f"the log is over {_mib(self._half)}: what came before is in"
                f" {rotated_log(self._path).name}, and only the newest {_mib(self._limit)} are kept"
            )

    def _seam(self) -> bytes:
        return (
            f"--- devbridge: rotated here; of this log the newest {_mib(self._limit)} are kept\n"
        ).encode()

    def _fail(self, error: OSError) -> None:
        self.close()
        self._on_error(f"the log file cannot be written: {error.strerror}; the run goes on without")


def _mib(count: int) -> str:
    return f"{count / (1 << 20):g} MiB"


class LogListener:
    """Keeps the log of each run.

    What a worker prints before it has a run is kept for a moment: when the job cannot be loaded, it
    is in the log of the runs that fail with that.

    Args:
        folder: where the log files are.
        limit: bytes that one of them may take.
        tell: takes what there is to tell of the files themselves.
    """

    def __init__(self, folder: Path, limit: int, tell: Callable[[Told], None]) -> None:
        self._folder = folder
        self._limit = limit
        self._tell = tell
        self._files: dict[str, LogFile] = {}
        """Those that are open, by the worker's id."""
        self._before: dict[str, bytes] = {}
        """What workers without a run have printed, the newest of it."""
        self._loads: dict[str, tuple[Failure, bytes]] = {}
        """The last failure to load each job, and what was printed meanwhile."""

    def on(self, event: Told) -> None:
        """Write what belongs into a log."""
        match event:
            case Printed(who, data):
                self._printed(who, data)
            case Began(who):
                self._before.pop(who.worker_id, None)
                path = log_path(self._folder, who.job, who.job_id)
                self._files[who.worker_id] = self._file(
                    path, lambda text, mood: Remarked(who, text, mood)
                )
            case Broken(job, failure, worker_id):
                self._loads[job] = failure, self._before.get(worker_id, b"")
            case Ended(who, change) if change.failure is not None:
                if file := self._files.get(who.worker_id):
                    file.write(_end(change))
            case Gone(who):
                self._before.pop(who.worker_id, None)
                if file := self._files.pop(who.worker_id, None):
                    file.close()
            case NeverStarted(change, run):
                cause, output = self._loads.get(run.job, (None, b""))
                self._complete(change, run, output if cause is change.failure else b"")
            case Interrupted(change, run) | HandedOver(change, run):
                self._complete(change, run)
            case _:
                pass

    def _printed(self, who: Who, data: bytes) -> None:
        if file := self._files.get(who.worker_id):
            file.write(data)
        elif not who.job_id:
            self._before[who.worker_id] = (self._before.get(who.worker_id, b"") + data)[-KEPT:]

    def _complete(self, change: Change, run: RunRecord, output: bytes = b"") -> None:
        """The end of a run, or of an attempt, that no worker's output tells."""
        file = self._file(Path(run.log), Said)
        file.write(output + _end(change))
        file.close()

    def _file(self, path: Path, told: Callable[[str, Mood], Told]) -> LogFile:
        return LogFile(
            path,
            lambda problem: self._tell(told(problem, Mood.BAD)),
            limit=self._limit,
            on_rotate=lambda text: self._tell(told(text, Mood.WARN)),
        )


def _end(change: Change) -> bytes:
    """What the log file gets of an end that the handler did not see: the traceback, or a line."""
    lines: Sequence[str] = [f"--- devbridge: {change.state} ({change.detail})"]
    if failure := change.failure:
        lines = failure.trace or [f"{failure.type}: {failure.message}"]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
