"""Requests from the bridge become entries of the ledger, events for the supervisor, and answers.

Called inside a ledger transaction; what it returns is performed after the commit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.daemon.events import (
    CancelRequested,
    Event,
    Requested,
)
from devbridge.daemon.handover import is_handed_over
from devbridge.daemon.jobs import Jobs
from devbridge.daemon.log_files import log_path
from devbridge.daemon.told import Arrived, Held, Mood, Said, Told
from devbridge.protocol import codec
from devbridge.protocol.codec import MAX_BODY
from devbridge.protocol.messages import (
    NOBODY,
    REJECT_BUSY,
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_JOB,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
    StatusReply,
    Topics,
)
from devbridge.runs.base import SHORT, RunRecord
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State
from runner import documents
from runner.messages import earlier_keys
from runner.triggered import HELD, Triggered, message_ids, triggered

_EARLY: Final = 1000
"""Cancellations of runs that are not known, of which the newest are remembered."""
MESSAGE_SHOWN: Final = 4096
"""Characters of an error's type and message that go over the bridge; the ledger has all."""
ERROR_SHOWN: Final = 8 * 1024
"""Bytes of an error with all that belongs to it, in a message's head."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request came to. `reply` is asked for once the events have been handled."""

    events: tuple[Event, ...]
    reply: Callable[[], Reply]


