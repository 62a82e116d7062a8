"""The developer's debuggers, between them and the processes of runs: `devbridge dev --debug`.

Each language has a `Debugger` of its own, which is started once a worker of that language may come.
All workers of a session share it, those of jobs and those of live functions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from devbridge.constructs import App, Function, Job
from devbridge.errors import DevbridgeError
from devbridge.languages.base import Workplace
from devbridge.languages.known import LANGUAGES
from devbridge.sources.runtimes import DEFAULT, Name, language_of
from devbridge.workers.debugging import Debuggee, Debugger, DebugListener


async def _nothing() -> None:
    pass


class Debuggers:
    """The debuggers of all languages, from `start` to `close`.

    Args:
        place: where the workers are.
        wait: seconds that a run waits for a debugger before it begins, where it must.
        wanted: workers are open to them from the beginning; else from `open` on.
        opened: has workers to come be so.
    """

    def __init__(
        self,
        place: Workplace,
        wait: float,
        *,
        wanted: bool = True,
        opened: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.wanted = wanted
        self._opened = opened
        self._place = place
        self._wait = wait
        self._started: dict[Name, Debugger | None] = {}
        self._starting, self._opening = asyncio.Lock(), asyncio.Lock()
        self._closed = False

    async def start(self, runtimes: Iterable[str]) -> None:
        """Have those ready that workers of these runtimes need."""
        for runtime in dict.fromkeys(runtimes):
            await self.debugger(runtime)

    async def open(self, runtimes: Iterable[str]) -> None:
        """Have workers of these runtimes be open to debuggers from now on. Idempotent.

        Raises:
            DevbridgeError: what they need is not there; what to do about it.
        """
        needed = dict.fromkeys(runtimes)
        for language in dict.fromkeys(map(_language, needed)):
            await asyncio.to_thread(LANGUAGES[language].require_debugger, self._place.python)
            if language in self._started and self._started[language] is None:
                del self._started[language]  # who asks again has mended what was in the way
        async with self._opening:
            if not self.wanted:
                self.wanted = True  # of the workers that are launched now
                try:
                    await self._opened()
                except BaseException:
                    self.wanted = False
                    raise
        await self.start(needed)  # it says where to attach: what begins after that can be stopped

    async def close(self) -> None:
        """Hang up on everybody. Idempotent."""
        self._closed = True
        async with self._starting:
            for debugger in filter(None, self._started.values()):
                await debugger.close()

    def of(self, listener: DebugListener) -> WorkersDebuggers:
        """Those of the workers whom `listener` hears."""
        return WorkersDebuggers(self.debugger, listener)

    @property
    def configurations(self) -> list[Mapping[str, Any]]:
        """How an editor finds those that are ready: entries of VS Code's launch.json."""
        return [debugger.configuration() for debugger in self._started.values() if debugger]

    async def debugger(self, runtime: str) -> Debugger | None:
        """That of a runtime's workers. None: it cannot be had, which was said."""
        language = _language(runtime)
        async with self._starting:
            if language not in self._started and not self._closed:
                debugger = LANGUAGES[language].debugger(self._place, self._wait)
                try:
                    await debugger.start()
                except (DevbridgeError, OSError) as error:
                    await debugger.close()
                    self._started[language] = None
                    self._place.say(f"runs cannot be debugged: {error}")
                else:
                    self._started[language] = debugger
            return self._started.get(language)


class WorkersDebuggers:
    """The debuggers of some workers.

    Args:
        debugger: tells that of a runtime.
    """

    def __init__(
        self, debugger: Callable[[str], Awaitable[Debugger | None]], listener: DebugListener
    ) -> None:
        self._debugger = debugger
        self._listener = listener
        self._known: dict[str, tuple[Debuggee, Debugger]] = {}
        """By the workers' ids."""

    async def reported(self, worker_id: str, runtime: str, report: bytes) -> Mapping[str, Any]:
        """A worker says something of itself, a JSON text; the answer, which lets it go on.

        Raises:
            ValueError: it is no such report.
        """
        document = json.loads(report)
        if worker_id not in self._known:
            if (debugger := await self._debugger(runtime)) is None:
                return {}
            self._known[worker_id] = Debuggee(worker_id, self._listener), debugger
        debuggee, debugger = self._known[worker_id]
        return await debugger.reported(debuggee, document if isinstance(document, dict) else {})

    def forget(self, worker_id: str) -> None:
        """The worker is gone. Idempotent."""
        if (known := self._known.pop(worker_id, None)) is not None:
            debuggee, debugger = known
            debugger.forget(debuggee)


def require_debuggers(app: App, python: Path) -> None:
    """See that what the debuggers of an app's live code need is there.

    Args:
        python: the app's interpreter.

    Raises:
        DevbridgeError: it is not; what to do about it.
    """
    codes: list[Job | Function] = [*app.of_type(Job), *app.of_type(Function)]
    for language in {code.language or DEFAULT for code in codes if code.live}:
        LANGUAGES[language].require_debugger(python)


def _language(runtime: str) -> Name:
    return language_of(runtime or None) or DEFAULT
