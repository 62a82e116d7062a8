"""Bundles as they will be deployed, made while the developer pauses: what only they break is said
within seconds of the save."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from devbridge.errors import BundleError, DevbridgeError
from devbridge.failures import in_full
from devbridge.workers.base import WorkerSpec

log = logging.getLogger(__name__)

PAUSE: Final = 1.5
"""Seconds after a launch in which its job is not launched again: the run that follows a save has
the processor first."""

Check = Callable[[WorkerSpec], Sequence[str]]
"""Bundles a job's code as it is deployed, in a thread, and returns what is to be warned of."""


class Checks:
    """Checks what was launched. Use it from one event loop.

    Args:
        say: takes a text of one or more lines.
    """

    def __init__(self, check: Check, say: Callable[[str], None]) -> None:
        self._check = check
        self._say = say
        self._specs: dict[str, WorkerSpec] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: dict[str, list[str]] = {}
        """What was found of each job the last time. Of those that share a file, it is said once."""

    def later(self, spec: WorkerSpec) -> None:
        """A worker of this was launched: check its code, after a pause."""
        if (earlier := self._timers.pop(spec.job, None)) is not None:
            earlier.cancel()
        self._specs[spec.job] = spec
        loop = asyncio.get_running_loop()
        self._timers[spec.job] = loop.call_later(PAUSE, self._begin, spec)

    async def settled(self) -> None:
        """Check now what was launched, and return when that is done."""
        for job, timer in list(self._timers.items()):
            timer.cancel()
            self._begin(self._specs[job])
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Check no more, and wait for what goes on. Idempotent."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, spec: WorkerSpec) -> None:
        del self._timers[spec.job]
        task = asyncio.get_running_loop().create_task(self._run(spec), name=f"check-{spec.job}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, spec: WorkerSpec) -> None:
        try:
            found = list(await asyncio.to_thread(self._check, spec))
        except BundleError as error:
            found = [f"cannot be bundled for deployment: {in_full(error.failure, spec.root)}"]
        except DevbridgeError as error:  # `deploy` says it
            log.info("%s is not checked: %s", spec.job, error)
            return
        before = {text for said in self._said.values() for text in said}
        self._said[spec.job] = found
        for text in found:
            if text not in before:
                self._say(f"warning: {spec.job}: {text}")
