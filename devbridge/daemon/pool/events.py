"""What the pool is told and what it answers: events and effects, plain values.

Times are seconds since the epoch.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from devbridge.daemon.pool.faults import Fault
from devbridge.daemon.told import Broken, Short
from devbridge.runs.model import Exit, FunctionSpec
from runner.outcome import Failure

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody calls a function."""

    request_id: str
    """The wire's: there is one of each call."""
    function: str
    aws_request_id: str
    until: float
    """When nobody waits for an answer any more."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Nobody waits for the answer to a request any more."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded its handler, and waits."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """The handler could not be loaded."""

    worker_id: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The system had no descriptor, process or memory for this worker now: it may have later."""

    worker_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A worker has answered the request that it was given."""

    worker_id: str
    answer: bytes | Fault


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker's process is gone."""

    worker_id: str
    exit: Exit
    failure: Failure
    """The same in words."""
    untaken: bool = False
    """The request that it was given never reached it."""


@dataclass(frozen=True, slots=True)
class Halted:
    """A debugger has stopped the worker: its time does not pass; or (not `halted`) it goes on."""

    worker_id: str
    halted: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """What these functions' workers have read was saved: they are out of date."""

    functions: frozenset[str]


@dataclass(frozen=True, slots=True)
class FunctionsChanged:
    """The app was deployed: these are its live functions now, by name."""

    functions: Mapping[str, FunctionSpec]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Take nothing more, and end every worker."""


Event = (
    Asked
    | Abandoned
    | Ready
    | NotLoaded
    | NotStarted
    | Answered
    | Exited
    | Halted
    | Saved
    | FunctionsChanged
    | Tick
    | Shutdown
)


# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a worker that imports the function's handler and waits."""

    worker_id: str
    function: str


@dataclass(frozen=True, slots=True)
class Give:
    """Hand the request to this waiting worker."""

    worker_id: str
    request_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the worker's process group."""

    worker_id: str
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the request: it is over."""

    request_id: str
    answer: bytes | Fault
    worker_id: str = ""
    """Who has handled it; empty: nobody has."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The request is over, and nobody waits for an answer."""

    request_id: str
    worker_id: str = ""
    """Who has handled it until now, and is killed; empty: nobody has."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A function has a worker again after a start, a save, a deployment or an error that was
    shown."""

    function: str


@dataclass(frozen=True, slots=True)
class Alone:
    """No further worker of the function can be loaded: those that it has go on."""

    function: str
    failure: Failure
    workers: int


Effect = Launch | Give | Signal | Answer | Dropped | Loaded | Alone | Short | Broken
