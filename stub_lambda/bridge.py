"""The stub's end of the bridge: asks the daemon over a connection that outlives invocations.

Between two invocations Lambda freezes the process, and the connection may die without a sign.
A request that the broker does not acknowledge soon is therefore sent again over a new one; the
daemon recognises it.
"""

from __future__ import annotations

import enum
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from devbridge.errors import BridgeError, BrokerUnreachable
from devbridge.protocol import codec
from devbridge.protocol.errors import ProtocolError, TooLarge
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import (
    CallReply,
    Cancel,
    Invoke,
    Presence,
    Reply,
    Request,
    Run,
    Taken,
    is_unknown_run,
)
from devbridge.protocol.session import StubSession
from devbridge.transport.base import Delivery
from devbridge.transport.link import NO_MATCHING_SUBSCRIBERS
from devbridge.transport.mqtt_sync import SyncMqtt
from runner.triggered import HELD
from stub_lambda.settings import OFFLINE_QUEUE, StageSettings, credentials

KEEP_ALIVE: Final = 1200
"""Seconds; the most that AWS IoT allows. A frozen process sends nothing."""
_CONNECT: Final = 5.0
_PRESENCE: Final = 1.0
"""Seconds for the retained presence to come once the broker has granted the subscription."""
_DEAD: Final = 1.0
"""Seconds without a sign of life after which a reused connection is taken for dead."""
_AGAIN: Final = 3.0
"""Seconds without a reply after which a request is published once more."""
_SILENT: Final = 0.25
"""The same for the next requests once it has let one wait in vain, where the broker keeps them."""
_STORE: Final = 3.0
"""Seconds for the broker to acknowledge a request to a daemon that is offline."""
_BETTER: Final = 0.5
"""Seconds that a daemon which the stage was taken over from has for its answer, after the newer one
has said that it knows nothing of a run."""
_CONNECTIONS: Final = 3
"""How often one request is sent over another connection because one has died."""
_ANNOUNCED: Final = 64
"""How many announcements are remembered. What a frozen process has not acknowledged, AWS IoT sends
again, without a mark (it has no DUP flag): that a daemon has gone then comes once more behind that
the next one is there."""
_FAILURE: Final = 0x80
_QUOTA_EXCEEDED: Final = 0x97


class Silence(enum.Enum):
    """Why there is no answer."""

    NEVER_CONNECTED = "no daemon has ever been connected, or not for a long time"
    OFFLINE = "the daemon has gone"
    NO_ANSWER = "the daemon is there, and does not answer in time"


@dataclass(frozen=True, slots=True)
class Answer:
    """The daemon's reply."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is no reply. `stored`: the broker keeps the request until the daemon is back."""

    silence: Silence
    stored: bool = False
    who: str = ""
    """Whose daemon it is: ``user@host``."""


