"""Processes that wait for the debugger that was told of them, and what becomes of them without it.

debugpy has such a process wait until a debugger has attached and said that it is done, however long
that takes, and whether it is still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 10.0
"""Seconds that a process waits for a debugger to attach; editors take less than one."""


class Waiting:
    """Who is waited for, by which process. For the event loop's thread.

    Args:
        release: has a process go on, given its id, and whether nobody came in time.
        patience: seconds.
    """

    def __init__(self, release: Callable[[int, bool], object], patience: float = PATIENCE) -> None:
        self._release = release
        self._patience = patience
        self._for: dict[int, object] = {}

    def expect(self, pid: int, whom: object) -> None:
        """A process waits from now on, for this debugger to attach."""
        self._for[pid] = whom
        asyncio.get_running_loop().call_later(self._patience, self._late, pid, whom)

    def take(self, pid: object, whom: object) -> None:
        """This debugger attaches to a process, which waits for it now, if it waits at all."""
        if isinstance(pid, int) and pid in self._for:
            self._for[pid] = whom

    def go(self, pid: object) -> None:
        """A process goes on, or is gone. Idempotent."""
        if isinstance(pid, int):
            self._for.pop(pid, None)

    def leave(self, whom: object) -> None:
        """This debugger is gone: what waits for it goes on. Idempotent."""
        for pid in [pid for pid, found in self._for.items() if found is whom]:
            self._let_go(pid, late=False)

    def _late(self, pid: int, whom: object) -> None:
        if pid in self._for and self._for[pid] is whom:
            self._let_go(pid, late=True)

    def _let_go(self, pid: int, *, late: bool) -> None:
        del self._for[pid]
        self._release(pid, late)
