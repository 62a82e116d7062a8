"""Messages of runs that have failed for good: they are sent to their dead-letter queue.

What is owed is in the ledger, written with the run's end: a daemon that dies before it has sent a
message leaves it to the next one. One that dies between sending it and noting that leaves it, too:
SQS has it twice then, with the same run in it, which `devbridge dlq` takes for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from devbridge.daemon.told import Ended, Mood, NeverStarted, Told
from devbridge.errors import DevbridgeError
from devbridge.runs.base import RunRecord
from runner.dead_letters import DeadLetter, dead_letters
from runner.triggered import triggered

AGAIN: Final = 30.0
"""Seconds until what could not be sent is tried again."""
AT_END: Final = 5.0
"""Seconds for what is still owed when the daemon ends."""

Send = Callable[[str, DeadLetter], Awaitable[None]]
"""Sends a message as the job's role may; raises DevbridgeError."""
Say = Callable[[str, Mood], None]


class Owing(Protocol):
    """The ledger, as far as it tells what is owed."""

    def owed_letters(self) -> list[str]:
        """The ids of the runs whose message is still to be sent, the oldest first."""

    def get(self, job_id: str) -> RunRecord | None:
        """The run with this id."""

    def payload(self, job_id: str) -> bytes:
        """What it was given."""

    def letter_sent(self, job_id: str) -> None:
        """Nothing is owed for this run any more."""


class DeadLetters:
    """Sends what is owed; a listener of the narrator, which tells it that a run has ended."""

    def __init__(self, ledger: Owing, send: Send, say: Say) -> None:
        self._ledger = ledger
        self._send = send
        self._say = say
        self._ended = asyncio.Event()
        self._ended.set()
        self._trouble = ""
        self._sent: set[tuple[str, int]] = set()
        """Run and number of the messages that were sent of runs for which one is still owed, or
        for which it could not be noted."""

    def on(self, event: Told) -> None:
        """See `Listener.on`."""
        if isinstance(event, Ended | NeverStarted) and event.run.state.final:
            self._ended.set()

    async def watch(self) -> None:
        """Send what is owed, now and whenever a run has ended. Until it is cancelled; what is owed
        then is sent first, if that is soon done."""
        try:
            await self._go_on()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(0 if self._trouble else AT_END):
                    await self._send_owed()

    async def _go_on(self) -> None:
        while True:
            timeout = AGAIN if self._trouble else None
            try:
                async with asyncio.timeout(timeout):
                    await self._ended.wait()
            except TimeoutError:
                pass
            self._ended.clear()
            sending = asyncio.create_task(self._send_owed())
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:  # what is on its way arrives, and that is to be noted
                with suppress(TimeoutError):
                    async with asyncio.timeout(AT_END):
                        await sending
                raise

    async def _send_owed(self) -> None:
        failed: dict[str, DevbridgeError] = {}
        """By the job: what keeps one of its letters keeps the others, and none of another's."""
        for job_id in self._ledger.owed_letters():
            run = self._ledger.get(job_id)
            if run is not None and run.job in failed:
                continue
            try:
                await self._send_of(job_id, run)
            except DevbridgeError as error:
                failed[run.job if run else ""] = error
        if failed:
            self._tell_trouble(next(iter(failed.values())))
        elif self._trouble:
            self._say("the dead-letter queue takes messages again", Mood.GOOD)
            self._trouble = ""

    async def _send_of(self, job_id: str, run: RunRecord | None) -> None:
        found = triggered(self._ledger.payload(job_id))
        if run is not None and found is not None:
            letters = dead_letters(found, job_id, run.state.value, run.failure, run.attempt)
            for number, letter in enumerate(letters):
                if (job_id, number) not in self._sent:
                    await self._send(run.job, letter)
                    self._sent.add((job_id, number))
            if letters:
                count = len(letters)
                messages = "message is" if count == 1 else f"{count} messages are"
                self._say(
                    f"{job_id[:8]} has failed for good: its {messages} among the dead letters,"
                    f" see: devbridge dlq list {run.job}",
                    Mood.WARN,
                )
        self._ledger.letter_sent(job_id)
        self._sent = {each for each in self._sent if each[0] != job_id}

    def _tell_trouble(self, error: DevbridgeError) -> None:
        text = f"a message cannot be given up yet: {error.what}"
        if text != self._trouble:
            self._say(f"{text}; it is tried again every {AGAIN:g} s", Mood.BAD)
        self._trouble = text
