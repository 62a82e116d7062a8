"""Messages that their queues hold for the runs of this daemon: each is deleted when its run has
succeeded, and comes again when it has failed.

While the run waits or goes on, its message is hidden from others a little longer, again and again:
so it is back in its queue some minutes after this machine has gone, and not before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from devbridge.daemon import told
from devbridge.daemon.handover import is_handed_over
from devbridge.daemon.told import Mood, Told
from devbridge.errors import DevbridgeError
from devbridge.runs.base import SHORT, RunRecord
from devbridge.runs.model import JobSpec, State
from runner.dead_letters import STOPPED, Delivered, delivered
from runner.outcome import INVALID, retry_delay
from runner.triggered import HELD, Triggered, triggered

HIDDEN: Final = 300
"""Seconds that a message is hidden from now on."""
BEAT: Final = 60.0
"""Seconds until it is hidden anew."""
SURE: Final = HIDDEN - BEAT
"""Seconds after a daemon's end in which its messages are not back yet."""


class Queues(Protocol):
    """SQS, as a job's own role may use it. All raise DevbridgeError when it could not be asked."""

    async def hide(
        self, job: str, messages: Sequence[Delivered], seconds: int
    ) -> Collection[Delivered]:
        """Have messages of one queue come again after so many seconds; those that are not with this
        daemon any more."""

    async def delete(self, job: str, message: Delivered) -> bool:
        """Delete a message. False: it is not with this daemon any more."""


class Runs(Protocol):
    """The ledger, as far as it tells what runs."""

    def live(self) -> list[RunRecord]:
        """The runs that have not ended."""

    def get(self, job_id: str) -> RunRecord | None:
        """The run with this id."""

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
        self._trouble: dict[str, str] = {}
        """By the queue: why it could not be told, which was said."""
        self._taken: set[str] = set()
        """The runs whose message is to be hidden for the first time."""
        self._some_taken = asyncio.Event()
        self._telling = defaultdict[str, asyncio.Lock](asyncio.Lock)
        """By the queue: what is told of a run's end comes after what was told while it went on."""

    def on(self, event: Told) -> None:
        """See `Listener.on`."""
        if isinstance(event, told.Held):
            self._taken.add(event.job_id)
            self._some_taken.set()

    async def settle(self, run: RunRecord, found: Triggered) -> None:
        """A run has ended: its message is deleted, or comes again.

        Raises:
            DevbridgeError: its queue could not be told; it is to be told again.
        """
        if is_handed_over(run):
            return  # to another daemon, which has the message with it
        if run.failure is not None and run.failure.type == STOPPED:
            # It is still hidden: who reads its queue until this daemon has gone is not to get it.
            minutes = f"{HIDDEN // 60} minutes"
            what = f"its message comes again in {minutes} at most, once somebody is here"
            self._say(f"{run.job_id[:SHORT]} was stopped: {what}", Mood.WARN)
            return
        invalid = run.failure is not None and run.failure.type == INVALID
        done = run.state is State.SUCCEEDED or run.cancelled or invalid
        spec = self._jobs().get(run.job)
        delay = round(retry_delay(spec.retry_delay, found.delivery)) if spec else 0
        messages = delivered(found)
        async with self._telling[found.source]:
            if done:
                there = all([await self._queues.delete(run.job, each) for each in messages])
            else:
                there = not await self._queues.hide(run.job, messages, delay)
        if not there:
            self._tell_lost(run)
        self._lost.discard(run.job_id)
        if not done:
            text = f"{run.job_id[:SHORT]} has not succeeded: its message comes again in {delay} s"
            if spec is not None and found.delivery >= spec.max_attempts:
                text += f", or its queue gives it up then: devbridge dlq list {run.job}"
            self._say(text, Mood.WARN)

    async def watch(self) -> None:
        """Keep messages hidden, from when their run is taken. Until it is cancelled."""
        loop, next_beat = asyncio.get_running_loop(), 0.0
        while True:
            taken, self._taken = self._taken, set()
            self._some_taken.clear()
            if loop.time() >= next_beat:
                next_beat = loop.time() + BEAT
                await self.hide()
            else:
                await self.hide(taken)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_beat):
                    await self._some_taken.wait()

    async def hide(self, only: Collection[str] | None = None) -> None:
        """Keep the messages hidden of all runs that have not ended, or of some of them."""
        queues = defaultdict[tuple[str, str], list[tuple[RunRecord, Delivered]]](list)
        for run in self._ledger.live():
            if only is not None and run.job_id not in only:
                continue
            body = self._ledger.payload(run.job_id)
            if not body.startswith(HELD) or (found := triggered(body)) is None:
                continue
            queues[run.job, found.source] += [(run, each) for each in delivered(found)]
        await asyncio.gather(*(self._hide(*where, kept) for where, kept in queues.items()))

    async def _hide(self, job: str, queue: str, kept: list[tuple[RunRecord, Delivered]]) -> None:
        try:
            async with self._telling[queue]:
                kept = [each for each in kept if self._goes_on(each[0])]
                messages = [message for _, message in kept]
                gone = await self._queues.hide(job, messages, HIDDEN) if messages else []
        except DevbridgeError as error:  # the next beat may come in time
            if self._trouble.get(queue) != error.what:
                self._trouble[queue] = error.what
                name = queue.rpartition(":")[2]
                what = f"messages of {name} may come again while their runs go on: {error.what}"
                self._say(f"{what}; it is tried again every {BEAT:g} s", Mood.WARN)
            return
        self._trouble.pop(queue, None)
        for run, message in kept:
            if message in gone:
                self._tell_lost(run)

    def _goes_on(self, run: RunRecord) -> bool:
        found = self._ledger.get(run.job_id)
        return found is not None and not found.state.final

    def _tell_lost(self, run: RunRecord) -> None:
        if run.job_id not in self._lost:
            self._lost.add(run.job_id)
            what = f"the message of {run.job_id[:SHORT]} has gone back to its queue: it comes again"
            self._say(what, Mood.WARN)
