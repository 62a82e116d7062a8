"""What everybody asks of a run, wherever it runs. The standard library only: invokers import it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from devbridge.runs.model import Exit, State
from runner.outcome import Failure

SHORT: Final = 8
"""The characters of an id that are shown, or more where that many would not be unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run. Times are seconds since the epoch; None: not there, or not known."""

    job_id: str
    job: str
    state: State
    created_at: float | None = None
    """When it was asked for."""
    starts_at: float | None = None
    """When it is to start, while it is SCHEDULED."""
    started_at: float | None = None
    """When its first attempt began."""
    ended_at: float | None = None
    attempt: int = 1
    """The number of the last attempt, from 1; 0 when nobody has told which was the last."""
    max_attempts: int = 1
    exit: Exit | None = None
    """How its process ended, where that is known."""
    result: bytes | None = None
    """A JSON text, when the run has SUCCEEDED. A large one must be asked for."""
    failure: Failure | None = None
    log: str = ""
    """Where its output is: a file, or ``GROUP/STREAM`` of CloudWatch Logs."""
    closed: bool = False
    """Its worker is gone, and its output is complete."""
    cancelled: bool = False
    """Its end was asked for, whether that has come or not."""
    waits_for_attempt: bool = False
    """It is RUNNING, and `attempt`, its next one, has not started."""
    given: bytes = field(default=b"", compare=False, repr=False)
    """What it was given, or the beginning of that, as far as it is known without asking."""
    interruptions: int = 0
    """How often its machine was taken away, of a run in the cloud; a ledger's history has each."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a run's state."""

    at: float
    """Seconds since the epoch."""
    state: State
    attempt: int = 1
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What somebody who cancelled a run met, and what came of it."""

    job_id: str
    job: str
    was: State
    """The state before. In a final one there was nothing left to cancel."""
    state: State
    """The state now. A live run that was RUNNING still is, until its process has ended."""
    waits: bool = False
    """No `devbridge dev` was there: the next one cancels the run before it starts, or goes on."""


class Run(Protocol):
    """One run."""

    @property
    def record(self) -> RunRecord:
        """What was last known of it."""

    @property
    def poll(self) -> float:
        """Seconds between two refreshes, for whoever waits for its end."""

    @property
    def printers(self) -> str:
        """Who else writes to its log, in words; empty: nobody."""

    def refresh(self, *, result: bool = False) -> RunRecord:
        """Ask again.

        Args:
            result: with the result, however large it is.

        Raises:
            UnknownRun: it has been forgotten.
            CloudError: the result was large, and is not kept any more.
        """

    def history(self) -> Sequence[Step]:
        """Each change of its state that is known, the first one first."""

    def payload(self) -> bytes:
        """What it was given, a JSON text.

        Raises:
            NotFound: it is not kept, or not told here.
        """

    def checkpoint(self) -> bytes | None:
        """What it has yielded last, a JSON text; None: nothing, or nothing that is kept or told
        here."""

    def cancel(self) -> Cancellation:
        """Cancel it, whatever state it is in; return when the cancellation is taken.

        Raises:
            UnknownRun: it has been forgotten.
            InvokeError: nobody took the cancellation.
        """

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """What it has printed, in pieces. Afterwards, `record` is not older than the last of them.

        Args:
            follow: go on until the run has ended and all its output is there.
            everything: with what its `printers` have written.

        Raises:
            UnknownRun: its output has been deleted.
            NotFound: it cannot be read from here.
        """

    def tended(self) -> bool:
        """Whether somebody is there who goes on with it."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was asked for."""

    run: Run
    duplicate: bool
    """The key had started it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are looked for. What is empty, or None, is any."""

    job: str | None = None
    states: tuple[State, ...] = ()
    since: float | None = None
    """When it was asked for, at the earliest, in seconds since the epoch."""
    until: float | None = None
    """Before then."""
    trigger: str = ""
    """What has started it: the kind and the name of a trigger, ``queue orders``."""
    text: str = ""
    """Is in its payload, its error or its id; ASCII letters are the same in either case."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of runs, the newest first."""

    runs: Sequence[Run]
    after: str | None = None
    """Where the next page begins, which may be an empty one; None: this is the last."""
    total: int | None = None
    """How many there are in all; None: not known."""


class RunStore(Protocol):
    """Runs that are kept in one place."""

    def owns(self, run_id: str) -> bool:
        """Whether a run with this id, or an id that begins so, can be here only."""

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str,
        remember: bool,
        checkpoint: bytes | None = None,
    ) -> Started:
        """Start a run of a job.

        Args:
            payload: a JSON text.
            checkpoint: another one, where it begins.
            key: the same key is the same run.
            remember: the key is a user's own, which counts for as long as runs are remembered;
                else it is for the retries of one call.

        Raises:
            UnknownJob: there is no such job here.
            PayloadTooLarge: the job does not take that many bytes.
            InvokeError, CloudError: the run could not be started.
        """

    def get(self, run_id: str) -> Run:
        """The run with this whole id.

        Raises:
            UnknownRun: there is none.
        """

    def find(self, prefix: str, job: str | None = None) -> Sequence[Run]:
        """The runs, of that job if one is named, whose id begins so.

        Raises:
            NotDeployed: there is no place that could have them.
        """

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[Run]:
        """The newest runs, the newest first: of that job, and in that state, if one is named.

        Raises:
            NotDeployed: there is no place that could have them.
            NotFound: it cannot list runs.
        """

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """The newest runs that are wanted, the newest first.

        Args:
            after: `Found.after` of the page before; None: it is the first one.

        Raises:
            NotDeployed: there is no place that could have them.
            NotFound: it cannot list runs.
        """


class Account(Protocol):
    """One AWS account and region, real or embedded: what the stores need of a cloud."""

    @property
    def account(self) -> str:
        """The account's number, 12 digits."""

    @property
    def region(self) -> str:
        """``eu-west-1``"""

    @property
    def endpoint_url(self) -> str | None:
        """The embedded cloud's URL; None: it is AWS."""

    def client(self, service: str) -> Any:
        """Botocore's client for a service."""


def told(record: RunRecord) -> Sequence[Step]:
    """The changes of state that a record's times tell."""
    steps = []
    if record.created_at is not None:
        steps.append(Step(record.created_at, State.QUEUED))
    if record.started_at is not None:
        often = record.interruptions
        detail = f"interrupted {often} time{'s' if often > 1 else ''}" if often else None
        steps.append(Step(record.started_at, State.RUNNING, detail=detail))
    if record.ended_at is not None:
        steps.append(Step(record.ended_at, record.state, record.attempt))
    return steps


def shortened(run_id: str, all_ids: Sequence[str]) -> str:
    """The shortest beginning of an id, of `SHORT` characters or more, that no other id has."""
    others = [other for other in all_ids if other != run_id]
    length = SHORT
    while any(other.startswith(run_id[:length]) for other in others):
        length += 1
    return run_id[:length]
