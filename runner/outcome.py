"""The states of a run, what is tried again, how ends are told, and the limits of it all.

For the daemon, which runs attempts on a laptop, as for `runner.host`, where a job is deployed.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

SCHEDULED = "SCHEDULED"
"""The state of a run whose time has not come. Nobody has taken it: a schedule is all there is, no
ledger and no provider has it, so it is neither of `LIVE` nor of `ENDED`."""
QUEUED = "QUEUED"
STARTING = "STARTING"
RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"
TIMED_OUT = "TIMED_OUT"
CRASHED = "CRASHED"

LIVE = (QUEUED, STARTING, RUNNING)
"""The states of a run that somebody has taken, and that has not ended."""
INTERRUPTED = "INTERRUPTED"
"""How an attempt may end, and never a run: the place that it ran in was taken away. It goes on in
another one as the same attempt."""
ENDED = (SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, CRASHED)
"""The states that a run never leaves."""
RETRIED = frozenset({FAILED, TIMED_OUT, CRASHED})
"""How an attempt ends that another one may follow."""

INVALID = "PayloadInvalid"
"""The type of the failure of a payload that is not what the handler declares: it never will be."""

LONGEST_RETRY_DELAY = 3600.0
"""Seconds."""
LINGER = 10.0
"""Seconds that a worker gets to go by itself when nothing of value depends on it any more: it has
answered, or it was never used; and then what it has started."""
KILL_AGAIN = 5.0
"""Seconds after which a worker that is still there is killed once more, should the first kill have
got lost."""
NOTE = "--- devbridge: "
"""What a line begins with that devbridge writes into a run's log."""
OUTPUT_AFTER_EXIT = 1.0
"""Seconds that an ended worker's output is read for; a process that left its group may hold it."""

_LAST_WORDS = 16 * 1024
"""Bytes in which V8's last words are, which a trace of its own frames follows."""

MAX_BODY = 6 * 1024 * 1024
"""Bytes of a payload or a result: Lambda's limit for a synchronous request and its response."""
MAX_CHECKPOINT = 256 * 1024
"""Bytes of a checkpoint."""
MAX_INLINE = 8 * 1024
"""Bytes of a payload that a build's environment holds, where it may. All others are put into S3."""
_ENDS_OF_V8 = ("SIGABRT", "SIGTRAP", "SIGILL")
"""The signals with which V8 ends its process when memory runs out, by version and processor."""
_OUT_OF_MEMORY = re.compile(
    rb"^(FATAL ERROR: .*JavaScript heap out of memory|# Fatal (process|JavaScript) out of memory)",
    re.MULTILINE,
)
_HEAP_FULL = (
    "the JavaScript heap was full, and Node ended itself: give it more memory_size, or a"
    " larger memory_limit where one is set"
)
OOM_KILLS = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
"""Where the kernel tells how many processes it has killed because memory ran out."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Another error that belongs to a failure: what caused it, what was being handled, a member of
    its group."""

    how: str
    """What stands before its type: ``caused by``, ``2 of 3:``. Without a type, all there is to
    tell: ``and 12 more``."""
    type: str = ""
    message: str = ""
    frames: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    depth: int = 0
    """In how many groups it is."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the user shall see it. `frames` are the user's own, outermost first."""

    type: str
    message: str
    frames: tuple[str, ...] = ()
    """Each one text like a traceback's: ``File "jobs/a.py", line 3, in f\\n    return 1 / 0``."""
    trace: tuple[str, ...] = ()
    """The whole traceback's lines, for the log file."""
    notes: tuple[str, ...] = ()
    """What `add_note` has added to it."""
    causes: tuple[Cause, ...] = ()
    """Each belongs to the one before it at the same depth, the first ones to the failure."""


@dataclass(frozen=True)
class End:
    """How an attempt, or a whole run, ended."""

    state: str
    result: bytes | None = None
    failure: Failure | None = None
    final: bool = False
    """Another attempt would end in the same way: the handler cannot be loaded."""
    took: float = field(default=0.0, compare=False)
    """Seconds since the handler was given its payload."""

    def again(self, attempt: int, attempts: int) -> bool:
        """Whether there is to be another attempt, this having been number `attempt`."""
        return not self.final and tried_again(self.state, attempt, attempts, self.failure)


