"""How runs look on the terminal: pure functions from what happened to lines.

::

    |  8f14e45f  Invoke factorial {"num": 5}
    |  8f14e45f  +12ms   what the handler printed
    |  8f14e45f  Done    took 1.2s
    |  8f14e45f  Error   ZeroDivisionError: division by zero
    |  8f14e45f  ↳ File "jobs/factorial.py", line 12, in handler
    |  8f14e45f      return 1 / 0
    |  8f14e45f          after 1.20s
    |  8f14e45f  log     .devbridge/jane/logs/factorial-8f14e45f-...log

A short run is one line; where the app has several jobs, a name stands before each id.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from devbridge import printable
from devbridge.daemon.told import Waits
from devbridge.environment import how_to_pass
from devbridge.failures import details
from devbridge.folders import from_here
from devbridge.palette import Style
from devbridge.runs.base import SHORT, RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from devbridge.words import few, many
from runner.outcome import Failure, duration
from runner.triggered import triggered

PAYLOAD_SHOWN: Final = 80
"""Characters of a payload or result that a line shows."""
LONGEST_NAME: Final = 14
"""Characters of a job's name before the lines of its runs."""
LONGEST_FUNCTION: Final = 24
"""Characters of a function's name: as many as of the longest name of a job, and an id."""
WORD: Final = 8
"""Columns that the first word of a line takes, and the time since the run began."""
_GAP: Final = "  "
_ONE_LINE: Final = {ord(space): " " for space in "\t\n\r"}


@dataclass(frozen=True, slots=True)
class Bars:
    """What every line of a run or a function begins with; as wide for all of an app."""

    names: int = 0
    """Columns of the jobs' names before the ids of their runs; 0: there is but one job."""
    width: int = 0
    """Columns between the bar and the text; 0: all that an app has is one job."""

    @classmethod
    def of(cls, jobs: Collection[str], functions: Collection[str] = ()) -> Self:
        """Those of an app with these."""
        names = min(max(map(len, jobs)), LONGEST_NAME) if len(jobs) > 1 else 0
        of_runs = (names + len(_GAP) if names else 0) + SHORT
        of_functions = min(max(map(len, functions), default=0), LONGEST_FUNCTION)
        return cls(names, max(of_runs, of_functions) if names or functions else 0)

    def run(self, job_id: str, job: str, style: Style, colour: int) -> str:
        """Of a run; the colour is its own."""
        name = f"{_padded(job, self.names)}{_GAP}" if self.names else ""
        padding = " " * (self.width - len(name) - SHORT)
        return style(f"|  {name}{job_id[:SHORT]}", colour) + padding + _GAP

    def job(self, job: str, style: Style) -> str:
        """Before a worker has a run: of what a handler prints while it is imported."""
        name = _padded(job, self.names) if self.names else job
        return style.dim(f"|  {name:<{self.width}}") + _GAP

    def function(self, function: str, style: Style, colour: int) -> str:
        """Of a function; the colour is its own."""
        name = _padded(function, LONGEST_FUNCTION).rstrip()
        return style(f"|  {name:<{self.width}}", colour) + _GAP


def _padded(name: str, width: int) -> str:
    """It fills its column, without its middle if it must."""
    if len(name) > width:
        end = width // 2
        name = f"{name[: width - end - 1]}…{name[-end:]}"
    return f"{name:<{width}}"


def of_function(said: str | Failure, root: Path, style: Style) -> Sequence[str]:
    """What a function has printed, or how it has failed. `root` is the app's folder."""
    if isinstance(said, str):
        return printable.lines(said)
    return [*error(said, style), *details(said, root)]


def error(failure: Failure, style: Style, word: str = "Error") -> Sequence[str]:
    """The word, and what is wrong: the message may have several lines."""
    what = f"{failure.type}: {failure.message}" if failure.message else failure.type
    return [
        f"{style.bad(word)}{' ' * (8 - len(word))}{line}" if index == 0 else f"        {line}"
        for index, line in enumerate(printable.lines(what))
    ]


