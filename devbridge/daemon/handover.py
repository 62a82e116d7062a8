"""What becomes of an older daemon's runs when a newer one has taken the stage over.

Runs that have started stay and end where they are. Those that have not are *handed over*: asked for
once more, under the same ids, on the topic that the newer daemon reads. Only when the broker has
them are they marked in the older ledger: CANCELLED, with a failure of the type `HANDED_OVER`. Until
then they are QUEUED there, so that a crash loses none. A daemon does not answer for runs that it
has handed over, and takes one up again when it is handed back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from devbridge.daemon.bridge import Bridge
from devbridge.daemon.events import Event, Withdrawn
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import HandedOver, Mood
from devbridge.protocol import codec
from devbridge.protocol.messages import NOBODY, Presence, Run
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.model import State
from devbridge.words import many
from runner.outcome import Failure

HANDED_OVER: Final = "HandedOver"
LAST_QUESTIONS: Final = 30.0
"""Seconds for which the older daemon still answers for its runs after the last one has ended: who
waits for a result asks every few seconds."""


def who(newer: Presence | None) -> str:
    """How the terminal and the ledger name the newer daemon."""
    return f"{newer.user}@{newer.host} (pid {newer.pid})" if newer else "another daemon"


def is_handed_over(entry: RunRecord) -> bool:
    """Whether the run is a newer daemon's, and no longer this one's to answer for."""
    return entry.failure is not None and entry.failure.type == HANDED_OVER


class Handover:
    """Waits for a newer daemon, and makes way for it.

    Args:
        unstarted: tells the ids of the runs that wait for their first attempt, in order.
        idle: set while nothing runs, waits or will be tried again.
        post: takes events, in order.
    """

    def __init__(
        self,
        bridge: Bridge,
        ledger: Ledger,
        narrator: Narrator,
        *,
        unstarted: Callable[[], Sequence[str]],
        idle: asyncio.Event,
        post: Callable[[Sequence[Event]], None],
    ) -> None:
        self._bridge = bridge
        self._ledger = ledger
        self._narrator = narrator
        self._unstarted = unstarted
        self._idle = idle
        self._post = post

    async def make_way(self) -> None:
        """Once a newer daemon has the stage: hand over what has not started, and return when all
        that has started is over and nobody asks for it any more.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        await self._bridge.taken_over.wait()
        newer = who(self._bridge.taken_over_by)
        waiting = self._unstarted()
        self._post([Withdrawn(frozenset(waiting))])
        busy = not self._idle.is_set()
        rest = "; the runs that have started end here" if busy else ""
        self._narrator.say(f"{newer} has taken this stage over{rest}", Mood.LOUD)
        for change in await hand_over(self._bridge, self._ledger, waiting, newer):
            if entry := self._ledger.get(change.job_id):
                self._narrator.tell(HandedOver(change, entry))
        if waiting:
            runs = many(len(waiting), "waiting run was", "waiting runs were")
            self._narrator.say(f"{runs} handed over")
        if busy:
            await self._idle.wait()
            self._narrator.say(
                f"all runs have ended; their results stay available for {LAST_QUESTIONS:g} s"
            )
            await asyncio.sleep(LAST_QUESTIONS)


async def hand_over(
    bridge: Bridge, ledger: Ledger, job_ids: Sequence[str], to: str
) -> Sequence[Change]:
    """Returns what the ledger says of these runs once the broker has them all.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    runs = [run for job_id in job_ids if (run := _request(ledger, job_id)) is not None]
    if not runs:
        return []
    while not await bridge.hand_over(runs):
        pass  # the bridge waits for the connection to come back
    now, failure = time.time(), Failure(HANDED_OVER, f"handed over to {to}")
    changes = [
        Change(
            job_id=run.job_id,
            state=State.CANCELLED,
            at=now,
            failure=failure,
            detail=failure.message,
        )
        for run in runs
    ]
    with ledger.transaction():
        for change in changes:
            ledger.record(change)
            ledger.closed(change.job_id)
    return changes


def _request(ledger: Ledger, job_id: str) -> Run | None:
    entry = ledger.get(job_id)
    if entry is None or entry.state is not State.QUEUED:
        return None
    return Run(
        request_id=codec.new_id(),
        stub_id=NOBODY,
        sent_at=time.time(),
        job=entry.job,
        job_id=job_id,
        payload=ledger.payload(job_id),
        checkpoint=ledger.checkpoint(job_id),
    )