def tried_again(state: str, attempt: int, attempts: int, failure: Failure | None = None) -> bool:
    """Whether attempt number `attempt` (from 1) of at most `attempts`, having ended in `state` with
    that failure, is followed by another."""
    invalid = failure is not None and failure.type == INVALID
    return attempt < attempts and state in RETRIED and not invalid


def retry_delay(delay: float, attempt: int) -> float:
    """Seconds between the end of attempt number `attempt` (from 1) and the next: doubling."""
    return min(LONGEST_RETRY_DELAY, delay * 2.0 ** min(attempt - 1, 16))


def crash(
    status: int,
    *,
    out_of_memory: bool = False,
    where: str = "",
    remedy: str = "give it more memory_size",
) -> Failure:
    """What to say of a worker that went without an answer.

    Args:
        status: its exit code, or the negative number of the signal that ended it.
        out_of_memory: the kernel has killed a process because memory ran out, or the worker has
            said itself that it did.
        where: what it was doing, if not the run itself.
        remedy: what helps when memory runs out.
    """
    failure = _crash(status, remedy if out_of_memory else "")
    return Failure(failure.type, f"{failure.message} {where}") if where else failure


def _crash(status: int, more_memory: str) -> Failure:
    if status >= 0:
        return Failure("Exited", f"the worker exited with code {status} without an answer")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if more_memory and name in _ENDS_OF_V8:
        return Failure("OutOfMemory", _HEAP_FULL)
    if name != "SIGKILL":
        return Failure("Killed", f"the worker was ended by {name}")
    if more_memory:
        text = f"memory ran out, and the kernel killed the worker: {more_memory}"
        return Failure("OutOfMemory", text)
    hint = " (the kernel does that when memory runs out)"
    return Failure("Killed", f"the worker was ended by SIGKILL{hint}")


class LastWords:
    """What a process has printed last: Node says there that it ends because its heap is full."""

    def __init__(self) -> None:
        self._tail = b""

    def add(self, data: bytes) -> None:
        """It has printed this."""
        self._tail = (self._tail + data)[-_LAST_WORDS:]

    def heap_was_full(self, status: int) -> bool:
        """Whether that is why it has ended.

        Args:
            status: its exit code, or the negative number of the signal that ended it.
        """
        ended = {int(getattr(signal, name)) for name in _ENDS_OF_V8 if hasattr(signal, name)}
        return -status in ended and _OUT_OF_MEMORY.search(self._tail) is not None


def oom_kills() -> int:
    """How many processes the kernel has killed so far because memory ran out.

    Of this control group where it has one of its own (cgroup v2), else of the machine. Where the
    kernel does not tell (macOS), 0.
    """
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            with open(path, "rb") as file:
                found = OOM_KILLS.search(file.read())
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0


def goes_on(left: Sequence[str], seconds: float) -> str:
    """What to say of a worker that has answered and is still there.

    Args:
        left: what it waits for, each with its name.
        seconds: until it is killed.
    """
    goes, they = ("go", "they are") if len(left) > 1 else ("goes", "it is")
    until = duration(seconds, whole=True)
    return f"the handler has ended, but {_listed(left)} {goes} on: {they} ended in {until}"


def was_ended(left: Sequence[str]) -> str:
    """What to say when it is killed."""
    return f"ended: {_listed(left)}" if left else "ended: the process, which was still there"


def _listed(texts: Sequence[str]) -> str:
    more = [f"{len(texts) - 3} more"] if len(texts) > 3 else []
    *first, last = [*texts[:3], *more]
    return f"{', '.join(first)} and {last}" if first else last


def duration(seconds: float, *, whole: bool = False) -> str:
    """A length of time as people say it: ``12ms``, ``1.20s``, ``2m05s``; in whole seconds where
    nobody has measured it more exactly: ``0s``, ``31s``."""
    if whole and (rounded := max(0, round(seconds))) < 60:
        return f"{rounded}s"
    if not whole and seconds < 0.9995:
        return f"{max(0, seconds) * 1000:.0f}ms"
    if not whole and seconds < 59.995:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest:02}s" if hours else f"{minutes}m{rest:02}s"


def summary(end: End) -> str:
    """How it ended, in one line: ``FAILED after 1.20s: KeyError: 'x'``."""
    took = f"{end.state} after {duration(end.took)}"
    if end.failure is None:
        return took
    error = f"{end.failure.type}: {end.failure.message}".splitlines()
    return f"{took}: {error[0]}"
