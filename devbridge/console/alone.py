"""A console without `devbridge dev`: of the ledger that one has left, or of a deployed stage."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from devbridge.config import Config
from devbridge.console.door import FILE, Door
from devbridge.console.keys import Keys
from devbridge.console.listener import Heard
from devbridge.console.subject import Subject
from devbridge.interrupts import heeded
from devbridge.runs.lock import daemon_runs


def there_is(config: Config) -> str | None:
    """A link to the console of the `devbridge dev` that runs here; None: there is none."""
    keys = Keys.read(config.stage_dir / FILE)
    if keys.launch and daemon_runs(config):
        return keys.link()
    return None


def serve(subject: Subject, opened: Callable[[str], None]) -> None:
    """Have a console until a signal ends it.

    Args:
        opened: is given the link, once there is somebody behind it.

    Raises:
        OSError: no socket could be opened.
    """
    asyncio.run(_serve(subject, opened))


async def _serve(subject: Subject, opened: Callable[[str], None]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if heeded(number):
            loop.add_signal_handler(number, stop.set)
    door = Door(subject, Heard())
    await door.start()
    try:
        await asyncio.to_thread(opened, door.link)
        await stop.wait()
    finally:
        await door.close()
