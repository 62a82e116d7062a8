"""MQTT 5 over WebSocket for asyncio: the daemon's transport.

All happens in the event loop: asyncio moves the bytes, `Link` decides. asyncio sets TCP_NODELAY
on its connections, without which a round trip takes 40 ms longer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from devbridge.errors import BridgeError, BrokerUnreachable, CredentialsError
from devbridge.transport import sigv4, tunnel
from devbridge.transport.base import (
    AwsCredentials,
    Connected,
    Delivery,
    Disconnected,
    Endpoint,
    Will,
)
from devbridge.transport.link import Link, LinkOptions
from devbridge.transport.pacer import Pacer, pacer_for, published_size

_PORT: Final = 443
_TICKS: Final = 4
"""How often in one keep-alive interval the connection is looked after."""
_GOODBYE: Final = 1.0
"""Seconds that the last bytes have to leave."""


class MqttTransport:
    """`base.Transport` over MQTT 5. One object outlives many connections.

    `credentials` is asked before each connection, in a thread, as it may refresh them.
    `clean` starts without the broker's memory of us; `session_expiry` is how many seconds it
    remembers us (and keeps our messages) after a disconnect.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        credentials: Callable[[], AwsCredentials | None],
        *,
        clean: bool,
        session_expiry: int,
        keep_alive: int = 30,
        connect_timeout: float = 10.0,
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._credentials = credentials
        self._clean = clean
        self._session_expiry = session_expiry
        self._keep_alive = keep_alive
        self._connect_timeout = connect_timeout
        self._connection: _Connection | None = None
        self._granted: frozenset[str] = frozenset()

    async def connect(
        self,
        *,
        subscriptions: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        will: Will | None = None,
    ) -> Connected:
        """See `base.Transport.connect`.

        Raises:
            BrokerUnreachable: no connection could be made in time.
            BrokerRefused: the broker answered, and said no.
            CredentialsError: there are no credentials to sign the connection with.
        """
        await self.close()
        endpoint = self._endpoint
        host, port = endpoint.dial or (endpoint.host, _PORT)
        try:
            async with asyncio.timeout(self._connect_timeout) as limit:
                path, context = await asyncio.to_thread(self._secure)
                options = LinkOptions(
                    host=endpoint.host,
                    path=path,
                    client_id=self._client_id,
                    clean=self._clean,
                    session_expiry=self._session_expiry,
                    keep_alive=self._keep_alive,
                    subscriptions=subscriptions,
                    granted=self._granted,
                    will=will,
                )
                loop = asyncio.get_running_loop()

                def heard() -> None:
                    # What has waited comes first, and may take long on a slow line.
                    if not limit.expired():
                        limit.reschedule(loop.time() + self._connect_timeout)

                connection = self._connection = _Connection(
                    loop, options, on_delivery, heard, pacer_for(endpoint)
                )
                try:
                    await self._dial(connection, host, port, context)
                    connected = await connection.ready
                except BaseException:
                    connection.abort()
                    raise
        except TimeoutError:
            raise _unreachable(f"no answer in {self._connect_timeout:g} s", host, port) from None
        except OSError as error:
            raise _unreachable(str(error), host, port) from error
        self._granted = frozenset(subscriptions)
        return connected

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """See `base.Transport.publish`. Without a connection the message is lost. On AWS, what
        would exceed the connection's quotas waits for its turn."""
        if self._connection is not None:
            self._connection.publish(topic, payload, retain)

    @property
    def waiting(self) -> int:
        """See `base.Transport.waiting`."""
        return 0 if self._connection is None else self._connection.waiting

    async def drain(self) -> bool:
        """See `base.Transport.drain`."""
        return self._connection is not None and await self._connection.drain()

    async def probe(self, timeout: float) -> None:  # noqa: ASYNC109
        """See `base.Transport.probe`."""
        if self._connection is not None:
            await self._connection.probe(timeout)

    def ack(self, delivery: Delivery) -> None:
        """See `base.Transport.ack`."""
        if self._connection is not None:
            self._connection.ack(delivery)

    async def wait_closed(self) -> Disconnected:
        """See `base.Transport.wait_closed`."""
        if self._connection is None:
            return Disconnected("not connected")
        return await asyncio.shield(self._connection.ended)

    async def close(self) -> None:
        """See `base.Transport.close`."""
        if self._connection is not None:
            await self._connection.close()

    async def _dial(
        self, connection: asyncio.Protocol, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()
        if not tunnel.proxy_for(self._endpoint):
            await loop.create_connection(lambda: connection, host, port, ssl=context)
            return
        way = await asyncio.to_thread(tunnel.connect, self._endpoint, self._connect_timeout)
        await loop.create_connection(
            lambda: connection, sock=way, ssl=context, server_hostname=host if context else None
        )

    def _secure(self) -> tuple[str, ssl.SSLContext | None]:
        credentials = self._credentials()
        if credentials is not None:
            path = sigv4.signed_path(self._endpoint, credentials)
        elif self._endpoint.dial is not None:  # a broker of one's own may ask for none
            path = sigv4.PATH
        else:
            raise CredentialsError(
                "no AWS credentials to sign the connection to AWS IoT with",
                where=self._endpoint.host,
                remedy="log in again, e.g. with `aws sso login`",
            )
        return path, None if self._endpoint.dial else ssl.create_default_context()


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: LinkOptions,
        on_delivery: Callable[[Delivery], None],
        heard: Callable[[], None],
        pacer: Pacer | None,
    ) -> None:
        """`heard` is called for all that comes until the connection is ready."""
        self.ready: asyncio.Future[Connected] = loop.create_future()
        self.ended: asyncio.Future[Disconnected] = loop.create_future()
        self._loop = loop
        self._interval = options.keep_alive / _TICKS
        self._on_delivery = on_delivery
        self._heard = heard
        self._lost: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._flushing = False
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pacer = pacer
        self._waiting: deque[tuple[str, bytes, bool]] = deque()
        self._turn: asyncio.TimerHandle | None = None
        self._pongs: deque[asyncio.Future[None]] = deque()
        self._link = Link(
            options,
            write=self._write,
            on_delivery=self._deliver,
            on_change=self._change,
            on_pong=self._ponged,
        )

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        if not self._link.open:
            return
        self._waiting.append((topic, payload, retain))
        if self._turn is None:
            self._publish()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _publish(self) -> None:
        """Send what waits, as far as the pacer allows."""
        self._turn = None
        while self._waiting:
            topic, payload, retain = self._waiting[0]
            if self._pacer is not None:
                wait = self._pacer.wait(published_size(topic, payload), self._loop.time())
                if wait > 0:
                    self._turn = self._loop.call_later(wait, self._publish)
                    return
            self._waiting.popleft()
            self._link.publish(topic, payload, retain=retain)

    def ack(self, delivery: Delivery) -> None:
        if isinstance(delivery.token, tuple):
            link, number = delivery.token
            if link is self._link and number is not None:
                self._link.ack(number)

    async def drain(self) -> bool:
        while self._waiting or self._link.unacknowledged:
            if self._drained is None or self._drained.done():
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)
        return self._link.ended is None

    async def probe(self, timeout: float) -> None:  # noqa: ASYNC109
        if not self._link.open:
            return
        pong: asyncio.Future[Any] = self._loop.create_future()
        self._pongs.append(pong)  # the broker answers them in their order
        self._link.ping()
        await asyncio.wait([pong, self.ended], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not pong.done():
            self._link.end(f"no answer to a ping in {timeout:g} s")

    async def close(self) -> None:
        self._link.goodbye()
        if self._transport is not None:
            await self._lost

    def abort(self) -> None:
        self.ready.cancel()
        self._link.end("given up")
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        if self._link.ended is not None:  # aborted meanwhile
            transport.abort()
            return
        self._link.start()
        self._flush()
        self._tick()

    def data_received(self, data: bytes) -> None:
        if not self.ready.done():
            self._heard()
        self._link.feed(data)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._link.closed_by_broker()
        else:
            self._link.end(str(exc))
        if self._timer is not None:
            self._timer.cancel()
        self._lost.set_result(None)

    def _tick(self) -> None:
        self._link.tick()
        if self._link.ended is None:  # not ended by the tick itself
            self._timer = self._loop.call_later(self._interval, self._tick)

    def _ponged(self) -> None:
        if self._pongs and not (pong := self._pongs.popleft()).done():
            pong.set_result(None)

    def _deliver(self, topic: str, payload: bytes, number: int | None) -> None:
        try:
            self._on_delivery(Delivery(topic, payload, (self._link, number)))
        except Exception as error:
            # It stays unacknowledged: the broker sends it again after a reconnect.
            self._loop.call_exception_handler(
                {"message": f"the receiver of {topic} failed", "exception": error}
            )

    def _write(self, data: bytes) -> None:
        # One system call for all that is written in one turn of the event loop.
        self._unsent.append(data)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._unsent and self._transport is not None:
            data = b"".join(self._unsent)
            self._unsent.clear()
            self._transport.write(data)

    def _change(self) -> None:
        link = self._link
        if link.connected is not None and not self.ready.done():
            self.ready.set_result(link.connected)
        if link.ended is not None:
            self._waiting.clear()
            if self._turn is not None:
                self._turn.cancel()
        drained = not self._waiting and not link.unacknowledged
        if drained and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if link.ended is not None and not self.ended.done():
            self.ended.set_result(link.ended)
            if link.failure is not None and not self.ready.done():
                self.ready.set_exception(link.failure)
            if self._timer is not None:
                self._timer.cancel()
            if self._transport is not None:
                self._flush()
                self._transport.close()
                # What cannot leave any more must not keep the socket.
                self._timer = self._loop.call_later(_GOODBYE, self._transport.abort)


def _unreachable(why: str, host: str, port: int) -> BridgeError:
    return BrokerUnreachable(
        f"the MQTT broker cannot be reached: {why}",
        where=f"{host}:{port}",
        remedy="check the network and that the endpoint is right",
    )
