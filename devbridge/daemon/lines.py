"""How runs look on the terminal: pure functions from what happened to lines.

::

    |  8f14e45f  Invoke factorial {"num": 5}
    |  8f14e45f  +12ms   what the handler printed
    |  8f14e45f  Done    took 1.2s
    |  8f14e45f  Error   ZeroDivisionError: division by zero
    |  8f14e45f  ↳ jobs/factorial.py:12 in handler: return 1 / 0
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from devbridge import printable
from devbridge.daemon.told import Waits
from devbridge.environment import how_to_pass
from devbridge.failures import details
from devbridge.palette import RUNS, Style
from devbridge.runs.base import SHORT, RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure, duration

PAYLOAD_SHOWN: Final = 80
"""Characters of a payload or result that a line shows."""
_ELAPSED_WIDTH: Final = 8
_ONE_LINE: Final = {ord(space): " " for space in "\t\n\r"}


def bar(job_id: str, style: Style) -> str:
    """What every line of a run begins with; its colour is the run's own."""
    colour = RUNS[sum(job_id.encode()) % len(RUNS)]
    return style(f"|  {job_id[:SHORT]}", colour) + "  "


def bar_of_job(job: str, style: Style) -> str:
    """The same before a worker has a run: what a handler prints while it is imported."""
    return style.dim(f"|  {job}") + "  "


def bar_of_function(function: str, style: Style) -> str:
    """What every line of a function begins with; its colour is the function's own."""
    colour = RUNS[sum(function.encode()) % len(RUNS)]
    return style(f"|  {function}", colour) + "  "


def of_function(said: str | Failure, style: Style) -> Sequence[str]:
    """What a function has printed, or how it has failed."""
    if isinstance(said, str):
        return printable.lines(said)
    return [*error(said, style), *details(said)]


def error(failure: Failure, style: Style, word: str = "Error") -> Sequence[str]:
    """The word, and what is wrong: the message may have several lines."""
    what = f"{failure.type}: {failure.message}" if failure.message else failure.type
    return [
        f"{style.bad(word)}{' ' * (8 - len(word))}{line}" if index == 0 else f"        {line}"
        for index, line in enumerate(printable.lines(what))
    ]


def invoked(job: str, payload: bytes, attempt: int, max_attempts: int, style: Style) -> str:
    """An attempt begins."""
    again = f" (attempt {attempt} of {max_attempts})" if max_attempts > 1 else ""
    return f"{style.bold('Invoke')} {job}{again} {style.dim(shorten(payload))}"


def waits(wait: Waits, style: Style) -> str:
    """A limit keeps a run from starting."""
    limit = "the job's own concurrency" if wait.own else "--concurrency"
    taken = f"{wait.limit} of {wait.limit} slots are taken"
    return f"{style.warn('Waiting')} {wait.job}: {taken} ({limit})"


def missed(job: str, name: str) -> str:
    """A job's code looked up a variable that the shell has and live jobs do not get."""
    return f"{job} looks for {name}, which your shell has and jobs do not get: {how_to_pass(name)}"


def log_line(path: Path, root: Path, style: Style) -> str:
    """Where a run's log is."""
    return style.dim(f"log     {_below(path, root)}")


def ended(
    entry: RunRecord, style: Style, *, at: float | None = None, again: str | None = None
) -> Sequence[str]:
    """The last lines of a run. When only an attempt has ended, `at` is when (seconds since the
    epoch), and `again` says what will follow."""
    at = entry.ended_at if at is None else at
    took = duration(at - entry.started_at if at and entry.started_at else 0)
    last = [f"{style.warn('Again')}   {again}"] if again else []
    match entry.state:
        case State.SUCCEEDED:
            return [f"{style.good('Done')}    took {took}{style.dim(returned(entry.result))}"]
        case State.CANCELLED:
            return [f"{style.warn('Cancelled')} after {took}"]
        case State.TIMED_OUT:
            return [f"{style.bad('Timed out')} after {took}"]
    if entry.failure is None and again:
        return last
    failure = entry.failure or Failure("Failed", "no more is known")
    word = "Crashed" if entry.state is State.CRASHED else "Error"
    after = style.dim(f"        after {took}")
    return [*error(failure, style, word), *details(failure), after, *last]


def interrupted(change: Change, style: Style) -> str:
    """A run, or an attempt of it, has ended with an earlier daemon."""
    word = "Cancelled" if change.state is State.CANCELLED else "Crashed"
    return f"{style.bad(word)} {change.detail}"


def stopping(seconds: float, style: Style) -> str:
    """A run was asked to stop."""
    return f"{style.warn('Stopping')} SIGTERM was sent, SIGKILL in {duration(seconds)}"


def broken(job: str, failure: Failure, style: Style) -> Sequence[str]:
    """A handler that cannot be loaded."""
    head = f"{style.bad('Error')}  {job} cannot be loaded: "
    lines = printable.lines(f"{failure.type}: {failure.message}")
    return [head + lines[0], *(f"       {line}" for line in lines[1:]), *details(failure)]


def tried_again(job: str, pause: float, style: Style) -> str:
    """Runs wait for a job that cannot be loaded."""
    when = f"tried again in {duration(pause)}, then with longer pauses, and when it is saved"
    return f"{style.warn('Waiting')} {job}: it cannot be loaded; {when}"


def reloaded(job: str, seconds: float, style: Style) -> str:
    """A job has been loaded again."""
    return f"{style.good('Reloaded')} {job} in {duration(seconds)}"


def short(reason: str, style: Style) -> str:
    """The system has no worker to give, or (no reason) has them again."""
    if not reason:
        return style.good("workers can be started again")
    return style.bad(f"no worker can be started now: {reason}; what is asked for waits")


def app_broken(error: str, style: Style) -> str:
    """The app cannot be loaded or deployed."""
    return f"{style.bad('Error')}  {error}"


def restless(job: str, path: Path, root: Path, style: Style) -> str:
    """Something that a job reads when it is imported changes again and again."""
    what = f"{_below(path, root)}, which its import reads, changes again and again"
    return f"{style.warn('Notice')}  {job}: {what}; from now on it is loaded anew when it is run"


def elapsed(seconds: float) -> str:
    """``+12ms``, ``+3.41s``, ``+2m05s``: the time since the run began, padded to a column."""
    return f"+{duration(seconds)}".ljust(_ELAPSED_WIDTH)


def shorten(json_text: bytes) -> str:
    """A JSON text in one line, cut to `PAYLOAD_SHOWN` characters and fit for a terminal."""
    text = json_text[: PAYLOAD_SHOWN * 4 + 4].decode("utf-8", "replace").translate(_ONE_LINE)
    # JSON has no escape sequences in it; DEL and what is not ASCII it may have.
    return printable.shown(text if len(text) <= PAYLOAD_SHOWN else text[:PAYLOAD_SHOWN] + "…")


def returned(result: bytes | None) -> str:
    """What follows where a run's end is told: its result, unless that is null."""
    return "" if result in (None, b"null") else f", result {shorten(result or b'')}"


def _below(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
