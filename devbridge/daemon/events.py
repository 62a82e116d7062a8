"""What the supervisor is told and what it answers: events and effects, plain values.

Times are seconds since the epoch.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

from devbridge.daemon.jobs import Jobs
from devbridge.daemon.told import Broken, Short, TriedAgain, Waits
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit
from runner import dead_letters
from runner.outcome import Failure

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requested:
    """A job is in the ledger, QUEUED."""

    job_id: str
    job: str
    attempt: int = 1
    goes_on: bool = False
    """The attempt had begun, and goes on at its checkpoint."""


@dataclass(frozen=True, slots=True)
class StandbyReady:
    """A worker has loaded its handler, and waits."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class StandbyFailed:
    """The handler could not be imported."""

    worker_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The system had no descriptor, process or memory for this worker now: it may have later."""

    worker_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Responded:
    """The handler has returned; `result` is a JSON text."""

    worker_id: str
    job_id: str
    result: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """The handler ended with an error."""

    worker_id: str
    job_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Lingers:
    """A worker whose run was answered waits for these before it ends."""

    worker_id: str
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker's process is gone."""

    worker_id: str
    exit: Exit
    out_of_memory: bool = False
    """The kernel has killed it because memory ran out."""


@dataclass(frozen=True, slots=True)
class Halted:
    """The worker waits for a debugger, or one has stopped it: its time does not pass; or (not
    `halted`) it goes on."""

    worker_id: str
    halted: bool


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants a run to end."""

    job_id: str


@dataclass(frozen=True, slots=True)
class SourcesChanged:
    """What these jobs imported was saved: their standbys are out of date."""

    jobs: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """The app was deployed: these are the jobs there are now."""

    jobs: Jobs


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """These runs, which have not started, are somebody else's now."""

    job_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unentered:
    """These runs, which were requested just now, could not be entered in the ledger: what was
    decided for them since is not performed, and they are forgotten."""

    job_ids: frozenset[str]


STOPPED: Final = Failure(dead_letters.STOPPED, "devbridge dev was stopped")


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Start nothing more; what runs is told to stop, and its end is what `failure` says."""

    failure: Failure = STOPPED
    lost: bool = False
    """Nobody wanted it: something that the daemon needs is gone."""


Event = (
    Requested
    | StandbyReady
    | StandbyFailed
    | NotStarted
    | Responded
    | Raised
    | Lingers
    | Exited
    | Halted
    | CancelRequested
    | SourcesChanged
    | JobsChanged
    | Tick
    | Withdrawn
    | Unentered
    | Shutdown
)


# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a worker that imports the job's handler and waits."""

    worker_id: str
    job: str


@dataclass(frozen=True, slots=True)
class Give:
    """Hand the run to this waiting worker."""

    worker_id: str
    job: str
    job_id: str
    attempt: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the worker's process group."""

    worker_id: str
    number: signal.Signals
    grace: float = 0.0
    """Seconds until the worker is killed, if it does not end by itself."""


@dataclass(frozen=True, slots=True)
class GoesOn:
    """Say what a worker whose run was answered still does, and that it has so many seconds left."""

    worker_id: str
    left: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """Write a change of state to the ledger, then show it."""

    change: Change
    worker_id: str = ""
    """Whose attempt it ends, if it ends one."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A job has a standby again after a start, a save, a deployment or an error that was shown."""

    job: str


Effect = Launch | Give | Signal | GoesOn | Record | Broken | Ready | TriedAgain | Waits | Short
