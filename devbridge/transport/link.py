"""One MQTT 5 connection over WebSocket, without I/O: bytes in, bytes and events out.

paho-mqtt speaks MQTT here, `websocket` carries it, and whoever owns the socket (asynchronous in
`mqtt`, synchronous in `mqtt_sync`) moves the bytes. paho sees a socket that lives in memory, so
there is no thread and no second event loop between the network and the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devbridge.errors import BridgeError, BrokerRefused, BrokerUnreachable
from devbridge.transport.base import Connected, Disconnected, Will
from devbridge.transport.websocket import HandshakeRefused, WebSocket, WebSocketError

RECEIVE_MAXIMUM: Final = 100
"""Messages that the broker may send before it wants an acknowledgement; AWS IoT's own limit."""
NO_MATCHING_SUBSCRIBERS: Final = 0x10
SESSION_TAKEN_OVER: Final = 0x8E
_FAILURE: Final = 0x80
_PINGREQ: Final = b"\xc0\x00"

_CREDENTIALS_REMEDY: Final = (
    "check that the credentials are valid and may connect to AWS IoT in this region"
)


class _MemorySocket:
    """What paho takes for its socket."""

    def __init__(self, send: Callable[[bytes | bytearray], None]) -> None:
        self._send = send
        self._data = b""
        self._position = 0

    @property
    def unread(self) -> bool:
        return self._position < len(self._data)

    def push(self, data: bytes) -> None:
        self._data = self._data[self._position :] + data if self.unread else data
        self._position = 0

    def recv(self, size: int) -> bytes:
        start = self._position
        if start >= len(self._data):
            raise BlockingIOError
        self._position = min(start + size, len(self._data))
        return self._data[start : self._position]

    def send(self, data: bytes | bytearray) -> int:
        self._send(data)
        return len(data)

    def close(self) -> None: ...

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None: ...


