"""What deployed runs would lack of what live runs have imported: said while it can still be
mended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from devbridge.errors import DevbridgeError
from devbridge.live.voice import Voice

SETTLED: Final = 1.0
"""Seconds after an import before it is looked at: the run that imports it comes first."""


class Lacking:
    """Compares whenever workers have imported something new.

    Args:
        find: compares what these jobs import with what is packed of them; a text for each lack.
    """

    def __init__(self, find: Callable[[frozenset[str]], Iterable[str]], voice: Voice) -> None:
        self._find = find
        self._voice = voice
        self._jobs: set[str] = set()
        self._news = asyncio.Event()

    def imported(self, job: str) -> None:
        """The job's workers have imported something new."""
        self._jobs.add(job)
        self._news.set()

    async def watch(self) -> None:
        """Say each lack once, until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(SETTLED)
            self._news.clear()
            jobs = frozenset(self._jobs)
            self._jobs.clear()
            with contextlib.suppress(DevbridgeError, OSError):  # `deploy` says it
                for text in await asyncio.to_thread(self._find, jobs):
                    self._voice.once(self._voice.style.warn(text))
