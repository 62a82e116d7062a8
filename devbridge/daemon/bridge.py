"""The bridge: keeps one MQTT connection to the stage's stubs, through every kind of failure.

It connects again for ever, with growing and jittered pauses, and says so. What arrives is handed on
in batches, so that a burst costs one ledger transaction; nothing is acknowledged here.

When a newer daemon takes the stage over, it *steps aside*: under another client id it goes on
answering for its own runs, while everything else is the newer daemon's. It ends only when it is
cancelled or has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast

from devbridge.daemon.publishers import Publishers
from devbridge.daemon.reconnect import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Arrivals,
    Slumber,
    Warnings,
    is_renewal,
    pause,
    started_after,
)
from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.protocol import codec
from devbridge.protocol.errors import ProtocolError
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import (
    NOBODY,
    CallReply,
    Presence,
    Reply,
    Run,
    Topics,
    is_unknown_run,
)
from devbridge.protocol.session import DaemonSession, Deliver, Discard, Effect, frames
from devbridge.transport.base import Delivery, Disconnected, Transport, Will
from runner.outcome import duration

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "Bridge", "pause"]

TAKEOVER_LOOKUP: Final = 3.0
"""Seconds to find out who has taken over."""
STAGE_LOOKUP: Final = 1.0
"""Seconds to find out, before connecting again, whether somebody has meanwhile."""
TICK: Final = 2.0
"""Seconds between looks at the clocks and for requests whose fragments never came."""
PROBE: Final = 5.0
"""Seconds that the broker has for a sign of life after this machine has slept."""
_WORTH_TELLING: Final = 10.0
"""Seconds of sleep."""

_FAILURES: Final = (BrokerUnreachable, BrokerRefused, CredentialsError)
_log = logging.getLogger(__name__)


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
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`make_transport(client id, clean)` makes a client that is not connected yet."""
        self._make_transport = make_transport
        self.topics: Final = topics
        self._presence = presence
        self._on_requests = on_requests
        self.on_call: Callable[[bytes], None] = lambda _frame: None
        """Takes each frame of what is for live functions."""
        self._say = say
        self._wall = wall
        self._monotonic = monotonic
        self._transport = make_transport(topics.daemon_client_id, False)
        self._publishers = Publishers(lambda: make_transport(self._another_client_id(), True))
        self._session = DaemonSession()
        self._batch: list[Deliver] = []
        self._arrivals: Arrivals | None = None
        self._back = ""
        """What is still to be said of the connection's return."""
        self._slumber = Slumber(wall(), monotonic())
        self._asleep_since: float | None = None
        self._warnings = Warnings()
        self.connected = asyncio.Event()
        self.connected_since = math.inf
        """When the connection was made, in seconds since the epoch."""
        self._leaving = False
        self._aside = False
        self.taken_over = asyncio.Event()
        """A newer daemon has the stage; `taken_over_by` says who, if that could be found out."""
        self.taken_over_by: Presence | None = None
        self.discarded = 0

    async def run(self) -> None:
        """Connect and stay connected until cancelled.

        Raises:
            BrokerUnreachable: the very first connection could not be made.
            BrokerRefused: the broker refused the very first connection.
            CredentialsError: there were none to sign the very first connection with.
        """
        try:
            await self._connect()
            while True:
                began = self._monotonic()
                ended = await self._until_closed()
                if self._leaving:
                    return
                lost_at = self._wall() if self._asleep_since is None else self._asleep_since
                quiet, wait = True, 0.0
                if ended.taken_over and not self._aside:
                    await self._find_out_who()
                elif is_renewal(ended, self._monotonic() - began):
                    _log.info("the connection is renewed: %s", ended.reason)
                else:
                    quiet, wait = False, pause(0)
                    self._say(f"connection lost: {ended.reason}; {_again(wait)}")
                failures = await self._connect_again(wait)
                if failures or not quiet:
                    self._back = f"back after {duration(self._wall() - lost_at, whole=True)}"
        finally:
            await self._publishers.close()
            await self._transport.close()

    def reply(self, stub_id: str, reply: Reply | CallReply) -> None:
        """Answer a stub. Lost when there is no connection: the stub asks again."""
        if stub_id == NOBODY or (self._aside and is_unknown_run(reply)):
            return  # nobody waits for it, or the newer daemon answers
        topic = self.topics.replies(stub_id)
        for frame in frames(reply):
            self._publishers.publish(self._transport, topic, frame)

    def ack(self, deliver: Deliver) -> None:
        """The ledger has it: the broker may forget it."""
        for token in deliver.tokens:
            self._ack(token)

    async def hand_over(self, runs: Sequence[Run]) -> bool:
        """Give runs back to the requests' topic, for the daemon that has the stage now; True when
        the broker has them all. When it is not known to, do it again: they run once all the same.
        """
        await self.connected.wait()
        for run in runs:
            for frame in frames(run):
                self._transport.publish(self.topics.requests, frame)
        return await self._transport.drain()

    async def probe(self) -> None:
        """Return when the broker has given a sign of life, or the connection has ended."""
        await self._transport.probe(PROBE)

    def speak(self) -> None:
        """Tell stubs that have found nobody awake that somebody is."""
        if not self._aside and self.connected.is_set():
            self._announce(online=True)

    async def leave(self) -> None:
        """Say goodbye: from now on stubs know that nobody is here."""
        self._leaving = True
        if self.connected.is_set():
            self.connected.clear()
            if not self._aside:
                self._announce(online=False)
            await self._transport.drain()

    # --- the connection ---------------------------------------------------------------------

    async def _connect(self) -> None:
        self.connected_since = self._wall()
        self._session = DaemonSession()  # the broker delivers all unacknowledged frames again
        self._arrivals = None if self._aside else Arrivals(self._wall())
        will = None
        if not self._aside:
            gone = _announcement(replace(self._presence, online=False))
            will = Will(self.topics.presence, gone)
        # Calls are the newer daemon's.
        topics = [self.topics.requests, *([] if self._aside else [self.topics.calls])]
        await self._transport.connect(subscriptions=topics, on_delivery=self._delivered, will=will)
        if not self._aside:
            self._announce(online=True)
            await self._transport.drain()  # whoever is told that we are ready finds us announced
        self.connected.set()

    async def _connect_again(self, wait: float) -> int:
        """Returns when it has succeeded, with how often it has failed before."""
        failures = 0
        while True:
            await self._rest(wait)
            try:
                if not self._aside:
                    await self._look_for_a_newer_daemon()
                await self._connect()
            except _FAILURES as error:
                failures += 1
                wait = pause(failures)
                self._say(f"still no connection: {error.what}; {_again(wait)}")
            else:
                return failures

    async def _rest(self, seconds: float) -> None:
        """Wait so long, but not after the machine has slept: then try at once."""
        self._slumber.restart(self._wall(), self._monotonic())
        while seconds > 0:
            part = min(TICK, seconds)
            await asyncio.sleep(part)
            if self._slumber.noticed(self._wall(), self._monotonic(), part):
                return
            seconds -= part

    async def _until_closed(self) -> Disconnected:
        closed = asyncio.create_task(self._transport.wait_closed(), name="bridge-closed")
        self._slumber.restart(self._wall(), self._monotonic())
        self._asleep_since = None
        try:
            while True:
                wait = self._until_next_look()
                await asyncio.wait([closed], timeout=wait)
                slept = self._slumber.noticed(self._wall(), self._monotonic(), wait)
                if slept:
                    self._asleep_since = self._wall() - slept
                if closed.done():
                    return closed.result()
                self._look_after(self._wall())
                if slept:
                    await self._wake_up(slept)
                else:
                    self._asleep_since = None
        finally:
            self._tell_of_return()
            self.connected.clear()
            closed.cancel()
            await asyncio.wait([closed])  # a cancellation of our own must pass, so no suppress

    def _until_next_look(self) -> float:
        if self._arrivals is None:
            return TICK
        return max(0.0, min(TICK, self._arrivals.due() - self._wall()))

    def _look_after(self, now: float) -> None:
        if self._arrivals is not None and now >= self._arrivals.due():
            self._tell_of_return()
        self._perform(self._session.tick(now))
        for line in self._warnings.tick(now):
            self._say(line)

    def _tell_of_return(self) -> None:
        waited = "" if self._arrivals is None else self._arrivals.text(self._wall())
        if text := ", ".join(part for part in (self._back, waited) if part):
            self._say(text)
        self._back, self._arrivals = "", None

    async def _wake_up(self, slept: float) -> None:
        """A connection rarely outlives the sleep, and nobody says so: ask."""
        if slept >= _WORTH_TELLING:
            self._say(f"this machine was asleep for {duration(slept, whole=True)}")
        await self.probe()
        self.speak()
        self._slumber.restart(self._wall(), self._monotonic())

    def _announce(self, *, online: bool) -> None:
        presence = _announcement(replace(self._presence, online=online))
        self._transport.publish(self.topics.presence, presence, retain=True)

    # --- what arrives -----------------------------------------------------------------------

    def _delivered(self, delivery: Delivery) -> None:
        now = self._wall()
        if delivery.topic == self.topics.requests:
            self._perform(self._session.receive(delivery.payload, delivery, now))
        elif delivery.topic == self.topics.calls:
            self.on_call(delivery.payload)
        else:
            self._perform([Discard((delivery,), f"for another stage: {delivery.topic}")])

    def _perform(self, effects: Sequence[Effect]) -> None:
        now = self._wall()
        for effect in effects:
            match effect:
                case Deliver(message):
                    if self._aside and isinstance(message, Run):
                        self.ack(effect)  # the newer daemon's
                        continue
                    if self._arrivals is not None:
                        self._arrivals.arrived(message.request_id, message.sent_at, now)
                    if not self._batch:
                        asyncio.get_running_loop().call_soon(self._flush)
                    self._batch.append(effect)
                case Discard(tokens, reason):
                    self.discarded += 1
                    line = None if self._aside else self._warnings.add(reason, now)
                    if line is not None:
                        self._say(line)
                    for token in tokens:
                        self._ack(token)

    def _ack(self, token: object) -> None:
        self._transport.ack(cast(Delivery, token))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        self._on_requests(batch)

    # --- other daemons ----------------------------------------------------------------------

    async def _find_out_who(self) -> None:
        """The broker says that we have been replaced."""

        def is_other(presence: Presence) -> bool:
            return presence.online and presence.daemon_id != self._presence.daemon_id

        who = None
        with contextlib.suppress(*_FAILURES):
            who = await self._announced(is_other, TAKEOVER_LOOKUP)
        await self._step_aside(who)

    async def _look_for_a_newer_daemon(self) -> None:
        """Whoever started while we were away keeps the stage."""
        there = await self._announced(lambda _: True, STAGE_LOOKUP)
        if there is not None and started_after(self._presence, there):
            await self._step_aside(there)

    async def _step_aside(self, who: Presence | None) -> None:
        await self._transport.close()
        self._aside = True
        self._transport = self._make_transport(self._another_client_id(), True)
        self.taken_over_by = who
        self.taken_over.set()

    async def _announced(
        self, wanted: Callable[[Presence], bool], seconds: float
    ) -> Presence | None:
        """The stage's announcement, with a client id that disturbs nobody."""
        found: asyncio.Future[Presence] = asyncio.get_running_loop().create_future()

        def look(delivery: Delivery) -> None:
            presence = _presence(delivery.payload)
            if presence is not None and not found.done() and wanted(presence):
                found.set_result(presence)

        onlooker = self._make_transport(self._another_client_id(), True)
        try:
            await onlooker.connect(subscriptions=[self.topics.presence], on_delivery=look)
            return await asyncio.wait_for(found, seconds)
        except TimeoutError:
            return None
        finally:
            await onlooker.close()

    def _another_client_id(self) -> str:
        return f"{self.topics.daemon_client_id}-{codec.new_id()}"


def _again(wait: float) -> str:
    return f"trying again in {duration(max(1.0, wait), whole=True)}"


def _announcement(presence: Presence) -> bytes:
    (frame,) = frames(presence)
    return frame


def _presence(frame: bytes) -> Presence | None:
    reassembler = Reassembler(max_messages=1, max_bytes=len(frame), max_age=1.0, max_frames=1)
    for event in reassembler.add(frame, None, 0.0):
        if isinstance(event, Complete):
            with contextlib.suppress(ProtocolError):
                message = codec.decode(event.body)
                return message if isinstance(message, Presence) else None
    return None