def invoked(
    job: str,
    payload: bytes,
    attempt: int,
    max_attempts: int,
    style: Style,
    room: int = PAYLOAD_SHOWN,
) -> str:
    """An attempt begins, by a call or by a trigger, which is named. Of the payload so many
    characters are shown, at most."""
    again = f" (attempt {attempt} of {max_attempts})" if max_attempts > 1 else ""
    cause = ""
    if (found := triggered(payload)) is not None:
        cause, payload = f" by {found.kind} {found.name}", found.payload
    return f"{style.bold('Invoke')} {job}{again}{cause} {style.dim(shorten(payload, room))}"


def begins_at(checkpoint: bytes) -> str:
    """An attempt does not begin at the beginning."""
    return f"goes on at its checkpoint {shorten(checkpoint)}"


def waits(wait: Waits, count: int, style: Style) -> str:
    """A limit keeps a run, or so many, from starting."""
    limit = "the job's own concurrency" if wait.own else "--concurrency"
    taken = f"{wait.limit} of {many(wait.limit, 'slot is', 'slots are')} taken"
    runs = f"{count:,} runs, " if count > 1 else ""
    return f"{style.warn('Waiting')} {wait.job}: {runs}{taken} ({limit})"


def missed(whose: str, name: str, kind: str) -> str:
    """Code looked up a variable that the shell has and what runs here does not get."""
    what = f"which your shell has and {kind} do not get"
    return f"{whose} looks for {name}, {what}: {how_to_pass(name)}"


def debugger(url: str) -> str:
    """A run waits for a debugger."""
    return f"Debugger {url}"


def paused(where: str | None) -> str:
    """A debugger has stopped a run there, which may be unknown (""), or lets it go on (None)."""
    if where is None:
        return "goes on"
    return f"paused at {where}" if where else "paused"


def log_line(path: Path, style: Style) -> str:
    """Where a run's log is."""
    return style.dim(f"log     {from_here(path)}")


def at_once(invoked: str, entry: RunRecord, style: Style) -> str:
    """A whole run that has succeeded, in one line."""
    return f"{invoked}  {style.good('Done')} {_returned(entry, style)}"


def ended(
    entry: RunRecord, root: Path, style: Style, *, at: float | None = None, again: str | None = None
) -> Sequence[str]:
    """The last lines of a run. When only an attempt has ended, `at` is when (seconds since the
    epoch), and `again` says what will follow. `root` is the app's folder."""
    took = _took(entry, at)
    last = [f"{style.warn('Again')}   {again}"] if again else []
    match entry.state:
        case State.SUCCEEDED:
            return [done(entry, style)]
        case State.CANCELLED:
            return [f"{style.warn('Cancelled')} after {took}{_why(entry)}"]
        case State.TIMED_OUT:
            return [f"{style.bad('Timed out')} after {took}{_why(entry)}"]
    if entry.failure is None and again:
        return last
    failure = entry.failure or Failure("Failed", "no more is known")
    word = "Crashed" if entry.state is State.CRASHED else "Error"
    after = style.dim(f"        after {took}")
    return [*error(failure, style, word), *details(failure, root), after, *last]


def _why(entry: RunRecord) -> str:
    return f": {printable.one_line(entry.failure.message)}" if entry.failure else ""


def done(entry: RunRecord, style: Style, room: int = PAYLOAD_SHOWN) -> str:
    """A run has succeeded. Of its result so many characters are shown, at most."""
    return f"{style.good('Done')}    {_returned(entry, style, room)}"


def _took(entry: RunRecord, at: float | None = None) -> str:
    at = entry.ended_at if at is None else at
    return duration(at - entry.started_at if at and entry.started_at else 0)


def _returned(entry: RunRecord, style: Style, room: int = PAYLOAD_SHOWN) -> str:
    return f"took {_took(entry)}{style.dim(returned(entry.result, room))}"


