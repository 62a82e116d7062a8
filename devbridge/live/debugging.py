"""The console's switch of debuggers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from devbridge.errors import DevbridgeError
from devbridge.languages.debuggers import Debuggers

PATIENCE: Final = 30.0
"""Seconds that it may take until debuggers are there."""


class Switch:
    """Opens a daemon's workers to debuggers, from any thread. Make it in the daemon's event loop.

    Args:
        runtimes: those of what is live now.
    """

    def __init__(self, debuggers: Debuggers, runtimes: Callable[[], Iterable[str]]) -> None:
        self._debuggers = debuggers
        self._runtimes = runtimes
        self._loop = asyncio.get_running_loop()

    @property
    def configurations(self) -> Sequence[Mapping[str, Any]]:
        """See `devbridge.console.subject.Debugging`."""
        return self._debuggers.configurations if self._debuggers.wanted else ()

    def open(self) -> None:
        """See `devbridge.console.subject.Debugging`."""
        opening = self._debuggers.open(self._runtimes())
        try:
            asyncio.run_coroutine_threadsafe(opening, self._loop).result(PATIENCE)
        except TimeoutError:
            raise DevbridgeError(
                f"the debuggers are not there after {PATIENCE:g} s: they are still being started",
                remedy="wait for the line `Debugger` in the terminal of `devbridge dev`",
            ) from None
