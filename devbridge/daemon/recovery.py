"""What an earlier daemon left in the ledger, and what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.daemon.events import Requested
from devbridge.daemon.heartbeat import last_seen
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Interrupted
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.model import State
from runner.outcome import CRASHED, Failure, tried_again

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


def recover(live: Iterable[RunRecord], ended: Callable[[RunRecord], float]) -> Recovery:
    """What was queued is taken on; what ran gets its next attempt if its job has one left, else it
    has crashed; what was being cancelled is. The workers themselves died with their daemon. Pure.

    Args:
        ended: when the process of a run has ended, in seconds since the epoch.
    """
    recovery = Recovery()
    for entry in live:
        attempt = entry.attempt
        if entry.state is not State.QUEUED and not entry.waits_for_attempt:
            again = not entry.cancelled and tried_again(CRASHED, attempt, entry.max_attempts)
            over = State.CANCELLED if entry.cancelled else State.CRASHED
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
        recovery.runs.append(Requested(entry.job_id, entry.job, attempt))
    return recovery


def take_on(ledger: Ledger, narrator: Narrator, mark: Path) -> list[Requested]:
    """Write what has become of an earlier daemon's runs, say so, and return those to go on with.

    Args:
        mark: what that daemon has touched while it lived.

    Raises:
        LedgerError: the ledger cannot be read.
    """

    def ended(entry: RunRecord) -> float:
        """Its worker died with the daemon, whose last sign of life may be in the run's log."""
        began = entry.started_at or entry.created_at or 0.0
        return max(began, last_seen(mark, Path(entry.log)) or 0.0)

    with ledger.transaction():
        found = recover(ledger.live(), ended)
        for change in found.changes:
            ledger.record(change)
        ledger.close_ended()
    for change in found.changes:
        if entry := ledger.get(change.job_id):
            narrator.tell(Interrupted(change, entry))
    return found.runs
