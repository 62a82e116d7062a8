"""Further connections, for answers that one connection may not send as fast as they come.

AWS IoT lets each connection publish 100 messages and 512 KiB a second (AWS IoT Core endpoints and
quotas, "Publish requests per second per connection" and "Throughput per second per connection").
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from devbridge.errors import BridgeError, CredentialsError
from devbridge.transport.base import Delivery, Transport

MOST: Final = 7
"""Connections beside the first: 800 messages and 4 MiB a second, in all."""
_log = logging.getLogger(__name__)


class Publishers:
    """Publishes over whichever connection has least to send, and makes another one when that has
    something, too. What was made is kept.

    Args:
        make: makes a client that is not connected yet, with a clean session.
    """

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._open: list[Transport] = []
        self._opening: asyncio.Task[None] | None = None
        self._watching: set[asyncio.Task[None]] = set()

    def publish(self, first: Transport, topic: str, payload: bytes) -> None:
        """Publish over `first` or another connection; never blocks."""
        least = min((first, *self._open), key=lambda each: each.waiting)
        least.publish(topic, payload)
        if least.waiting and self._opening is None and len(self._open) < MOST:
            self._opening = asyncio.get_running_loop().create_task(
                self._another(), name="publisher"
            )

    async def close(self) -> None:
        """Close them all. Idempotent."""
        tasks = [*self._watching, *([self._opening] if self._opening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        made, self._open, self._opening = self._open, [], None
        for each in made:
            await each.close()

    async def _another(self) -> None:
        transport = self._make()
        try:
            await transport.connect(subscriptions=(), on_delivery=_nothing_comes)
        except (BridgeError, CredentialsError) as error:
            _log.info("no further connection for answers: %s", error)
            await transport.close()
        else:
            self._open.append(transport)
            task = asyncio.get_running_loop().create_task(self._watch(transport), name="publisher")
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
        finally:
            self._opening = None

    async def _watch(self, transport: Transport) -> None:
        await transport.wait_closed()
        if transport in self._open:
            self._open.remove(transport)


def _nothing_comes(_delivery: Delivery) -> None:
    """Nothing was subscribed to."""
