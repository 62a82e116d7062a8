"""Workers that debuggers may find, and who is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

STEP: Final = 1.0
"""Seconds after which what was to take a step, and was not stopped again, goes on."""


class DebugListener(Protocol):
    """Told what becomes of runs, in the event loop's thread."""

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None:
        """Lines that begin so are its inspector's own, whatever prints them."""

    def worker_debugs(self, worker_id: str, url: str) -> None:
        """The worker waits for a debugger, which is to connect to this WebSocket."""

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        """The worker waits for a debugger, or a debugger has stopped it; or it goes on."""

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        """Whoever uses a debugger has stopped it there, at a line of a file ("" if that is not
        known), or (None) has it go on. Steps are not told."""


@dataclass(eq=False, slots=True)
class Debuggee:
    """A worker that debuggers may find."""

    worker_id: str
    listener: DebugListener
    reasons: set[object] = field(default_factory=set)
    """Why it is halted: the debuggers that have stopped it, and itself while it waits for one."""
    _paused: bool = False
    """That was told."""
    _steps: asyncio.TimerHandle | None = None

    def halt(self, why: object, halted: bool) -> None:
        """It is halted for this reason from now on, or no more for it."""
        before = bool(self.reasons)
        if halted:
            self.reasons.add(why)
        else:
            self.reasons.discard(why)
        if before != bool(self.reasons):
            self.listener.worker_halted(self.worker_id, halted)

    @contextlib.contextmanager
    def halting(self, why: object) -> Iterator[None]:
        """It is halted meanwhile."""
        self.halt(why, True)
        try:
            yield
        finally:
            self.halt(why, False)

    def paused(self, where: str, *, step: bool) -> None:
        """A debugger has stopped it there.

        Args:
            step: it was stopped before, and was to take a step.
        """
        self._end_step()
        if not (step and self._paused):
            self._tell(where)

    def resumed(self, *, step: bool) -> None:
        """It goes on.

        Args:
            step: it may be stopped again soon.
        """
        self._end_step()
        if step and self._paused:
            loop = asyncio.get_running_loop()
            self._steps = loop.call_later(STEP, self._tell, None)
        elif self._paused:
            self._tell(None)

    def _end_step(self) -> None:
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None

    def _tell(self, where: str | None) -> None:
        self._paused = where is not None
        self.listener.worker_paused(self.worker_id, where)


class Debugger(Protocol):
    """Serves debuggers of the workers of one language, from `start` to `close`."""

    async def start(self) -> None:
        """Begin.

        Raises:
            DevbridgeError: what it needs is not there.
            OSError: no socket could be opened.
        """

    async def close(self) -> None:
        """Hang up on everybody, and end what it has started. Idempotent."""

    async def reported(self, debuggee: Debuggee, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """A worker says something of itself; the answer, which lets it go on.

        Raises:
            ValueError: it is no such report.
        """

    def forget(self, debuggee: Debuggee) -> None:
        """The worker is gone. Idempotent."""

    def configuration(self) -> Mapping[str, Any]:
        """How an editor finds it: an entry of VS Code's launch.json."""
