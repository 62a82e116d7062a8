"""MQTT 5 over WebSocket for the stub: synchronous, without threads.

A Lambda is frozen between its invocations and the connection with it. Nothing happens here
unless `poll` is called, and whoever calls it finds out there whether the connection is still
alive.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

from devbridge.errors import BrokerUnreachable, CredentialsError
from devbridge.transport import sigv4
from devbridge.transport.base import AwsCredentials, Delivery, Disconnected, Endpoint
from devbridge.transport.link import Link, LinkOptions
from devbridge.transport.pacer import pacer_for, published_size

_PORT: Final = 443
_READ: Final = 256 * 1024


class SyncMqtt:
    """One clean connection: what arrives is acknowledged at once.

    Args:
        on_delivery: called by `poll` (and `__init__`) for each message that arrives.
        keep_alive: seconds for which the broker puts up with our silence, times 1.5.
        timeout: seconds for connecting, all in all.

    Raises:
        BrokerUnreachable: no connection could be made in time.
        BrokerRefused: the broker answered, and said no.
        CredentialsError: there are no credentials to sign the connection with.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        credentials: Callable[[], AwsCredentials | None],
        *,
        subscriptions: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        keep_alive: int = 1200,
        timeout: float = 5.0,
    ) -> None:
        self.heard: float = time.monotonic()
        """When something last came from the broker, by the monotonic clock."""
        self._on_delivery = on_delivery
        self._unsent = b""
        self._ponged = False
        self._reasons: dict[int, int] = {}
        self._pacer = pacer_for(endpoint)
        self._where = endpoint.dial or (endpoint.host, _PORT)
        deadline = time.monotonic() + timeout
        self._link = Link(
            LinkOptions(
                host=endpoint.host,
                path=_path(endpoint, credentials()),
                client_id=client_id,
                clean=True,
                session_expiry=0,
                keep_alive=keep_alive,
                subscriptions=subscriptions,
            ),
            write=self._write,
            on_delivery=self._deliver,
            on_acknowledged=self._reasons.__setitem__,
            on_pong=self._pong,
        )
        try:
            self._socket = self._open(endpoint, timeout)
        except OSError as error:
            raise self._unreachable(str(error)) from error
        try:
            self._link.start()
            while self._link.connected is None:
                if self._link.failure is not None:
                    raise self._link.failure
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._unreachable(f"no answer in {timeout:g} s")
                self.poll(left)
        except BaseException:
            self._socket.close()
            raise

    @property
    def ended(self) -> Disconnected | None:
        """Why the connection has ended, as far as is known."""
        return self._link.ended

    def publish(self, topic: str, payload: bytes, *, expiry: int | None = None) -> int:
        """Send with QoS 1; the result is what `reason` takes. After `expiry` seconds the broker no
        longer delivers the message. On AWS it waits (and receives) until the connection's quotas
        allow one more message: less than a second."""
        self._wait_for_turn(topic, payload)
        return self._link.publish(topic, payload, expiry=expiry)

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0, when the connection's quotas allow it: who is not there now never gets
        it."""
        self._wait_for_turn(topic, payload)
        self._link.publish_once(topic, payload)

    def is_alive(self, timeout: float) -> bool:
        """Whether the broker answers a ping within so many seconds. All that it has sent before
        was received then."""
        self._ponged = False
        self._link.ping()
        until = time.monotonic() + timeout
        while not self._ponged and self.ended is None and (left := until - time.monotonic()) > 0:
            self.poll(left)
        return self._ponged

    def reason(self, number: int) -> int | None:
        """The MQTT 5 reason code with which a message was acknowledged, None while it is not."""
        return self._reasons.get(number)

    def poll(self, timeout: float) -> None:
        """Send and receive, for `timeout` seconds or until something has come."""
        if self._link.ended is not None:
            return
        try:
            self._flush()
            if not self._pending():
                writing = [self._socket] if self._unsent else []
                select.select([self._socket], writing, [], max(0.0, timeout))
            self._receive()
            self._flush()
            self._link.tick()
        except OSError as error:
            self._link.end(str(error) or type(error).__name__)

    def close(self) -> None:
        """Say goodbye, if there is still somebody to hear it, and release the socket."""
        try:
            self._link.goodbye()
            self._flush()
        except OSError:
            pass  # nobody is there any more
        finally:
            self._socket.close()

    def _wait_for_turn(self, topic: str, payload: bytes) -> None:
        if self._pacer is not None:
            size = published_size(topic, payload)
            while (wait := self._pacer.wait(size, time.monotonic())) > 0 and self.ended is None:
                self.poll(wait)

    def _pong(self) -> None:
        self._ponged = True

    def _open(self, endpoint: Endpoint, timeout: float) -> socket.socket:
        opened = socket.create_connection(self._where, timeout)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if endpoint.dial is None:
                context = ssl.create_default_context()
                opened = context.wrap_socket(opened, server_hostname=endpoint.host)
            opened.setblocking(False)
        except BaseException:
            opened.close()
            raise
        return opened

    def _unreachable(self, why: str) -> BrokerUnreachable:
        host, port = self._where
        return BrokerUnreachable(
            f"the MQTT broker cannot be reached: {why}", where=f"{host}:{port}"
        )

    def _write(self, data: bytes) -> None:
        self._unsent += data

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            self._unsent = self._unsent[sent:]

    def _pending(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _receive(self) -> None:
        while True:
            try:
                data = self._socket.recv(_READ)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not data:
                self._link.closed_by_broker()
                return
            self.heard = time.monotonic()
            self._link.feed(data)

    def _deliver(self, topic: str, payload: bytes, number: int | None) -> None:
        if number is not None:
            self._link.ack(number)
        self._on_delivery(Delivery(topic, payload, number))


def _path(endpoint: Endpoint, credentials: AwsCredentials | None) -> str:
    if credentials is not None:
        return sigv4.signed_path(endpoint, credentials)
    if endpoint.dial is None:
        raise CredentialsError(
            "no AWS credentials to sign the connection to AWS IoT with", where=endpoint.host
        )
    return sigv4.PATH  # a broker of one's own may ask for none