class Dispatcher:
    """Knows the ledger and which jobs there are."""

    def __init__(
        self,
        ledger: Ledger,
        jobs: Jobs,
        logs: Path,
        cancelled: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """
        Args:
            logs: the folder of the runs' log files.
            cancelled: whether a run was cancelled here while its request waited in the broker.
        """
        self.jobs = jobs
        self.tell: Callable[[Told], object] = lambda _: None
        """Tells the developer, and whoever else is to hear."""
        self.topics = Topics("", "")
        """Those of the app and the stage, by which runs are named."""
        self._ledger = ledger
        self._logs = logs
        self._cancelled = cancelled
        self._cancels: OrderedDict[str, float] = OrderedDict()
        """When the cancellations were sent that came before their runs: brokers promise no order
        of what has waited."""

    def take(self, request: Request, now: float) -> Taken:
        """Take a request, at `now` (seconds since the epoch).

        Raises:
            LedgerError: the run that it is about cannot be looked up.
        """
        match request:
            case Run():
                return self._run(request, now)
            case Cancel():
                return self._cancel(request)
            case Status():
                return Taken((), lambda: self._status(request))

    def enter(self, run: Run, now: float) -> bool:
        """Put a run into the ledger; False when it is there already."""
        entered = self._ledger.add(
            NewRun(
                job_id=run.job_id,
                job=run.job,
                payload=run.payload,
                created_at=now,
                log_path=str(log_path(self._logs, run.job, run.job_id)),
                max_attempts=self.jobs[run.job].max_attempts,
            )
        )
        if entered and run.checkpoint is not None:
            self._ledger.reached(run.job_id, run.checkpoint)
        if entered:
            self.tell(Arrived(run.job_id))
        return entered

    def _run(self, run: Run, now: float) -> Taken:
        if run.job not in self.jobs:
            there = ", ".join(sorted(self.jobs)) or "none"
            return _answer(
                Rejected(
                    request_id=run.request_id,
                    code=REJECT_UNKNOWN_JOB,
                    message=shorten(f"the app has no job {run.job!r}; it has: {there}"),
                )
            )
        held = triggered(run.payload) if run.payload.startswith(HELD) else None
        if held is not None and (earlier := self._before(run, held)) is not None:
            return self._instead(run, earlier)
        if (going := self._going(run, now)) is not None:
            return Taken((), lambda: self._accepted(run, going, new=False))
        new = self.enter(run, now) or self._taken_back(run, now)

        def accepted() -> Reply:
            return self._accepted(run, run.job_id, new=new)

        if not new:
            return Taken((), accepted)
        if held is not None:
            self.tell(Held(run.job_id))
        delivery = held.delivery if held is not None else 1
        requested = Requested(run.job_id, run.job, delivery, once=held is not None)
        if self._cancels.pop(run.job_id, 0.0) >= run.sent_at or self._cancelled(run.job_id):
            self._ledger.cancelled(run.job_id)
            return Taken((requested, CancelRequested(run.job_id)), accepted)
        return Taken((requested,), accepted)

    def _before(self, run: Run, held: Triggered) -> RunRecord | None:
        """The run of an earlier delivery of the same message, if it goes on, or is done."""
        if held.delivery == 1:
            return None
        keys = earlier_keys(held)
        for key in keys:
            job_id = codec.job_id(self.topics.app, self.topics.stage, run.job, key)
            entry = self._ledger.get(job_id)
            if entry is not None and (not entry.state.final or _is_done(entry)):
                return entry
        return None if keys else self._shares(run)

    def _shares(self, run: Run) -> RunRecord | None:
        """A run that goes on and has one of the messages of this one, which are several."""
        ids = message_ids(run.payload)
        for other in self._ledger.live():
            same = other.job == run.job and other.job_id != run.job_id
            if same and ids & message_ids(self._ledger.payload(other.job_id)):
                return other
        return None

    def _instead(self, run: Run, earlier: RunRecord) -> Taken:
        """What a delivery is answered with that is not run, for the sake of an earlier one. The
        stub has a message deleted whose run is done."""
        what = f"{earlier.job_id[:SHORT]}, the run of an earlier delivery of its message,"
        if earlier.state.final:
            self._say(f"{run.job}: {what} was done: the message is deleted")
            return Taken((), lambda: self._accepted(run, earlier.job_id, new=False))
        self._say(f"{run.job}: {what} goes on: this delivery of it is used up without a run")
        said = f"{what} goes on"
        return _answer(Rejected(request_id=run.request_id, code=REJECT_BUSY, message=said))

    def _say(self, text: str) -> None:
        self.tell(Said(text, Mood.WARN))

    def _accepted(self, run: Run, job_id: str, *, new: bool) -> Reply:
        state = self._state(job_id)
        return Accepted(request_id=run.request_id, job_id=job_id, state=state, duplicate=not new)

    def _going(self, run: Run, now: float) -> str | None:
        """The id of a run of the same schedule that goes on, where they do not overlap."""
        if run.alone is None or self._ledger.get(run.job_id) is not None:
            return None
        going = self._ledger.going(run.job, run.alone)
        if going is None:
            return None
        self._ledger.passed_over(going, now)
        self._say(
            f"{run.job}: schedule {run.alone!r}: its run {going.job_id[:8]} goes on, so nothing is"
            " started this time"
        )
        return going.job_id

    def _taken_back(self, run: Run, now: float) -> bool:
        """Whether this run had been handed over, and now is handed back. What a stub repeats, runs
        at the daemon that it was handed to."""
        entry = self._ledger.get(run.job_id)
        if run.stub_id != NOBODY or entry is None or not is_handed_over(entry):
            return False
        self._ledger.record(
            Change(job_id=run.job_id, state=State.QUEUED, at=now, detail="handed back")
        )
        return True

    def _cancel(self, request: Cancel) -> Taken:
        entry = self._own(request)
        if entry is None:
            self._cancels[request.job_id] = request.sent_at
            if len(self._cancels) > _EARLY:
                self._cancels.popitem(last=False)
            return _answer(_unknown_run(request))

        def cancelled() -> Reply:
            return Cancelled(
                request_id=request.request_id,
                job_id=request.job_id,
                state=self._state(request.job_id),
                was=entry.state.value,
            )

        if entry.state.final:
            return Taken((), cancelled)
        self._ledger.cancelled(request.job_id)
        return Taken((CancelRequested(request.job_id),), cancelled)

    def _own(self, request: Cancel | Status) -> RunRecord | None:
        """A run that this daemon answers for, to the invoker of that run's job."""
        entry = self._ledger.get(request.job_id)
        if entry is None or is_handed_over(entry):
            return None
        return entry if request.job in ("", entry.job) else None

    def _status(self, request: Status) -> Reply:
        entry = self._own(request)
        if entry is None:
            return _unknown_run(request)
        result = entry.result if request.with_result else None
        if result is not None and len(result) > MAX_BODY:
            return Rejected(
                request_id=request.request_id,
                code=REJECT_TOO_LARGE,
                message=f"the result has {len(result):,} bytes, which AWS Lambda does not return:"
                " put it in S3 and return the key",
            )
        return StatusReply(
            request_id=request.request_id,
            job_id=entry.job_id,
            job=entry.job,
            state=entry.state.value,
            attempt=entry.attempt,
            max_attempts=entry.max_attempts,
            result=result,
            error_type=shorten(entry.failure.type) if entry.failure else None,
            error_message=shorten(entry.failure.message) if entry.failure else None,
            error=documents.text(entry.failure, ERROR_SHOWN) if entry.failure else None,
        )

    def _state(self, job_id: str) -> str:
        entry = self._ledger.get(job_id)
        return (entry.state if entry else State.QUEUED).value


def _is_done(entry: RunRecord) -> bool:
    """Whether the message of a run that has ended is not to come again."""
    return entry.state is State.SUCCEEDED or (entry.state is State.CANCELLED and entry.cancelled)


def shorten(text: str) -> str:
    """An error of any length must fit into a message's head."""
    return text if len(text) <= MESSAGE_SHOWN else text[:MESSAGE_SHOWN] + "…"


def _answer(reply: Reply) -> Taken:
    return Taken((), lambda: reply)


def _unknown_run(request: Cancel | Status) -> Rejected:
    return Rejected(
        request_id=request.request_id,
        code=REJECT_UNKNOWN_RUN,
        message=f"nothing is known of a run {request.job_id!r}",
    )
