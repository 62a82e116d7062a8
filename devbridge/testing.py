"""Fakes for tests, with the same behaviour as what they stand in for; tested themselves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from devbridge.errors import BridgeError
from devbridge.transport.base import Connected, Delivery, Disconnected, Will


class FakeClock:
    """A clock that goes when it is told to. Call it for the time, in seconds."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Like `asyncio.sleep`, by this clock."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        wakened = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, wakened))
        await wakened

    def advance(self, seconds: float) -> None:
        """Let time pass; those whose sleep is over wake up, the earliest first."""
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            *_, wakened = heapq.heappop(self._sleepers)
            if not wakened.done():
                wakened.set_result(None)


@dataclass
class _Session:
    subscriptions: set[str] = field(default_factory=set)
    waiting: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """What was published and is not acknowledged, oldest first."""
    client: MemoryTransport | None = None
    persistent: bool = False


class MemoryBroker:
    """An MQTT broker in memory: persistent sessions, retained messages, wills, takeover.

    Topics are matched exactly. Set `refusal` and nobody can connect any more, `silent` and pings
    are not answered; `published` has all messages, in order.
    """

    def __init__(self) -> None:
        self.refusal: BridgeError | None = None
        self.silent = False
        self.published: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self._sessions: dict[str, _Session] = {}
        self._numbers = 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a message to all who have subscribed, now or when they come back."""
        self.published.append((topic, payload))
        if retain:
            self.retained[topic] = payload
        for session in self._sessions.values():
            if topic in session.subscriptions:
                self._send(session, topic, payload)

    def drop(
        self, client_id: str, reason: str = "the connection was reset", *, orderly: bool = False
    ) -> None:
        """Let a client's connection die without a goodbye of the client's."""
        session = self._sessions[client_id]
        if session.client is not None:
            ended = Disconnected(reason, orderly=orderly)
            self._end(client_id, session, ended, goodbye=False)

    def unacknowledged(self, client_id: str) -> int:
        """How many messages are kept for this client."""
        session = self._sessions.get(client_id)
        return len(session.waiting) if session else 0

    def _connect(self, client: MemoryTransport, subscriptions: Sequence[str]) -> Connected:
        if self.refusal is not None:
            raise self.refusal
        session = self._sessions.get(client.client_id)
        if session is not None and session.client is not None:
            ended = Disconnected("session taken over", taken_over=True)
            self._end(client.client_id, session, ended, goodbye=False)
            session = self._sessions.get(client.client_id)
        present = session is not None and not client.clean
        if session is None or not present:
            session = self._sessions[client.client_id] = _Session()
        session.client, session.persistent = client, client.session_expiry > 0
        session.subscriptions |= set(subscriptions)
        for number, (topic, payload) in session.waiting.items():
            client._receive(Delivery(topic, payload, (client._connection, number)))
        for topic in subscriptions:
            if topic in self.retained:
                self._send(session, topic, self.retained[topic])
        return Connected(session_present=present)

    def _send(self, session: _Session, topic: str, payload: bytes) -> None:
        self._numbers += 1
        session.waiting[self._numbers] = (topic, payload)
        if (client := session.client) is not None:
            client._receive(Delivery(topic, payload, (client._connection, self._numbers)))

    def _ack(self, client_id: str, number: int) -> None:
        self._sessions[client_id].waiting.pop(number, None)

    def _end(
        self, client_id: str, session: _Session, ended: Disconnected, *, goodbye: bool
    ) -> None:
        client, session.client = session.client, None
        if not session.persistent:
            del self._sessions[client_id]
        assert client is not None  # noqa: S101
        client._end(ended)
        if client._will is not None and not goodbye:
            self.publish(client._will.topic, client._will.payload, retain=True)


class MemoryTransport:
    """`transport.base.Transport` over a `MemoryBroker`."""

    def __init__(
        self,
        broker: MemoryBroker,
        client_id: str,
        *,
        clean: bool = False,
        session_expiry: int = 3600,
    ) -> None:
        self.client_id = client_id
        self.clean = clean
        self.session_expiry = session_expiry
        self.acked: list[Delivery] = []
        self.probes = 0
        self._broker = broker
        self._will: Will | None = None
        self._on_delivery: Callable[[Delivery], None] | None = None
        self._connection: object = None
        self._ended: asyncio.Future[Disconnected] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker now."""
        return self._ended is not None and not self._ended.done()

    async def connect(
        self,
        *,
        subscriptions: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        will: Will | None = None,
    ) -> Connected:
        """See `Transport.connect`. Raises the broker's `refusal`, if there is one."""
        await self.close()
        await asyncio.sleep(0)
        ended = asyncio.get_running_loop().create_future()
        self._on_delivery, self._will, self._connection = on_delivery, will, object()
        connected = self._broker._connect(self, subscriptions)
        self._ended = ended
        return connected

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """See `Transport.publish`."""
        if self.connected:
            self._broker.publish(topic, payload, retain=retain)

    @property
    def waiting(self) -> int:
        """See `Transport.waiting`: what is published is there at once."""
        return 0

    async def drain(self) -> bool:
        """See `Transport.drain`."""
        await asyncio.sleep(0)
        return self.connected

    async def probe(self, timeout: float) -> None:  # noqa: ASYNC109
        """See `Transport.probe`: the broker answers unless it is `silent`."""
        await asyncio.sleep(0)
        self.probes += 1
        if self.connected and self._broker.silent:
            self._broker.drop(self.client_id, f"no answer to a ping in {timeout:g} s")

    def ack(self, delivery: Delivery) -> None:
        """See `Transport.ack`."""
        self.acked.append(delivery)
        if self.connected and isinstance(delivery.token, tuple):
            connection, number = delivery.token
            if connection is self._connection:
                self._broker._ack(self.client_id, number)

    async def wait_closed(self) -> Disconnected:
        """See `Transport.wait_closed`."""
        if self._ended is None:
            return Disconnected("not connected")
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """See `Transport.close`."""
        if self.connected:
            session = self._broker._sessions[self.client_id]
            self._broker._end(self.client_id, session, Disconnected("closed"), goodbye=True)

    def _receive(self, delivery: Delivery) -> None:
        asyncio.get_running_loop().call_soon(self._hand_over, delivery)

    def _hand_over(self, delivery: Delivery) -> None:
        assert isinstance(delivery.token, tuple)  # noqa: S101
        if self.connected and delivery.token[0] is self._connection and self._on_delivery:
            self._on_delivery(delivery)

    def _end(self, ended: Disconnected) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(ended)


class MemoryObjects:
    """Stands for the stage's bucket (`devbridge.daemon.calls.Objects`)."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        """What is there, by its key."""

    def get(self, key: str) -> bytes:
        """The content of an object.

        Raises:
            LookupError: there is none.
        """
        return self.found[key]

    def put(self, key: str, body: bytes) -> None:
        """Store one."""
        self.found[key] = body
