"""What the daemon and the stub need of a transport, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker is and how to reach it."""

    host: str
    """The broker's name, e.g. ``a1b2-ats.iot.eu-west-1.amazonaws.com``: what the Host header says
    and, on AWS, what TLS and the signature are made for."""
    region: str
    dial: tuple[str, int] | None = None
    """Connect here instead, without TLS (the embedded cloud)."""


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """A snapshot of AWS credentials: enough to sign one connection."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"AwsCredentials(access_key={self.access_key[:4]}...)"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that has arrived and that the broker keeps until it is acknowledged."""

    topic: str
    payload: bytes
    token: object
    """What `Transport.ack` wants back. Only good for the connection that it came by."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes (retained) when the connection dies without a goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted. `session_present`: it kept our session and what waited in it."""

    session_present: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Why a connection ended."""

    reason: str
    taken_over: bool = False
    """Another client connected with our client id."""
    orderly: bool = False
    """The broker closed it: it was neither cut nor silent."""


class Transport(Protocol):
    """One client of a broker, asynchronous. `connect` may be called again after a disconnect."""

    async def connect(
        self,
        *,
        subscriptions: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        will: Will | None = None,
    ) -> Connected:
        """Connect, subscribe, and return when the broker has granted the subscriptions.

        `on_delivery` is called in the event loop's thread, from now on until the disconnect.

        Raises:
            BrokerUnreachable: no connection could be made in time.
            BrokerRefused: the broker answered, and said no.
        """

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send with QoS 1 as soon as possible; what is not acknowledged is lost on disconnect."""

    @property
    def waiting(self) -> int:
        """How many messages may not be sent yet: the broker has quotas."""

    async def drain(self) -> bool:
        """Return when the broker has acknowledged all that was published (True), or when the
        connection has ended and nobody knows (False)."""

    async def probe(self, timeout: float) -> None:  # noqa: ASYNC109
        """Ask the broker for a sign of life, and end the connection when none comes within so
        many seconds. Does nothing without a connection."""

    def ack(self, delivery: Delivery) -> None:
        """Acknowledge: the broker forgets the message. Silently ignored after a disconnect."""

    async def wait_closed(self) -> Disconnected:
        """Return, with the reason, when the connection has ended."""

    async def close(self) -> None:
        """Say goodbye (no will is published) and release everything. Idempotent."""
