"""The log files of runs and functions: what was printed, as it came, and how it ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from devbridge.daemon import requests
from devbridge.daemon.log_files import LogFile, function_log, log_path
from devbridge.daemon.told import (
    Answered,
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
from devbridge.palette import Style
from devbridge.runs.base import RunRecord
from devbridge.runs.function_file import request_line
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
        if (found := _of_function(event)) is not None:
            self._add_to_functions(*found)
            return
        match event:
            case Printed(who, data):
                self._printed(who, data)
            case Began(who, attempt, most):
                self._before.pop(who.worker_id, None)
                path = log_path(self._folder, who.job, who.job_id)
                self._files[who.worker_id] = self._file(
                    path, lambda text, mood: Remarked(who, text, mood)
                )
                if attempt > 1:
                    self._add(who, _note(f"attempt {attempt} of {most}"))
            case Broken(job, failure, worker_id):
                self._loads[job] = failure, self._before.get(worker_id, b"")
            case Ended(who, change) if change.failure is not None:
                self._add(who, _end(change))
            case Noted(who, text):
                self._add(who, _note(text))
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

    def _add(self, who: Who, text: bytes) -> None:
        if file := self._files.get(who.worker_id):
            file.write(text)

    def _complete(self, change: Change, run: RunRecord, output: bytes = b"") -> None:
        """The end of a run, or of an attempt, that no worker's output tells."""
        self._append(Path(run.log), output + _end(change), Said)

    def _add_to_functions(self, function: str, data: bytes) -> None:
        """Its file is open only now: it may be deleted meanwhile."""
        path = function_log(self._folder, function)

        def told(text: str, mood: Mood) -> Told:
            return Said(f"{function}: {text}", mood)

        with contextlib.suppress(OSError):  # opening a file there says what is wrong
            private_dir(path.parent)
        self._append(path, data, told)

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


def _of_function(event: Told) -> tuple[str, bytes] | None:
    """Which function's log has something of an event, and what."""
    match event:
        case FunctionPrinted(function, said):
            text = "".join(map(text_of, said))
            return function, text.encode("utf-8", "backslashreplace")
        case Printed(who, data) if who.function:
            return who.job, data
        case Noted(who, text) | Remarked(who, text) if who.function:
            return who.job, _note(text)
        case Answered(who):
            return who.job, _request(event)
        case Broken(function, failure, function=True):
            return function, _error(failure)
    return None


def _end(change: Change) -> bytes:
    """What the log file gets of an end that the handler did not see: the traceback, or a line."""
    what = f"{change.state} ({change.detail})"
    lines: Sequence[str] = [f"{NOTE}{change.detail if change.state is State.QUEUED else what}"]
    if failure := change.failure:
        return _error(failure)
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _error(failure: Failure) -> bytes:
    """An error with all of its traceback."""
    lines = failure.trace or [f"{failure.type}: {failure.message}"]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _note(text: str) -> bytes:
    return f"{NOTE}{text}\n".encode("utf-8", "backslashreplace")


def _request(event: Answered) -> bytes:
    """The line of a request, which comes after what it has printed, and its error."""
    style, failure = Style(False), event.failure
    if failure is not None and not event.who.worker_id:
        # The error is that of loading the handler, which is there already.
        line, error = requests.refused(event.what, failure, style), b""
    else:
        line = requests.over(event.what, event.how, event.mood, event.seconds, failure, style)
        error = b"" if failure is None else _error(failure)
    return request_line(line, time.time()).encode("utf-8", "backslashreplace") + error
