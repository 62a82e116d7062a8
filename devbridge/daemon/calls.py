"""Calls of live functions, as they come over the bridge: handed to their workers, and answered.

What is too large for the wire is in the stage's bucket.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from devbridge.daemon.freshness import TICK, Freshness, Moment
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Mood
from devbridge.protocol.messages import (
    REJECT_BUSY,
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_FUNCTION,
    Call,
    CallReply,
    Invoke,
    Raised,
    Rejected,
    Responded,
    Taken,
    Topics,
)
from devbridge.protocol.session import CallSession, Discard, fits
from devbridge.words import many

NOT_HANDED_OVER: Final = "Devbridge.NotHandedOver"
_log = logging.getLogger(__name__)


class Objects(Protocol):
    """The stage's bucket. Its methods block, and raise whatever the cloud does."""

    def get(self, key: str) -> bytes:
        """The content of an object."""

    def put(self, key: str, body: bytes) -> None:
        """Store one."""


class Callee(Protocol):
    """Who has the workers: `devbridge.daemon.pool.functions.Functions`."""

    def has(self, function: str) -> bool:
        """Whether it is a live function."""

    def knows(self, request_id: str) -> bool:
        """Whether this request has come before, or was abandoned."""

    def invoke(self, asked: Invoke, event: bytes) -> None:
        """Handle a request, unless it is known already."""

    def abandoned(self, request_id: str) -> None:
        """Nobody waits for the answer to this request any more."""


class Bridge(Protocol):
    """What is used of the bridge."""

    @property
    def connected_since(self) -> float:
        """When its connection was made, in seconds since the epoch; infinity: never yet."""

    def reply(self, stub_id: str, reply: CallReply) -> None:
        """Answer a stub."""

    async def probe(self) -> None:
        """Return when the broker has given a sign of life, or the connection has ended."""

    def speak(self) -> None:
        """Tell stubs that have found nobody awake that somebody is."""


