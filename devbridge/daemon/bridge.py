"""The bridge: keeps one MQTT connection to the stage's stubs, through every kind of failure.

It connects again for ever, with growing and jittered pauses, and says so. It ends only when it is
cancelled or when a newer daemon has taken the stage over. What arrives is handed on in batches, so
that a burst costs one ledger transaction; nothing is acknowledged here.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast

from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.protocol import codec
from devbridge.protocol.errors import ProtocolError
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import Presence, Reply, Topics
from devbridge.protocol.session import DaemonSession, Deliver, Discard, Effect, frames
from devbridge.transport.base import Delivery, Disconnected, Transport, Will

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
TAKEOVER_LOOKUP: Final = 3.0
"""Seconds to find out who has taken over."""
TICK: Final = 5.0
"""Seconds between looks for requests whose fragments never came."""


def pause(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds before the reconnect number `attempt` (from 0): doubling, between half and full."""
    most = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 16))
    return most / 2 + most / 2 * jitter()


class Bridge:
    """One stage's connection. `run` is its life; the other methods may be called at any time."""

    def __init__(
        self,
        make_transport: Callable[[str, bool], Transport],
        topics: Topics,
        presence: Presence,
        *,
        on_requests: Callable[[Sequence[Deliver]], None],
        say: Callable[[str], None],
    ) -> None:
        """`make_transport(client id, clean)` makes a client that is not connected yet."""
        self._make_transport = make_transport
        self._topics = topics
        self._presence = presence
        self._on_requests = on_requests
        self._say = say
        self._transport = make_transport(topics.daemon_client_id, False)
        self._session = DaemonSession()
        self._batch: list[Deliver] = []
        self.connected = asyncio.Event()
        self._leaving = False
        self.taken_over = False
        self.taken_over_by: Presence | None = None
        self.discarded = 0

    async def run(self) -> None:
        """Connect and stay connected until cancelled or taken over.

        Raises:
            BrokerUnreachable: the very first connection could not be made.
            BrokerRefused: the broker refused the very first connection.
            CredentialsError: there were none to sign the very first connection with.
        """
        attempt, lost_at = 0, 0.0
        try:
            while True:
                try:
                    await self._connect()
                except (BrokerUnreachable, BrokerRefused, CredentialsError) as error:
                    if not lost_at:
                        raise
                    wait = pause(attempt)
                    attempt += 1
                    self._say(f"still no connection: {error.what}; trying again in {wait:.0f} s")
                    await asyncio.sleep(wait)
                    continue
                if lost_at:
                    self._say(f"connected again after {time.time() - lost_at:.0f} s")
                attempt = 0
                ended = await self._until_closed()
                lost_at = time.time()
                if self._leaving:
                    return
                if ended.taken_over:
                    self.taken_over = True
                    self.taken_over_by = await self._who_took_over()
                    return
                wait = pause(attempt)
                self._say(f"connection lost: {ended.reason}; trying again in {wait:.0f} s")
                await asyncio.sleep(wait)
        finally:
            await self._transport.close()

    def reply(self, stub_id: str, reply: Reply) -> None:
        """Answer a stub. Lost when there is no connection: the stub asks again."""
        for frame in frames(reply):
            self._transport.publish(self._topics.replies(stub_id), frame)

    def ack(self, deliver: Deliver) -> None:
        """The ledger has it: the broker may forget it."""
        for token in deliver.tokens:
            self._ack(token)

    async def leave(self) -> None:
        """Say goodbye: from now on stubs know that nobody is here."""
        self._leaving = True
        if self.connected.is_set():
            self.connected.clear()
            self._announce(online=False)
            await self._transport.drain()

    async def _connect(self) -> None:
        self._session = DaemonSession()  # the broker delivers all unacknowledged frames again
        gone = _announcement(replace(self._presence, online=False))
        await self._transport.connect(
            subscriptions=[self._topics.requests],
            on_delivery=self._delivered,
            will=Will(self._topics.presence, gone),
        )
        self._announce(online=True)
        await self._transport.drain()  # whoever is told that we are ready finds us announced
        self.connected.set()

    async def _until_closed(self) -> Disconnected:
        async def tick() -> None:
            while True:
                await asyncio.sleep(TICK)
                self._perform(self._session.tick(time.time()))

        ticking = asyncio.create_task(tick(), name="bridge-tick")
        try:
            return await self._transport.wait_closed()
        finally:
            self.connected.clear()
            ticking.cancel()
            await asyncio.wait([ticking])  # a cancellation of our own must pass, so no suppress

    def _announce(self, *, online: bool) -> None:
        presence = _announcement(replace(self._presence, online=online))
        self._transport.publish(self._topics.presence, presence, retain=True)

    def _delivered(self, delivery: Delivery) -> None:
        self._perform(self._session.receive(delivery.payload, delivery, time.time()))

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Deliver():
                    if not self._batch:
                        asyncio.get_running_loop().call_soon(self._flush)
                    self._batch.append(effect)
                case Discard(tokens, reason):
                    self.discarded += 1
                    self._say(f"a message from the bridge was dropped: {reason}")
                    for token in tokens:
                        self._ack(token)

    def _ack(self, token: object) -> None:
        self._transport.ack(cast(Delivery, token))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        self._on_requests(batch)

    async def _who_took_over(self) -> Presence | None:
        """Read the newcomer's announcement, with a client id that disturbs nobody."""
        found: asyncio.Future[Presence] = asyncio.get_running_loop().create_future()

        def look(delivery: Delivery) -> None:
            presence = _announced(delivery.payload)
            if presence is None or found.done():
                return
            if presence.online and presence.daemon_id != self._presence.daemon_id:
                found.set_result(presence)

        onlooker = self._make_transport(f"{self._topics.daemon_client_id}-{codec.new_id()}", True)
        try:
            await onlooker.connect(subscriptions=[self._topics.presence], on_delivery=look)
            return await asyncio.wait_for(found, TAKEOVER_LOOKUP)
        except (BrokerUnreachable, BrokerRefused, CredentialsError, TimeoutError):
            return None
        finally:
            await onlooker.close()


def _announcement(presence: Presence) -> bytes:
    (frame,) = frames(presence)
    return frame


def _announced(frame: bytes) -> Presence | None:
    reassembler = Reassembler(max_messages=1, max_bytes=len(frame), max_age=1.0, max_frames=1)
    for event in reassembler.add(frame, None, 0.0):
        if isinstance(event, Complete):
            with contextlib.suppress(ProtocolError):
                message = codec.decode(event.body)
                return message if isinstance(message, Presence) else None
    return None
