"""Messages that their queues hold for the runs of this daemon: each is deleted when its run has
succeeded, and comes again when it has failed.

While the run waits or goes on, its message is hidden from others a little longer, again and again:
so it is back in its queue some minutes after this machine has gone, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from devbridge.daemon.handover import is_handed_over
from devbridge.daemon.told import Mood
from devbridge.errors import DevbridgeError
from devbridge.runs.base import SHORT, RunRecord
from devbridge.runs.model import JobSpec, State
from runner.dead_letters import Delivered, delivered
from runner.outcome import INVALID, retry_delay
from runner.triggered import HELD, Triggered, triggered

HIDDEN: Final = 300
"""Seconds that a message is hidden from now on."""
BEAT: Final = 60.0
"""Seconds until it is hidden anew."""
SURE: Final = HIDDEN - BEAT
"""Seconds after a daemon's end in which its messages are not back yet."""


class Queues(Protocol):
    """SQS, as a job's own role may use it. False: the message is not with this daemon any more.

    All raise DevbridgeError when it could not be asked.
    """

    async def hide(self, job: str, message: Delivered, seconds: int) -> bool:
        """Have a message come again after so many seconds."""

    async def delete(self, job: str, message: Delivered) -> bool:
        """Delete a message."""


class Runs(Protocol):
    """The ledger, as far as it tells what runs."""

    def live(self) -> list[RunRecord]:
        """The runs that have not ended."""

    def payload(self, job_id: str) -> bytes:
        """What a run was given."""


class Held:
    """Tells queues of the runs of their messages."""

    def __init__(
        self,
        ledger: Runs,
        queues: Queues,
        jobs: Callable[[], Mapping[str, JobSpec]],
        say: Callable[[str, Mood], None],
    ) -> None:
        self._ledger = ledger
        self._queues = queues
        self._jobs = jobs
        self._say = say
        self._lost: set[str] = set()
        """The runs whose message is not with this daemon any more, which was said."""

    async def settle(self, run: RunRecord, found: Triggered) -> None:
        """A run has ended: its message is deleted, or comes again.

        Raises:
            DevbridgeError: its queue could not be told; it is to be told again.
        """
        if is_handed_over(run):
            return  # to another daemon, which has the message with it
        invalid = run.failure is not None and run.failure.type == INVALID
        done = run.state is State.SUCCEEDED or run.cancelled or invalid
        delay = self._delay(run, found.delivery)
        for message in delivered(found):
            if done:
                there = await self._queues.delete(run.job, message)
            else:
                there = await self._queues.hide(run.job, message, delay or 0)
            if not there:
                self._tell_lost(run)
        self._lost.discard(run.job_id)
        if not done:
            text = f"goes to the dead-letter queue, see: devbridge dlq list {run.job}"
            if delay is not None:
                text = f"comes again in {delay} s"
            self._say(f"{run.job_id[:SHORT]} has not succeeded: its message {text}", Mood.WARN)

    def _delay(self, run: RunRecord, delivery: int) -> int | None:
        """Seconds until a message comes again; None: SQS gives it up, being received for the last
        time."""
        spec = self._jobs().get(run.job)
        if spec is not None and delivery >= spec.max_attempts:
            return None
        return round(retry_delay(spec.retry_delay, delivery)) if spec else 0

    async def watch(self) -> None:
        """Keep messages hidden. Until it is cancelled."""
        while True:
            await self.hide()
            await asyncio.sleep(BEAT)

    async def hide(self) -> None:
        """Keep the messages hidden of all runs that have not ended."""
        for run in self._ledger.live():
            body = self._ledger.payload(run.job_id)
            if not body.startswith(HELD) or (found := triggered(body)) is None:
                continue
            try:
                kept = [await self._queues.hide(run.job, each, HIDDEN) for each in delivered(found)]
            except DevbridgeError:
                continue  # the next beat may come in time
            if not all(kept):
                self._tell_lost(run)

    def _tell_lost(self, run: RunRecord) -> None:
        if run.job_id not in self._lost:
            self._lost.add(run.job_id)
            what = f"the message of {run.job_id[:SHORT]} has gone back to its queue: it comes again"
            self._say(what, Mood.WARN)
