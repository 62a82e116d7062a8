"""The log files of runs and functions: what was printed, as it came, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from devbridge.daemon.log_files import LogFile, function_log, log_path
from devbridge.daemon.told import (
    Began,
    Broken,
    Ended,
    FunctionPrinted,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Noted,
    Printed,
    Remarked,
    Said,
    Told,
    Who,
)
from devbridge.folders import private_dir
from devbridge.runs.base import RunRecord
from devbridge.runs.lambda_log import text_of
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import NOTE, Failure

KEPT: Final = 64 * 1024
"""Bytes of what is printed before a run begins that are kept, the newest."""


class LogListener:
    """Keeps the log of each run, and of each function.

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
        self._said: set[tuple[Path, Told]] = set()
        """What was told of files."""
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
                self._add(who, _end(change))
            case Noted(who, text):
                self._add(who, f"{NOTE}{text}\n".encode("utf-8", "backslashreplace"))
            case Gone(who):
                self._before.pop(who.worker_id, None)
                if file := self._files.pop(who.worker_id, None):
                    file.close()
            case NeverStarted(change, run):
                cause, output = self._loads.get(run.job, (None, b""))
                self._complete(change, run, output if cause is change.failure else b"")
            case FunctionPrinted(function, said):
                self._of_function(function, "".join(map(text_of, said)))
            case Interrupted(change, run) | HandedOver(change, run):
                self._complete(change, run)
            case _:
                pass

    def _printed(self, who: Who, data: bytes) -> None:
        if file := self._files.get(who.worker_id):
            file.write(data)
        elif not who.job_id:
            self._before[who.worker_id] = (self._before.get(who.worker_id, b"") + data)[-KEPT:]

    def _add(self, who: Who, text: bytes) -> None:
        if file := self._files.get(who.worker_id):
            file.write(text)

    def _complete(self, change: Change, run: RunRecord, output: bytes = b"") -> None:
        """The end of a run, or of an attempt, that no worker's output tells."""
        self._append(Path(run.log), output + _end(change), Said)

    def _of_function(self, function: str, text: str) -> None:
        """Its file is open only now: it may be deleted meanwhile."""
        path = function_log(self._folder, function)

        def told(text: str, mood: Mood) -> Told:
            return Said(f"{function}: {text}", mood)

        with contextlib.suppress(OSError):  # opening a file there says what is wrong
            private_dir(path.parent)
        self._append(path, text.encode("utf-8", "backslashreplace"), told)

    def _append(self, path: Path, data: bytes, told: Callable[[str, Mood], Told]) -> None:
        file = self._file(path, told)
        file.write(data)
        file.close()

    def _file(self, path: Path, told: Callable[[str, Mood], Told]) -> LogFile:
        return LogFile(
            path,
            lambda problem: self._once(path, told(problem, Mood.BAD)),
            limit=self._limit,
            on_rotate=lambda text: self._once(path, told(text, Mood.WARN)),
        )

    def _once(self, path: Path, event: Told) -> None:
        """Tell it, unless it was told of that file before."""
        if (path, event) not in self._said:
            self._said.add((path, event))
            self._tell(event)


def _end(change: Change) -> bytes:
    """What the log file gets of an end that the handler did not see: the traceback, or a line."""
    what = f"{change.state} ({change.detail})"
    lines: Sequence[str] = [f"{NOTE}{change.detail if change.state is State.QUEUED else what}"]
    if failure := change.failure:
        lines = failure.trace or [f"{failure.type}: {failure.message}"]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
