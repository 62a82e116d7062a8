"""What an earlier daemon left in the ledger, and what is to become of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.daemon.events import Requested
from devbridge.daemon.heartbeat import last_seen
from devbridge.daemon.held import SURE
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Interrupted
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.model import State
from runner.outcome import CRASHED, Failure, tried_again
from runner.triggered import delivery_of

WENT_BACK = Failure(
    "DaemonEnded", "devbridge dev ended before the job had begun: its message comes again"
)
LOST = Failure("DaemonEnded", "devbridge dev ended while the job was running")


def lost_with(error: Exception) -> Failure:
    """What has become of the runs of a daemon that an error ends."""
    lines = str(error).splitlines() or [type(error).__name__]
    what = lines[0].removesuffix(", after:")  # the end of a log follows there
    return Failure(LOST.type, f"{LOST.message}: {what}")


@dataclass(frozen=True, slots=True)
class Recovery:
    """Write `changes`, then request `runs`, in order."""

    changes: list[Change] = field(default_factory=list)
    runs: list[Requested] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    """The ids of those that go on at their checkpoint."""


def recover(
    live: Iterable[RunRecord],
    ended: Callable[[RunRecord], float],
    gets_on: Callable[[RunRecord], bool] = lambda _: False,
    delivery: Callable[[RunRecord], int] = lambda _: 0,
    away: Callable[[RunRecord], bool] = lambda _: False,
) -> Recovery:
    """What was queued is taken on; what ran goes on at its checkpoint, or gets its next attempt if
    its job has one left, else it has crashed; what was being cancelled is. The workers themselves
    died with their daemon. Pure.

    Args:
        ended: when the process of a run has ended, in seconds since the epoch.
        gets_on: whether a run has a checkpoint, and another one than when a daemon died before.
        delivery: which delivery of its message a run is, if that comes again when it fails.
        away: whether that message may be back in its queue, because nobody was here to keep it.
    """
    recovery = Recovery()
    for entry in live:
        attempt = entry.attempt
        if number := delivery(entry):
            _recover_held(recovery, entry, number, ended(entry), away=away(entry))
            continue
        if entry.state is not State.QUEUED and not entry.waits_for_attempt:
            goes_on = not entry.cancelled and gets_on(entry)
            again = not entry.cancelled and tried_again(CRASHED, attempt, entry.max_attempts)
            over = State.CANCELLED if entry.cancelled else State.CRASHED
            if goes_on:
                recovery.resumed.append(entry.job_id)
                recovery.runs.append(Requested(entry.job_id, entry.job, attempt, goes_on=True))
                recovery.changes.append(
                    Change(
                        job_id=entry.job_id,
                        state=State.QUEUED,
                        at=ended(entry),
                        attempt=attempt,
                        detail=f"{LOST.message}: it goes on at its checkpoint",
                    )
                )
                continue
            attempt += again
            recovery.changes.append(
                Change(
                    job_id=entry.job_id,
                    state=State.QUEUED if again else over,
                    at=ended(entry),
                    attempt=attempt,
                    failure=None if entry.cancelled else LOST,
                    detail=LOST.message,
                )
            )
            if not again:
                continue
        begun = entry.waits_for_attempt and attempt == 1
        recovery.runs.append(Requested(entry.job_id, entry.job, attempt, goes_on=begun))
    return recovery


def _recover_held(
    recovery: Recovery, entry: RunRecord, number: int, at: float, *, away: bool
) -> None:
    """Of a run whose message comes again: one that has not begun is taken on, if the message is
    surely still this daemon's; any other has ended."""
    if entry.state is State.QUEUED and not away and not entry.cancelled:
        recovery.runs.append(Requested(entry.job_id, entry.job, number, once=True))
        return
    state = State.CANCELLED if entry.cancelled else State.CRASHED
    why = WENT_BACK if entry.state is State.QUEUED else LOST
    recovery.changes.append(
        Change(
            job_id=entry.job_id,
            state=state,
            at=at,
            attempt=number,
            failure=None if entry.cancelled else why,
            detail=why.message,
        )
    )


def take_on(ledger: Ledger, narrator: Narrator, mark: Path) -> list[Requested]:
    """Write what has become of an earlier daemon's runs, say so, and return those to go on with.

    Args:
        mark: what that daemon has touched while it lived.

    Raises:
        LedgerError: the ledger cannot be read.
    """

    def ended(entry: RunRecord) -> float:
        """Its worker died with the daemon, whose last sign of life may be in the run's log; and
        not before the attempt began."""
        began = max(step.at for step in ledger.history(entry.job_id))
        return max(began, last_seen(mark, Path(entry.log)) or 0.0)

    def gets_on(entry: RunRecord) -> bool:
        there = ledger.checkpoint(entry.job_id)
        return there is not None and there != ledger.begun_at(entry.job_id)

    def delivery(entry: RunRecord) -> int:
        return delivery_of(ledger.payload(entry.job_id))

    def away(entry: RunRecord) -> bool:
        return time.time() - ended(entry) > SURE

    with ledger.transaction():
        found = recover(ledger.live(), ended, gets_on, delivery, away)
        for change in found.changes:
            ledger.record(change)
        for job_id in found.resumed:
            ledger.goes_on(job_id)
        ledger.close_ended()
    for change in found.changes:
        if entry := ledger.get(change.job_id):
            narrator.tell(Interrupted(change, entry))
    return found.runs