class Bridge:
    """One per process. The connection is made when it is needed, and kept."""

    def __init__(self, settings: StageSettings) -> None:
        self.settings: Final = settings
        self.stub_id: Final = codec.new_id()
        self._topics = settings.topics
        self._session = StubSession()
        self._presence: Presence | None = None
        self._announced: deque[bytes] = deque(maxlen=_ANNOUNCED)
        self._presence_frames = _small_reassembler()
        self._reply: Reply | CallReply | None = None
        self._mqtt: SyncMqtt | None = None
        self.silent = False
        """A request has waited in vain, and nothing has come since; for exchanges only."""

    def ask(self, request: Request, wait: float, enough: float | None = None) -> Answer | NoAnswer:
        """Send a request and wait for its reply, `wait` seconds at most; after `enough` seconds the
        broker's acknowledgement is as good, where it keeps the request.

        A daemon that is known to be offline is not waited for.

        Raises:
            BridgeError: there is no connection to the broker.
            TooLarge: the request is over the protocol's limits.
        """
        return _Exchange(self, request, wait, enough).run()

    def close(self) -> None:
        """Disconnect. The next request connects again."""
        if self._mqtt is not None:
            self._mqtt.close()
            self._mqtt = None

    # What follows is for exchanges only: `_Exchange`, and those of `stub_lambda.calling`.

    def connection(self, deadline: float) -> tuple[SyncMqtt, bool]:
        """The connection, and whether it is an old one."""
        if self._mqtt is not None:
            self._mqtt.poll(0)
            if self._reusable(self._mqtt):
                return self._mqtt, True
            self.close()
        self._presence = None
        self._announced.clear()
        self._presence_frames = _small_reassembler()
        self._mqtt = SyncMqtt(
            self.settings.endpoint,
            self._topics.stub_client_id(self.stub_id),
            credentials,
            subscriptions=[self._topics.replies(self.stub_id), self._topics.presence],
            on_delivery=self._deliver,
            keep_alive=KEEP_ALIVE,
            timeout=max(0.1, min(_CONNECT, deadline - time.monotonic())),
        )
        until = min(deadline, time.monotonic() + _PRESENCE)
        while self._presence is None and self._mqtt.ended is None:
            if (left := until - time.monotonic()) <= 0:
                break
            self._mqtt.poll(left)
        return self._mqtt, False

    def _reusable(self, mqtt: SyncMqtt) -> bool:
        silent = time.monotonic() - mqtt.heard
        if mqtt.ended is not None or silent >= KEEP_ALIVE:
            return False
        # A connection that has died without a sign still says what it said last; that nobody is
        # there is therefore only believed when the broker has just answered.
        there = self._presence is not None and self._presence.online
        return there or mqtt.is_alive(_DEAD)

    @property
    def presence(self) -> Presence | None:
        """What the stage's daemon has said of itself last, over this connection."""
        return self._presence

    @property
    def topic(self) -> str:
        """Where requests are published."""
        return self._topics.requests

    @property
    def calls(self) -> str:
        """Where calls of live functions are published."""
        return self._topics.calls

    def listen(self) -> None:
        """Take what has come meanwhile, without waiting for more."""
        if self._mqtt is not None:
            self._mqtt.poll(0)

    def start(self, request: Request | Invoke) -> list[bytes]:
        """The frames of a request; from now on its reply is waited for."""
        self._reply = None
        return self._session.start(request)

    @property
    def reply(self) -> Reply | CallReply | None:
        """The best reply so far to the request that was started last."""
        return self._reply

    def _deliver(self, delivery: Delivery) -> None:
        self.silent = False
        if delivery.topic != self._topics.presence:
            reply = self._session.receive(delivery.payload, time.monotonic())
            known = self._reply
            if reply is not None and (
                known is None or isinstance(known, Taken) or is_unknown_run(known)
            ):
                self._reply = reply
            return
        if delivery.payload in self._announced:
            return  # the broker has sent it again, after newer ones
        self._announced.append(delivery.payload)
        for event in self._presence_frames.add(delivery.payload, None, time.monotonic()):
            if isinstance(event, Complete):
                self._presence = _presence(event.body) or self._presence


