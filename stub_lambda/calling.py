"""A call of a live function on its way to the daemon: once, now or never.

The message waits nowhere: it is published at QoS 0. The daemon says soon that it has taken the
call, or nobody has; from then on its answer takes as long as the function may.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import Final

from devbridge.errors import BridgeError
from devbridge.protocol.messages import (
    Abandoned,
    Invoke,
    Presence,
    Raised,
    Rejected,
    Responded,
)
from devbridge.protocol.session import frames
from devbridge.transport.mqtt_sync import SyncMqtt
from devbridge.transport.patience import Patience, patience_for
from stub_lambda.bridge import Bridge

SPEAKS: Final = 3
"""The first version of the protocol that has calls."""
_GONE: Final = 1.0
"""Seconds for which a daemon that a call was sent to must be away to be gone: what it has said by
another connection may come after its will, and one that was taken over from goes on with what it
has, and it is the newer one that announces itself."""
_CONNECTIONS: Final = 2


class Why(enum.Enum):
    """Why nobody has taken a call."""

    NEVER_CONNECTED = "no devbridge is connected to {where}"
    OFFLINE = "{who} is not running for {where}"
    SILENT = "{who} does not answer for {where}"
    UNREACHABLE = "the broker between {where} and devbridge cannot be reached"
    REFUSED = "{who} has refused the call"


_START: Final = "start `devbridge dev` there"
_SUSPENDED: Final = "is it suspended, or too busy?"


@dataclass(frozen=True, slots=True)
class Absent:
    """Nobody has taken the call, and nobody will."""

    why: Why
    who: str = ""
    """Whose daemon it is: ``user@host``."""
    said: str = ""
    """What else there is to say of it."""

    def sentence(self, where: str) -> str:
        """What its caller is told. `where`: the app and the stage."""
        what = self.why.value.format(who=self.who or "devbridge", where=where)
        silent = self.why is Why.SILENT
        return f"{what}: {self.said or (_SUSPENDED if silent else _START)}"


class Broken(enum.Enum):
    """Why a call that was taken, or may have been, has no answer."""

    GONE = "{who} has ended while the function ran"
    CUT = "the connection to {who} was lost while the function ran"
    UNSURE = "the connection to {who} was lost, and nobody knows whether the function runs"
    LATE = "{who} has not answered in the time that the function has"


@dataclass(frozen=True, slots=True)
class Lost:
    """The call was taken, or may have been, and its answer will not come."""

    why: Broken
    who: str

    def sentence(self, where: str) -> str:
        """See `Absent.sentence`."""
        return f"{self.why.value.format(who=self.who)}, for {where}"


Outcome = Responded | Raised | Absent | Lost


class Caller:
    """Calls one live function. One per process: it keeps the connection, and what it has learnt."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._patience = patience_for(bridge.settings.endpoint)
        self._silent_until = 0.0

    @property
    def stub_id(self) -> str:
        """Whom the daemon is to answer."""
        return self._bridge.stub_id

    def call(self, invoke: Invoke, wait: float) -> Outcome:
        """Call the function, and wait for its answer, `wait` seconds at most.

        Raises:
            TooLarge: the call is over the protocol's limits.
        """
        call = _Call(self._bridge, invoke, wait, self._patience)
        if self._bridge.silent and time.monotonic() < self._silent_until:
            self._bridge.listen()
            if self._bridge.silent:
                return call.absent(Why.SILENT)
        outcome = call.run()
        if isinstance(outcome, Absent) and outcome.why is Why.SILENT:
            self._bridge.silent = True
            self._silent_until = time.monotonic() + self._patience.remembered
        return outcome


