from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from devbridge.live.threads import in_thread


async def test_it_returns_and_raises_what_the_function_does() -> None:
    def fail() -> None:
        raise ValueError("no")

    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ValueError, match="no"):
        await in_thread(fail)


async def test_who_does_not_wait_any_more_is_not_disturbed() -> None:
    go, done = threading.Event(), threading.Event()

    def late() -> None:
        go.wait(30)
        done.set()

    task = asyncio.create_task(in_thread(late))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await asyncio.to_thread(done.wait, 30)
    await asyncio.sleep(0)


def test_a_process_ends_though_the_function_does_not() -> None:
    code = """
import asyncio, contextlib, threading
from devbridge.live.threads import in_thread

async def main():
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(in_thread(threading.Event().wait), 0.01)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
