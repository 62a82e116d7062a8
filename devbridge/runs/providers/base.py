"""The door to what runs deployed jobs: start a run there, stop it, look at it, hear of its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from devbridge.runs.model import State
from runner.outcome import Failure

INTERRUPTED: Final = 75
"""The exit code of a runner that was interrupted and has stored its last checkpoint: the run goes
on elsewhere (``EX_TEMPFAIL``: try again)."""
KILLED: Final = 137
"""The exit code of a container that was ended by SIGKILL."""
_AT_ONCE: Final = 100

Client = Callable[[str], Any]
"""Gives botocore's client for a service, when it is needed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that is to be started."""

    run_id: str
    """The whole id."""
    uuid: str
    payload: Mapping[str, str]
    """The variables that tell the runner its payload or where that is."""
    restarts: int = 0
    """How often the run was started before."""

    @property
    def token(self) -> str:
        """The same for the same start: what the provider knows it again by."""
        return f"{self.uuid}-{self.restarts}" if self.restarts else self.uuid

    @property
    def variables(self) -> dict[str, str]:
        """What the runner must be told of this run."""
        return {"DEVBRIDGE_RUN_ID": self.run_id, **self.payload}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a provider tells of what it runs."""

    state: State
    failure: Failure | None = None
    infrastructure: bool = False
    """It has ended because the place it ran in was taken away, or has gone."""
    exit_code: int | None = None
    """Of the runner, or of the command of a container job, if it has ended by itself."""
    started_at: float | None = None
    ended_at: float | None = None
    logs: tuple[tuple[str, str], ...] = ()
    """Groups and streams of CloudWatch Logs, in order."""
    attempt: int | None = None
    """The number of the last attempt, 0 if nobody has told it; None: the runner tells it."""
    result: bytes | None = None
    result_at: str = ""
    """The key of the result in the asset bucket, if the provider's record names it."""
    error_at: str = ""
    """The key of the error in the asset bucket, if its message is not here."""
    told: bool = False
    """That is how the run has ended: the provider knows what the runner has said."""
    silence: float = 0.0
    """Seconds after which a run that says nothing is over, where the provider tells of nothing; 0:
    it tells."""
    at_most: float = 0.0
    """The same of a run that has begun and has not said that it goes on elsewhere."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Something of a provider has ended, as an event tells."""

    uuid: str
    """The run's."""
    place: str
    """The provider's own id; empty: it has none that stays the same."""
    look: Look | None
    """What it is like now; None: the provider must be asked."""
    hop: int | None = None
    """Of what continues itself: how often it had, see `Told.hop`."""


class Provider(Protocol):
    """What runs a job."""

    name: str
    """As `compute` of a job is called."""
    repeatable: bool
    """A start that comes again, even at the same time, does not start a second one."""
    printers: str
    """Who else writes to the logs of its runs."""

    def start(self, asked: Asked) -> str:
        """Start a run, unless it has this one already; the provider's own id of it.

        Raises:
            NoRoom: it has no room for it now.
            ClientError, BotoCoreError: it was refused, or could not be asked.
        """

    def stop(self, place: str) -> None:
        """Stop what has this id, if it can be stopped and has not ended."""

    def look(self, places: Sequence[str]) -> Mapping[str, Look]:
        """What has these ids, by their ids; those that are not there, the provider has
        forgotten."""


class NoRoom(Exception):
    """A provider has no room for a run now: it may be asked again."""


def epoch(moment: Any, unit: float = 1.0) -> float | None:
    """A time of a provider in seconds since the epoch; `unit`: seconds of its numbers."""
    if moment is None or moment == "":
        return None
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).timestamp()
    return float(moment) * unit


def by_hundreds(places: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids, as many at once as BatchGetBuilds, DescribeJobs and DescribeTasks take."""
    for start in range(0, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]


def pairs(variables: Mapping[str, str]) -> Sequence[dict[str, str]]:
    """Variables as Batch and ECS take them."""
    return [{"name": name, "value": value} for name, value in variables.items()]