class Calls:
    """Takes frames, in the event loop's thread; `watch` is to go on meanwhile."""

    def __init__(
        self, bridge: Bridge, topics: Topics, objects: Objects, narrator: Narrator, stale: float
    ) -> None:
        """`callee` is to be set before the first frame comes. `stale`: see `Freshness`."""
        self.callee: Callee
        self._bridge = bridge
        self._topics = topics
        self._objects = objects
        self._narrator = narrator
        self._session = CallSession()
        self._stale = stale
        self._freshness = Freshness(_now(), stale)
        self._connected_since = math.inf
        self.leaving = False
        """No further calls are taken."""
        self._late: set[str] = set()
        """The calls that have come too late, by their ids: they may come several times."""
        self._large: set[str] = set()
        """The calls whose answers are being stored, by their ids."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Look at the clocks, for ever."""
        while True:
            await asyncio.sleep(TICK)
            self._look()
            self._session.tick(_now()[0])

    def frame(self, payload: bytes) -> None:
        """One has come."""
        self._notice_connection()
        fresh = self._freshness.is_fresh(_now())
        call = self._session.receive(payload, _now()[0])
        if isinstance(call, Discard):
            _log.info("a call was dropped: %s", call.reason)
        elif call is not None and (fresh or not isinstance(call, Invoke)):
            self._take(call)
        elif call is not None:
            self._is_late(call.request_id)

    def answer(self, asked: Invoke, reply: Responded | Raised) -> None:
        """Answer a call. Never blocks."""
        body = reply.body if isinstance(reply, Responded) else None
        if asked.request_id in self._large:
            return  # its answer is on its way, whatever is said to one that comes again
        if body is None or fits(reply, body):
            self._bridge.reply(asked.stub_id, reply)
        else:
            self._large.add(asked.request_id)
            self._begin(self._answer_by_object(asked, body))

    async def finish(self) -> None:
        """Return when what is on its way has arrived."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Give up what is on its way. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await self.finish()

    def _take(self, call: Call) -> None:
        if not isinstance(call, Invoke):
            self.callee.abandoned(call.request_id)
        elif self.callee.knows(call.request_id):
            # Whatever is so by now, it was taken here, and runs nowhere else.
            self._call(call)
        elif not self.callee.has(call.function):
            what = f"there is no live function {call.function!r} here: deploy the stage again"
            self._reject(call, REJECT_UNKNOWN_FUNCTION, what)
        elif self.leaving:
            self._reject(call, REJECT_BUSY, "it is ending")
        else:
            self._call(call)

    def _call(self, call: Invoke) -> None:
        # First of all, and on its way before it begins: of a daemon that dies, and has not said so,
        # nothing has run. What a turn of the event loop publishes is sent before the next one.
        self._bridge.reply(call.stub_id, Taken(request_id=call.request_id))
        if call.event_key is None:
            event = call.event or b"null"
            asyncio.get_running_loop().call_soon(self.callee.invoke, call, event)
        else:
            self._begin(self._invoke_by_object(call, call.event_key))

    async def _invoke_by_object(self, call: Invoke, key: str) -> None:
        if key != self._topics.event_key(call.request_id):
            self._reject(call, REJECT_TOO_LARGE, "its event is not where it belongs")
            return
        try:
            event = await asyncio.to_thread(self._objects.get, key)
        except Exception as error:
            what = f"its event of several hundred KiB cannot be read: {error}"
            self._narrator.say(f"{call.function}: {what}", Mood.BAD)
            self._reject(call, REJECT_TOO_LARGE, what)
        else:
            self.callee.invoke(call, event)

    async def _answer_by_object(self, asked: Invoke, body: bytes) -> None:
        key = self._topics.answer_key(asked.request_id)
        try:
            await asyncio.to_thread(self._objects.put, key, body)
        except Exception as error:
            what = f"its answer of several hundred KiB cannot be handed over: {error}"
            self._narrator.say(f"{asked.function}: {what}", Mood.BAD)
            document = json.dumps({"errorType": NOT_HANDED_OVER, "errorMessage": what})
            raised = Raised(request_id=asked.request_id, error=document.encode())
            self._bridge.reply(asked.stub_id, raised)
        else:
            reply = Responded(request_id=asked.request_id, body_key=key)
            self._bridge.reply(asked.stub_id, reply)
        finally:
            self._large.discard(asked.request_id)

    def _reject(self, call: Invoke, code: str, message: str) -> None:
        reply = Rejected(request_id=call.request_id, code=code, message=message)
        self._bridge.reply(call.stub_id, reply)

    def _is_late(self, request_id: str) -> None:
        """Say how many have come too late once that is over, also to their stubs, which would not
        ask again for long."""
        if not self._late:
            asyncio.get_running_loop().call_later(TICK, self._tell_late)
        self._late.add(request_id)
        self._look()

    def _tell_late(self) -> None:
        calls = many(len(self._late), "call has", "calls have")
        self._late = set()
        self._bridge.speak()
        what = f"{calls} come too late, after this machine was asleep or busy, and did not run here"
        instead = "the deployed code has answered, or the caller was told that nobody is here"
        self._narrator.say(f"{what}: {instead}", Mood.WARN)

    def _notice_connection(self) -> None:
        """What comes by a new connection was sent since it was made."""
        since = self._bridge.connected_since
        if since != self._connected_since:
            self._connected_since = since
            self._session = CallSession()
            self._freshness = Freshness((_now()[0], since), self._stale)

    def _look(self) -> None:
        self._notice_connection()
        if self._freshness.look(_now()):
            self._freshness.pinged(_now())
            self._begin(self._probe(self._freshness))

    async def _probe(self, freshness: Freshness) -> None:
        await self._bridge.probe()
        freshness.ponged()

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="call")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _now() -> Moment:
    return time.monotonic(), time.time()