class _Call:
    """One call. Times are by the monotonic clock."""

    def __init__(self, bridge: Bridge, invoke: Invoke, wait: float, patience: Patience) -> None:
        self._bridge = bridge
        self._invoke = invoke
        self._deadline = time.monotonic() + wait
        self._frames = bridge.start(invoke)
        self._patience = patience
        self._taken_by: float | None = None
        """When it must be taken; known once it was sent."""
        self._away_since: float | None = None

    def run(self) -> Outcome:
        for _ in range(_CONNECTIONS):
            try:
                outcome = self._over(*self._bridge.connection(self._deadline))
            except BridgeError as error:
                self._bridge.close()
                return self._unreachable(str(error))
            if outcome is not None:
                return outcome
            self._bridge.close()
        return self._unreachable()

    def _unreachable(self, said: str = "") -> Absent | Lost:
        """The daemon may have what was sent: only what it refuses runs elsewhere."""
        if self._taken_by is None:
            return self.absent(Why.UNREACHABLE, said)
        return self._lost(Broken.UNSURE)

    def absent(self, why: Why, said: str = "") -> Absent:
        presence = self._bridge.presence
        return Absent(why, who(presence), said)

    def _over(self, mqtt: SyncMqtt, reused: bool) -> Outcome | None:
        """What comes of it over this connection; None when the connection is dead."""
        if (absent := self._nobody(mqtt)) is not None or mqtt.ended is not None:
            return absent
        for frame in self._frames:
            mqtt.publish_once(self._bridge.calls, frame)
        sent = time.monotonic()
        self._taken_by = self._taken_by or min(sent + self._patience.taken, self._deadline)
        while mqtt.ended is None:
            if (outcome := self._outcome(mqtt)) is not None:
                return outcome
            now = time.monotonic()
            taken = self._bridge.reply is not None
            if reused and not taken and now - max(sent, mqtt.heard) >= self._patience.dead:
                return None
            mqtt.poll(min(0.25, (self._deadline if taken else self._taken_by) - now))
        if self._bridge.reply is not None:
            return self._lost(Broken.CUT)
        return None

    def _nobody(self, mqtt: SyncMqtt) -> Absent | None:
        presence = self._bridge.presence
        if presence is None:
            return self.absent(Why.NEVER_CONNECTED) if mqtt.ended is None else None
        if not presence.online:
            return self.absent(Why.OFFLINE)
        if presence.version < SPEAKS:
            older = "it is an older devbridge, which has no live functions: upgrade it"
            return self.absent(Why.REFUSED, older)
        return None

    def _outcome(self, mqtt: SyncMqtt) -> Outcome | None:
        reply = self._bridge.reply
        if isinstance(reply, Responded | Raised):
            return reply
        if isinstance(reply, Rejected):
            return self.absent(Why.REFUSED, reply.message)
        now = time.monotonic()
        if reply is not None:
            return self._of_taken(mqtt, now)
        if self._is_away(now):
            return self.absent(Why.OFFLINE)
        if self._taken_by is None or now < self._taken_by:
            return None
        self._give_up(mqtt)
        return self.absent(Why.SILENT)

    def _of_taken(self, mqtt: SyncMqtt, now: float) -> Lost | None:
        if self._is_away(now):
            return self._lost(Broken.GONE)
        if now < self._deadline:
            return None
        self._give_up(mqtt)
        return self._lost(Broken.LATE)

    def _is_away(self, now: float) -> bool:
        presence = self._bridge.presence
        if presence is None or presence.online:
            self._away_since = None
            return False
        self._away_since = self._away_since or now
        return now - self._away_since >= _GONE

    def _lost(self, why: Broken) -> Lost:
        return Lost(why, who(self._bridge.presence))

    def _give_up(self, mqtt: SyncMqtt) -> None:
        """Tell whoever may have it that nobody waits any more."""
        asked = self._invoke
        for frame in frames(Abandoned(request_id=asked.request_id, stub_id=asked.stub_id)):
            mqtt.publish_once(self._bridge.calls, frame)
        mqtt.poll(0)


def who(presence: Presence | None) -> str:
    """Whose daemon it is."""
    return f"devbridge of {presence.user}@{presence.host}" if presence else "devbridge"