class _Exchange:
    """One request on its way. Times are by the monotonic clock."""

    def __init__(self, bridge: Bridge, request: Request, wait: float, enough: float | None) -> None:
        self._bridge = bridge
        self._deadline = time.monotonic() + wait
        self._enough = self._deadline if enough is None else time.monotonic() + enough
        self._frames = bridge.start(request)
        # What the caller is told has failed should not run later: the broker forgets it when the
        # wait is over (a daemon that has it already may still run it). Only where the policy is to
        # queue, the broker keeps it as long as it can.
        # A cancellation waits behind its run. A message that its own queue keeps waits there.
        queue = bridge.settings.offline == OFFLINE_QUEUE and isinstance(request, Run | Cancel)
        if isinstance(request, Run) and request.payload.startswith(HELD):
            queue = False
        self._expiry = None if queue else max(1, int(wait))
        self._queue = queue
        # Who cancels wants to know what has become of the run.
        self._briefly = queue and isinstance(request, Run)
        self._sent: list[int] = []
        self._published = 0.0
        self._repeated = False
        self._doubted = 0.0
        """When a reply came that a better one may still follow."""

    def run(self) -> Answer | NoAnswer:
        for _ in range(_CONNECTIONS):
            try:
                answer = self._over(*self._bridge.connection(self._deadline))
            except BridgeError:
                self._bridge.close()
                raise
            if answer is not None:
                return answer
            self._bridge.close()
        raise BrokerUnreachable(
            f"the connection to the MQTT broker was lost {_CONNECTIONS} times",
            where=self._bridge.settings.endpoint.host,
        )

    def _over(self, mqtt: SyncMqtt, reused: bool) -> Answer | NoAnswer | None:
        """What comes of it over this connection; None when the connection is dead."""
        if self._bridge.presence is None:
            return NoAnswer(Silence.NEVER_CONNECTED) if mqtt.ended is None else None
        self._publish(mqtt)
        while mqtt.ended is None:
            if (answer := self._answer()) is not None:
                return answer
            outcome = self._outcome(mqtt)
            if outcome is not None:
                return outcome
            now = time.monotonic()
            silent = now - max(self._published, mqtt.heard)
            if reused and not self._acknowledged(mqtt) and silent >= _DEAD:
                return None
            if silent >= _AGAIN and not self._repeated and self._acknowledged(mqtt):
                self._repeated = True
                self._publish(mqtt)
            if self._waited(mqtt, now):
                return self._silence(Silence.NO_ANSWER, mqtt)
            mqtt.poll(min(0.25, self._deadline - now))
        return None

    def _waited(self, mqtt: SyncMqtt, now: float) -> bool:
        """Whether the daemon is not waited for any longer."""
        kept = self._briefly and self._acknowledged(mqtt)
        if now >= self._deadline or (kept and now >= self._enough):
            self._bridge.silent = True
            return True
        # It sleeps, say, and many messages come at once: each would wait as long as the first.
        return kept and self._bridge.silent and now >= self._published + _SILENT

    def _answer(self) -> Answer | None:
        reply, now = self._bridge.reply, time.monotonic()
        if not isinstance(reply, Reply):
            return None
        if is_unknown_run(reply) and now < self._deadline:
            self._doubted = self._doubted or now
            if now - self._doubted < _BETTER:
                return None
        return Answer(reply)

    def _outcome(self, mqtt: SyncMqtt) -> NoAnswer | None:
        """What the broker's acknowledgements and the daemon's presence already say."""
        reasons = [mqtt.reason(number) for number in self._sent]
        if NO_MATCHING_SUBSCRIBERS in reasons:
            return NoAnswer(Silence.NEVER_CONNECTED)
        refused = next((reason for reason in reasons if reason and reason >= _FAILURE), None)
        if refused == _QUOTA_EXCEEDED:
            raise BridgeError(
                "the broker has no room to keep the request",
                where=self._bridge.topic,
                remedy="start `devbridge dev`, which takes what waits; or make room on its disk",
            )
        if refused is not None:
            raise BridgeError(
                f"the broker refused the request (reason 0x{refused:02X})",
                where=self._bridge.topic,
                remedy="deploy the stage again: its stub may publish to this topic",
            )
        presence = self._bridge.presence
        if presence is None or presence.online:
            return None
        # An offline daemon is not waited for, but a queued request must be safe in the broker.
        if not self._queue or self._acknowledged(mqtt):
            return self._silence(Silence.OFFLINE, mqtt)
        if time.monotonic() - self._published >= _STORE:
            raise BrokerUnreachable(
                "the MQTT broker does not acknowledge the request",
                where=self._bridge.settings.endpoint.host,
            )
        return None

    def _publish(self, mqtt: SyncMqtt) -> None:
        presence = self._bridge.presence
        if presence is not None and not presence.online and not self._queue:
            return  # nobody is there to answer, and nothing shall wait
        self._sent = []
        for frame in self._frames:
            if time.monotonic() >= self._deadline:
                size = sum(map(len, self._frames))
                raise TooLarge(f"the request has {size} bytes, more than can be sent in time")
            self._sent.append(mqtt.publish(self._bridge.topic, frame, expiry=self._expiry))
        self._published = time.monotonic()

    def _acknowledged(self, mqtt: SyncMqtt) -> bool:
        return all(mqtt.reason(number) is not None for number in self._sent)

    def _silence(self, silence: Silence, mqtt: SyncMqtt) -> NoAnswer:
        presence = self._bridge.presence
        who = f"{presence.user}@{presence.host}" if presence else ""
        stored = self._queue and bool(self._sent) and self._acknowledged(mqtt)
        return NoAnswer(silence, stored, who)


def _presence(body: bytes) -> Presence | None:
    try:
        message = codec.decode(body)
    except ProtocolError:
        return None
    return message if isinstance(message, Presence) else None


def _small_reassembler() -> Reassembler:
    return Reassembler(max_messages=1, max_bytes=1024 * 1024, max_age=60.0, max_frames=10)
