"""Users' code in a thread of its own: it may never come to an end, and dev must."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """As `asyncio.to_thread`, in a thread that nobody waits for when the process ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def post(settle: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if future.done() else settle())

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            told = error
            post(lambda: future.set_exception(told))
        else:
            post(lambda: future.set_result(result))

    threading.Thread(target=run, name="users-code", daemon=True).start()
    return await future
