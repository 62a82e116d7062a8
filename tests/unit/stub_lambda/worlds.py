"""The broker, the daemon and the time, made up: what stubs are tested with."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

from devbridge.errors import BridgeError
from devbridge.protocol import codec
from devbridge.protocol.messages import (
    VERSION,
    Accepted,
    Call,
    CallReply,
    Invoke,
    Message,
    Presence,
    Reply,
    Request,
)
from devbridge.protocol.session import CallSession, DaemonSession, Deliver, Discard, frames
from devbridge.transport.base import Delivery, Disconnected, Endpoint
from stub_lambda.bridge import KEEP_ALIVE
from stub_lambda.settings import StageSettings

SETTINGS = StageSettings(app="demo", stage="ann", endpoint=Endpoint("iot.example", "eu-west-1"))
ONLINE = Presence(
    online=True,
    daemon_id=codec.new_id(),
    host="laptop",
    user="ann",
    pid=1,
    since=0.0,
    session_expiry=60,
    version=VERSION,
)
GONE = replace(ONLINE, online=False)
WHO = "ann@laptop"
ACKNOWLEDGED, NOBODY_SUBSCRIBES = 0, 0x10


class World:
    """The broker, the daemon and the time. By default the daemon is there and answers at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.connections: list[Connection] = []
        self.presence: Presence | None = ONLINE
        self.presence_after = 0.01
        self.acknowledges: int | None = ACKNOWLEDGED
        """With which reason; None: never."""
        self.acknowledges_only = 100
        """The first so many frames."""
        self.takes = 0.0
        """Seconds that publishing one frame takes."""
        self.replies: Callable[[Request], Reply | None] = accepted
        self.answers: Callable[[Invoke], Sequence[tuple[float, CallReply]]] = lambda _call: ()
        """To a call of a live function: each after so many seconds."""
        self.reply_after = 0.05
        self.refuses_connections: BridgeError | None = None
        self._coming: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    @property
    def requests(self) -> list[tuple[float, str, int | None]]:
        """When what was published, and its expiry: over all connections."""
        return [each for connection in self.connections for each in connection.published]

    @property
    def calls(self) -> list[tuple[float, Call]]:
        """The calls that were published, and when: over all connections."""
        return [each for connection in self.connections for each in connection.called]

    @property
    def time(self) -> SimpleNamespace:
        return SimpleNamespace(monotonic=lambda: self.now)

    def after(self, seconds: float, what: Callable[[], object]) -> None:
        heapq.heappush(self._coming, (self.now + seconds, next(self._count), what))

    def cut(self) -> None:
        """The last connection."""
        self.connections[-1].end()

    def pass_time(self, most: float) -> None:
        """Until something comes, at most."""
        if self._coming and self._coming[0][0] <= self.now + most:
            at, _, what = heapq.heappop(self._coming)
            self.now = max(self.now, at)
            what()
        else:
            self.now += most

    def pass_all(self, seconds: float) -> None:
        """So many seconds, whatever comes."""
        until = self.now + seconds
        while self.now < until:
            self.pass_time(until - self.now)


class Connection:
    """Stands for `SyncMqtt`."""

    def __init__(
        self,
        world: World,
        endpoint: Endpoint,
        client_id: str,
        credentials: Callable[[], object],
        *,
        subscriptions: list[str],
        on_delivery: Callable[[Delivery], None],
        keep_alive: int,
        timeout: float,
    ) -> None:
        if world.refuses_connections is not None:
            raise world.refuses_connections
        assert (endpoint.host, keep_alive) == (SETTINGS.endpoint.host, KEEP_ALIVE)
        self.client_id, self.subscriptions, self.timeout = client_id, subscriptions, timeout
        self.ended: Disconnected | None = None
        self.heard = world.now
        self.dead = False
        """It was cut without a sign: nothing comes or goes."""
        self.closed = False
        self.published: list[tuple[float, str, int | None]] = []
        self._world = world
        self._on_delivery = on_delivery
        self.called: list[tuple[float, Call]] = []
        self._session = CallSession()
        self._reasons: dict[int, int] = {}
        world.connections.append(self)
        if (presence := world.presence) is not None:
            world.after(world.presence_after, lambda: self.tell(presence))

    def publish(self, topic: str, payload: bytes, *, expiry: int | None = None) -> int:
        assert topic == SETTINGS.topics.requests
        world, number = self._world, len(self.published)
        world.now += world.takes
        self.published.append((world.now, topic, expiry))
        if (reason := world.acknowledges) is not None and number < world.acknowledges_only:
            world.after(0.02, lambda: self._hear(lambda: self._reasons.update({number: reason})))
        request = session_of(payload)
        if request is not None and (reply := world.replies(request)) is not None:
            world.after(world.reply_after, lambda: self.tell(reply))
        return number

    def publish_once(self, topic: str, payload: bytes) -> None:
        assert topic == SETTINGS.topics.calls
        world = self._world
        call = self._session.receive(payload, world.now)
        assert not isinstance(call, Discard)
        if call is None:
            return
        self.called.append((world.now, call))
        if isinstance(call, Invoke) and not self.dead:
            for after, reply in world.answers(call):
                world.after(after, functools.partial(self.tell, reply))

    def is_alive(self, timeout: float) -> bool:
        world = self._world
        alive = not self.dead and self.ended is None
        world.pass_all(0.02 if alive else timeout)
        return alive and self.ended is None

    def reason(self, number: int) -> int | None:
        return self._reasons.get(number)

    def poll(self, timeout: float) -> None:
        assert timeout >= 0
        self._world.pass_time(timeout)

    def close(self) -> None:
        self.closed = True

    def tell(self, message: Message) -> None:
        """Deliver a message of the daemon's."""
        topic = self.subscriptions[1 if isinstance(message, Presence) else 0]
        for frame in frames(message):
            self.deliver(topic, frame)

    def deliver(self, topic: str, frame: bytes) -> None:
        self._hear(lambda: self._on_delivery(Delivery(topic, frame, None)))

    def end(self) -> None:
        self.ended = Disconnected("reset")

    def _hear(self, what: Callable[[], object]) -> None:
        if not self.dead and self.ended is None:
            self.heard = self._world.now
            what()


def session_of(frame: bytes) -> Request | None:
    """The request in a frame, if it is alone there."""
    effects = DaemonSession().receive(frame, None, 0.0)
    return next((each.message for each in effects if isinstance(each, Deliver)), None)


def accepted(request: Request) -> Reply:
    return Accepted(request_id=request.request_id, job_id=request.job_id, state="QUEUED")


def silent(_request: Request) -> None:
    return None
