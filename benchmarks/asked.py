"""Stubs, ours and those of others' ways, each in a process of its own, that do as they are asked.

A line goes in, e.g. ``call`` or ``calls 2000 50``, and one comes out when that is done, JSON:
seconds that it `took`, when it `ended` (nanoseconds since the epoch) and the `value` of a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import DEADLINE, REPOSITORY, Failed, clean_environment

LINE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """What a stub says of what it has done."""

    took: float
    ended: int
    value: Any


class Asked:
    """Such a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, *what: object) -> Done:
        """Have it done.

        Raises:
            Failed: it could not be.
        """
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(map(str, what)) + "\n").encode())
        found = json.loads(await self.line() or "null")
        if not isinstance(found, dict):
            raise Failed(f"a stub has ended, or said {found!r}, when asked for {what}")
        return Done(found["took"], found["ended"], found.get("value"))

    async def line(self) -> bytes:
        """The next line that it says."""
        assert self._process.stdout is not None
        return await asyncio.wait_for(self._process.stdout.readline(), DEADLINE)


@contextlib.asynccontextmanager
async def asked(command: Sequence[str], cwd: Path = REPOSITORY) -> AsyncIterator[Asked]:
    """A stub that is connected.

    Raises:
        Failed: it is not.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=clean_environment(),
        limit=LINE,
    )
    one = Asked(process)
    try:
        if await one.line() != b"ready\n":
            raise Failed(f"{command} is not ready")
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def ours(port: int, function: str) -> contextlib.AbstractAsyncContextManager[Asked]:
    """The stub of one of our live functions."""
    return asked([sys.executable, "-m", "benchmarks.stub", str(port), function])
