"""What is told while the daemon lives, in the order in which it happens: frozen values.

Processes and the daemon tell; the terminal, the log files, and whoever else is a `Listener` of the
narrator (see `devbridge.daemon.narrator`) take what concerns them. Nobody answers.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from runner.outcome import Failure


class Mood(enum.Enum):
    """How a sentence is meant."""

    PLAIN = enum.auto()
    LOUD = enum.auto()
    GOOD = enum.auto()
    WARN = enum.auto()
    BAD = enum.auto()


@dataclass(frozen=True, slots=True)
class Who:
    """A worker: the job whose handler it has, and the run that it was given, if it was."""

    worker_id: str
    job: str
    """Or the function, of a worker of a live function."""
    job_id: str = ""
    """Or the request."""
    function: bool = False
    """It is a live function's."""


# --- workers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Printed:
    """A worker, or what it has started, wrote to stdout or stderr: bytes, as they came."""

    who: Who
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Began:
    """An attempt begins: what its worker prints from now on belongs to its run."""

    who: Who
    attempt: int
    max_attempts: int
    payload: bytes = field(repr=False)
    """A JSON text."""
    pid: int | None = field(default=None, compare=False, repr=False)
    """That of the worker's process."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """A run's worker was asked to end, and will be killed after this many seconds. Told again when
    fewer are left."""

    who: Who
    seconds: float


@dataclass(frozen=True, slots=True)
class Remarked:
    """A sentence of devbridge's own about a worker, or the run that it has."""

    who: Who
    text: str
    mood: Mood


@dataclass(frozen=True, slots=True)
class Paused(Remarked):
    """That a debugger has stopped the run somewhere, or lets it go on."""

    where: str | None
    """None: it goes on."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A sentence of devbridge's own about a run, which its log has, too."""

    who: Who
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over, and all that its worker has printed was told. The worker is gone; or it
    is noted next why it is not, and what it still prints follows."""

    who: Who
    change: Change
    run: RunRecord
    """The run after that change, begun when the attempt was; it is not final when another attempt
    follows."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The last that is told of a worker."""

    who: Who


# --- runs that no worker has --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """A run, or the next attempt of one, has ended before a worker had it."""

    change: Change
    run: RunRecord
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An attempt has ended with an earlier daemon, as this one finds when it starts."""

    change: Change
    run: RunRecord


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A run that had not started is a newer daemon's now."""

    change: Change
    run: RunRecord


@dataclass(frozen=True, slots=True)
class Arrived:
    """A run was asked for, and is in the ledger."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """A run was taken whose message stays in its queue until it has ended."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Waits:
    """A limit keeps a run from starting. Told once of each attempt."""

    job_id: str
    job: str
    limit: int
    own: bool
    """The limit is the job's own, not the daemon's."""


# --- jobs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broken:
    """A job's handler cannot be loaded."""

    job: str
    failure: Failure
    worker_id: str
    """Who has found out."""
    new: bool = True
    """This error was not told since the last save."""
    function: bool = False
    """It is a live function's handler."""


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """Runs wait for a job that cannot be loaded: they cause another try after some seconds, and
    further ones with pauses that grow. Told once until the job is loaded or saved."""

    job: str
    pause: float


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A job that was saved, or that could not be loaded, has been loaded again."""

    job: str
    seconds: float
    more: bool = False
    """Others are being loaded again, too."""
    function: bool = False
    """It is a live function."""


@dataclass(frozen=True, slots=True)
class Restless:
    """What a job reads while it is imported changes again and again: it is not reloaded for that
    any more, only before it is run."""

    job: str
    path: Path


@dataclass(frozen=True, slots=True)
class Deployed:
    """These are the app's jobs and live functions now."""

    jobs: tuple[str, ...]
    functions: tuple[str, ...] = ()


# --- functions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionPrinted:
    """A function of the app has printed this in the cloud, or has failed so: in that order."""

    function: str
    said: tuple[str | Failure, ...] = field(repr=False)
    """Texts of one line or more, and errors."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A live function's worker has a request: what it prints from now on belongs to that."""

    who: Who
    what: str
    """In words: ``POST /factorial``."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request of a live function is over, and what its worker has printed until then was told."""

    who: Who
    """Without a worker's id: none has had it."""
    what: str
    """As when it was `Requested`."""
    how: str
    """How it was answered, in a word or none: ``202``."""
    mood: Mood
    """How that is meant."""
    seconds: float
    """Since the worker has it."""
    failure: Failure | None = None
    """Why it was not."""


# --- the daemon ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Short:
    """Workers cannot be started, and what waits goes on waiting; or (no reason) they can again."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class AppBroken:
    """The app cannot be loaded or deployed as it was saved. Told once of each error."""

    error: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence about none of these."""

    text: str
    mood: Mood = Mood.PLAIN


Told = (
    Printed
    | Began
    | Stopping
    | Remarked
    | Paused
    | Noted
    | Ended
    | Gone
    | NeverStarted
    | Interrupted
    | HandedOver
    | Arrived
    | Held
    | Waits
    | Broken
    | TriedAgain
    | Reloaded
    | Restless
    | FunctionPrinted
    | Requested
    | Answered
    | Deployed
    | Short
    | AppBroken
    | Said
)