class _Paho(Client):
    """paho's client on a socket in memory."""

    def __init__(self, socket: _MemorySocket, client_id: str, on_pong: Callable[[], None]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self._memory_socket = socket
        self._on_pong = on_pong

    # The private methods of paho that are replaced; unit tests guard that they still are what
    # paho calls.

    def _create_socket(self) -> Any:
        return self._memory_socket

    def _handle_pingresp(self) -> MQTTErrorCode:
        self._on_pong()
        return super()._handle_pingresp()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """What a connection is made with. Times are in seconds."""

    host: str
    """For the Host header and for messages."""
    path: str
    client_id: str
    clean: bool
    session_expiry: int
    keep_alive: int
    subscriptions: Sequence[str]
    granted: Collection[str] = ()
    """Topics that the session has, if the broker still has it: they are not subscribed to again.
    The embedded cloud's broker would deliver twice (MQTT 5, 3.8.4 says replace), then thrice."""
    will: Will | None = None


class Link:
    """Give it the bytes that come (`feed`), send those that it wants sent (`write`).

    `connected`, `failure` (it could not be set up) and `ended` say where it stands; `on_change`
    is called when one of them has changed, and when nothing is unacknowledged any more.
    """

    def __init__(
        self,
        options: LinkOptions,
        *,
        write: Callable[[bytes], None],
        on_delivery: Callable[[str, bytes, int | None], None],
        on_acknowledged: Callable[[int, int], None] = lambda _mid, _reason: None,
        on_change: Callable[[], None] = lambda: None,
        on_pong: Callable[[], None] = lambda: None,
    ) -> None:
        self.connected: Connected | None = None
        self.failure: BridgeError | None = None
        self.ended: Disconnected | None = None
        self.unacknowledged: Final[set[int]] = set()
        self._options = options
        self._write = write
        self._on_delivery = on_delivery
        self._on_acknowledged = on_acknowledged
        self._on_change = on_change
        self._websocket = WebSocket(options.host, options.path)
        self._asked = False
        self._accepted = False
        self._session_present = False
        self._socket = _MemorySocket(self._websocket.send)
        self._client = client = _Paho(self._socket, options.client_id, on_pong)
        client.on_connect = self._connack
        client.on_subscribe = self._suback
        client.on_message = self._message
        client.on_publish = self._puback
        client.on_disconnect = self._disconnect
        if options.will is not None:
            client.will_set(options.will.topic, options.will.payload, qos=1, retain=True)

    @property
    def open(self) -> bool:
        """Whether the broker has accepted us: from then on messages come and may be published,
        even while the subscriptions are still being made."""
        return self._accepted and self.ended is None

    def start(self) -> None:
        """The socket is open: begin."""
        self._flush()

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        try:
            pieces = self._websocket.feed(data)
            if self._websocket.upgraded and not self._asked:
                self._asked = True
                self._connect()
            for piece in pieces:
                self._socket.push(piece)
            if self._websocket.close_code is not None:
                self._read()
                self.closed_by_broker()
        except HandshakeRefused as error:
            self._handshake_refused(error)
        except WebSocketError as error:
            self._flush()  # it says why, too, before the socket is closed
            self.end(str(error))
        self._read()

    def end(self, reason: str) -> None:
        """The socket has ended, or is of no more use."""
        self._end(Disconnected(reason))

    def closed_by_broker(self) -> None:
        """The broker has closed the socket, in good order."""
        try:
            self._websocket.end()
        except HandshakeRefused as error:
            self._handshake_refused(error)
        except WebSocketError:
            pass  # of an answer that was cut, or none, that is all there is to say
        self._end(Disconnected("the broker closed the connection", orderly=True))

    def ping(self) -> None:
        """Ask for a sign of life: `on_pong` is called when it comes. Beside paho's own pings,
        which only come after the keep-alive time."""
        if self.open:
            self._websocket.send(_PINGREQ)
            self._flush()

    def tick(self) -> None:
        """Time has passed: keep the connection alive. Call it every few seconds."""
        if self.ended is None and self._asked:
            self._client.loop_misc()
            self._flush()

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0: who is not there now never gets it."""
        self._client.publish(topic, payload, qos=0)
        self._flush()

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None
    ) -> int:
        """Publish with QoS 1; the number that comes back is in `unacknowledged` until the broker
        has acknowledged it. After `expiry` seconds the broker no longer delivers it."""
        properties = None
        if expiry is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expiry
        number = self._client.publish(
            topic, payload, qos=1, retain=retain, properties=properties
        ).mid
        self.unacknowledged.add(number)
        self._flush()
        return number

    def ack(self, number: int) -> None:
        """Acknowledge a delivery."""
        if self.open:
            self._client.ack(number, 1)
            self._flush()

    def goodbye(self) -> None:
        """Disconnect in good order: the broker publishes no will."""
        if self.ended is None and self._asked:
            self._client.on_disconnect = None
            self._client.disconnect()
            self._websocket.close()
            self._flush()
        self.end("closed")

    def _connect(self) -> None:
        options = self._options
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = options.session_expiry
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect(
            options.host,
            keepalive=options.keep_alive,
            clean_start=options.clean,
            properties=properties,
        )

    def _read(self) -> None:
        while self._socket.unread and self.ended is None:
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._flush()

    def _flush(self) -> None:
        if data := self._websocket.take():
            self._write(data)

    def _fail(self, failure: BridgeError) -> None:
        if self.connected is None and self.failure is None:
            self.failure = failure
        self._end(Disconnected(failure.what))

    def _end(self, ended: Disconnected) -> None:
        if self.ended is not None:
            return
        self.ended = ended
        if self.connected is None and self.failure is None:
            self.failure = BrokerUnreachable(
                f"no MQTT connection: {ended.reason}",
                where=self._options.host,
                remedy="check the network; on AWS, that the credentials may connect to AWS IoT",
            )
        self.unacknowledged.clear()
        self._on_change()

    def _handshake_refused(self, error: HandshakeRefused) -> None:
        kind = BrokerRefused if error.status < 500 else BrokerUnreachable
        what = f"the broker refused the connection: {error}"
        self._fail(kind(what, where=self._options.host, remedy=_CREDENTIALS_REMEDY))

    def _connack(
        self, _client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._fail(
                BrokerRefused(
                    f"the broker refused the connection: {str(reason).lower()}",
                    where=f"{self._options.host}, client id {self._options.client_id}",
                    remedy=_CREDENTIALS_REMEDY,
                )
            )
            return
        self._accepted = True
        self._session_present = flags.session_present
        topics = self._options.subscriptions
        if flags.session_present and set(topics) <= set(self._options.granted):
            topics = []
        if topics:
            self._client.subscribe([(topic, 1) for topic in topics])
        else:
            self._ready()

    def _suback(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        for topic, reason in zip(self._options.subscriptions, reasons, strict=False):
            if reason.value >= _FAILURE:
                self._fail(
                    BrokerRefused(
                        f"the broker refused a subscription: {str(reason).lower()}",
                        where=f"{self._options.host}, topic {topic}",
                        remedy="check that the credentials may subscribe to this topic",
                    )
                )
                return
        self._ready()

    def _ready(self) -> None:
        self.connected = Connected(self._session_present)
        self._on_change()

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        number = message.mid if message.qos else None
        self._on_delivery(message.topic, bytes(message.payload), number)

    def _puback(
        self, _client: Client, _data: Any, number: int, reason: ReasonCode, _properties: Any
    ) -> None:
        self.unacknowledged.discard(number)
        self._on_acknowledged(number, reason.value)
        if not self.unacknowledged:
            self._on_change()

    def _disconnect(
        self,
        _client: Client,
        _data: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Any,
    ) -> None:
        text = str(reason).lower()
        orderly = flags.is_disconnect_packet_from_server
        if orderly:
            text = f"the broker ended the connection: {text}"
        taken_over = reason.value == SESSION_TAKEN_OVER
        self._end(Disconnected(text, taken_over=taken_over, orderly=orderly))