def interrupted(change: Change, style: Style) -> str:
    """A run, or an attempt of it, has ended with an earlier daemon."""
    if change.state is State.QUEUED and change.failure is None:
        return f"{style.warn('Again')}   {change.detail}"
    word = "Cancelled" if change.state is State.CANCELLED else "Crashed"
    return f"{style.bad(word)} {change.detail}"


def stopping(seconds: float, style: Style) -> str:
    """A run was asked to stop."""
    return f"{style.warn('Stopping')} SIGTERM was sent, SIGKILL in {duration(seconds)}"


class Broke(enum.Enum):
    """What is told of jobs that cannot be loaded."""

    NEW = " cannot be loaded"
    TOO = " cannot be loaded, either"
    """The error was said of another job."""
    STILL = " still cannot be loaded"
    """It was said of these before they were saved."""


def broken(
    jobs: Sequence[str], failure: Failure, root: Path, style: Style, *, how: Broke = Broke.NEW
) -> Sequence[str]:
    """Jobs that cannot be loaded, all with the same error: whole where it is new."""
    first, *others = printable.lines(f"{failure.type}: {failure.message}")
    head = f"{style.bad('Error')}  {few(jobs)}{how.value}: {first}"
    if how is not Broke.NEW:
        return [head]
    return [head, *(f"       {line}" for line in others), *details(failure, root)]


def failed_as_said(failure: Failure, style: Style) -> str:
    """The end of a run whose job cannot be loaded, which was said."""
    first = printable.lines(f"{failure.type}: {failure.message}")[0]
    return f"{style.bad('Error')}   {first} {style.dim('(said above: the job cannot be loaded)')}"


def tried_again(job: str, pause: float, style: Style) -> str:
    """Runs wait for a job that cannot be loaded."""
    when = f"tried again in {duration(pause)}, then with longer pauses, and when it is saved"
    return f"{style.warn('Waiting')} {job}: it cannot be loaded; {when}"


def reloaded(names: Sequence[str], seconds: float, style: Style) -> str:
    """Jobs, and functions, have been loaded again."""
    return f"{style.good('Reloaded')} {few(names)} in {duration(seconds)}"


def short(reason: str, style: Style) -> str:
    """The system has no worker to give, or (no reason) has them again."""
    if not reason:
        return style.good("workers can be started again")
    return style.bad(f"no worker can be started now: {reason}; what is asked for waits")


def app_broken(error: str, style: Style) -> str:
    """The app cannot be loaded or deployed."""
    return f"{style.bad('Error')}  {error}"


def restless(job: str, path: Path, style: Style) -> str:
    """Something that a job reads when it is imported changes again and again."""
    what = f"{from_here(path)}, which its import reads, changes again and again"
    return f"{style.warn('Notice')}  {job}: {what}; from now on it is loaded anew when it is run"


def elapsed(seconds: float) -> str:
    """``+12ms``, ``+3.41s``, ``+2m05s``: the time since the run began, padded to a column."""
    return f"+{duration(seconds)}".ljust(WORD)


def shorten(json_text: bytes, room: int = PAYLOAD_SHOWN) -> str:
    """A JSON text in one line, cut to so many characters and fit for a terminal."""
    text = json_text[: room * 4 + 4].decode("utf-8", "replace").translate(_ONE_LINE)
    # JSON has no escape sequences in it; DEL and what is not ASCII it may have.
    return printable.shown(text if len(text) <= room else text[:room] + "…")


def returned(result: bytes | None, room: int = PAYLOAD_SHOWN) -> str:
    """What follows where a run's end is told: its result, unless that is null."""
    return "" if result in (None, b"null") else f", result {shorten(result or b'', room)}"


def leaving(*under_way: tuple[int, str, float]) -> str:
    """The daemon ends.

    Args:
        under_way: how many there are of something, what that is, and the seconds that each has.
    """
    waits = [
        f"{many(number, f'{what} gets', f'{what}s get')} up to {seconds:g} s; "
        for number, what, seconds in under_way
        if number
    ]
    return f"Stopping: {''.join(waits)}Ctrl-C again ends everything at once"
