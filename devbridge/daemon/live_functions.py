"""The live functions of a stage, from the bridge to their workers and back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final

from devbridge.daemon.bridge import Bridge
from devbridge.daemon.calls import Calls
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.pool.functions import Functions
from devbridge.daemon.reloading import Reloading
from devbridge.daemon.settings import Settings, Workshop
from devbridge.runs.model import FunctionSpec

FINISH: Final = 3.0
"""Seconds that requests have when the daemon ends. Nobody else goes on with them."""


class LiveFunctions:
    """What the daemon has of them, from `start` to `close`."""

    def __init__(
        self,
        settings: Settings,
        workshop: Workshop,
        narrator: Narrator,
        reloading: Reloading,
        bridge: Bridge,
        stale: float,
    ) -> None:
        """`stale`: see `devbridge.daemon.freshness.Freshness`."""
        self._calls = Calls(bridge, bridge.topics, workshop.objects, narrator, stale)
        self._functions = Functions(
            settings, workshop, narrator, reloading, answer=self._calls.answer
        )
        self._calls.callee = self._functions
        bridge.on_call, reloading.functions = self.frame, self

    async def start(self, functions: Mapping[str, FunctionSpec]) -> None:
        """Serve workers of these functions, by name.

        Raises:
            OSError: no socket could be opened.
        """
        await self._functions.start()
        self.adopt(functions)

    def adopt(self, functions: Mapping[str, FunctionSpec]) -> None:
        """These are the live functions now, by name."""
        self._functions.adopt(functions)

    def saved(self, keys: frozenset[str]) -> None:
        """What workers of these functions, by their keys, have read is another now."""
        self._functions.saved(keys)

    def frame(self, payload: bytes) -> None:
        """One has come over the bridge."""
        self._calls.frame(payload)

    async def watch(self) -> None:
        """Look at the clocks, for ever."""
        await self._calls.watch()

    @property
    def broken(self) -> Sequence[str]:
        """The functions that cannot be loaded, as far as that is known."""
        return self._functions.broken

    def leave(self) -> int:
        """Take no more requests; how many are under way."""
        self._calls.leaving = True
        return self._functions.under_way

    async def finish(self) -> None:
        """Let those be answered, within `FINISH` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH):
                await self._functions.finish()
                await self._calls.finish()

    async def close(self) -> None:
        """End the workers, and give up what is on its way. Idempotent."""
        await self._functions.close()
        await self._calls.close()

    def kill(self) -> None:
        """SIGKILL to every worker's process group."""
        self._functions.kill()
