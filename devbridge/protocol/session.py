"""The two ends of the wire: frames in, decisions out.

The daemon's end says what to do with a frame; it never acknowledges by itself, because a request
may only be acknowledged once the ledger has it. The stub's end waits for one reply.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Final

from devbridge.protocol import codec, fragments
from devbridge.protocol.errors import ProtocolError
from devbridge.protocol.fragments import Complete, Dropped, Reassembler
from devbridge.protocol.messages import (
    Call,
    CallReply,
    Invoke,
    Message,
    Reply,
    Request,
    Taken,
    is_unknown_run,
)

MAX_REQUEST_AGE: Final = 7 * 24 * 3600.0
"""Seconds: the longest that AWS IoT keeps a session, and a request in it."""
MAX_UNACKNOWLEDGED: Final = 90
"""Frames: AWS IoT sends no more than 100 before it wants an acknowledgement."""
MAX_PARTIAL_AGE: Final = 120.0
"""Seconds without a new frame; AWS IoT replays stored messages at 10 a second."""
MAX_CALL_FRAMES: Final = 2
"""Frames of a call, or of its answer, that go over the wire; what has more is put into the stage's
bucket. AWS IoT lets 512 KiB a second through, for each connection."""
MAX_PARTIAL_CALLS: Final = 512
"""Calls of live functions that are not whole yet: few have more than one frame."""
MAX_CALL_AGE: Final = 10.0
"""Seconds without a new frame after which nobody waits for such a call."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Commit the request to the ledger, then acknowledge the tokens."""

    message: Request
    tokens: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """Acknowledge the tokens: these frames are of no use. Count it and say why."""

    tokens: tuple[object, ...]
    reason: str


Effect = Deliver | Discard


def frames(message: Message) -> list[bytes]:
    """A message as it is published. A request's frames are the same each time, so that sending
    them again completes what was lost.

    Raises:
        TooLarge: see `codec.encode`.
    """
    if isinstance(message, Request | Call):
        message_id = uuid.UUID(message.request_id).bytes
    else:
        message_id = os.urandom(16)
    return fragments.split(codec.encode(message), message_id)


def _reassembler() -> Reassembler:
    return Reassembler(
        max_messages=32,
        max_bytes=MAX_UNACKNOWLEDGED * fragments.MAX_FRAME,
        max_age=MAX_PARTIAL_AGE,
        max_frames=MAX_UNACKNOWLEDGED,
    )


def fits(message: Message, body: bytes) -> bool:
    """Whether it may go over the wire with this body, its own: what does not is to be handed over
    by the stage's bucket."""
    if len(body) <= fragments.MAX_FRAME:
        return True
    return len(body) <= codec.MAX_BODY and len(frames(message)) <= MAX_CALL_FRAMES


class DaemonSession:
    """The daemon's end: requests come in. It outlives reconnects. `now` is seconds since the
    epoch everywhere."""

    def __init__(self) -> None:
        self._reassembler = _reassembler()

    def receive(self, frame: bytes, token: object, now: float) -> list[Effect]:
        """What to do now that this frame has come."""
        return [self._judge(event, now) for event in self._reassembler.add(frame, token, now)]

    def tick(self, now: float) -> list[Effect]:
        """What to do now that time has passed; call it every few seconds."""
        return [self._judge(event, now) for event in self._reassembler.expire(now)]

    def _judge(self, event: Complete | Dropped, now: float) -> Effect:
        if isinstance(event, Dropped):
            return Discard(event.tokens, event.reason)
        try:
            message = codec.decode(event.body)
        except ProtocolError as error:
            return Discard(event.tokens, str(error))
        if not isinstance(message, Request):
            return Discard(event.tokens, f"not a request: {type(message).__name__}")
        if now - message.sent_at > MAX_REQUEST_AGE:
            return Discard(event.tokens, f"a request of {(now - message.sent_at) / 86400:.0f} days")
        return Deliver(message, event.tokens)


class CallSession:
    """The daemon's end of what is for live functions, and is acknowledged by nobody: what comes
    damaged, or in part only, was never taken."""

    def __init__(self) -> None:
        self._reassembler = Reassembler(
            max_messages=MAX_PARTIAL_CALLS,
            max_bytes=MAX_PARTIAL_CALLS * fragments.MAX_FRAME,
            max_age=MAX_CALL_AGE,
            max_frames=2 * MAX_PARTIAL_CALLS,
        )

    def receive(self, frame: bytes, now: float) -> Call | Discard | None:
        """The call that this frame completes, or why there is none; None: more is to come."""
        found: Call | Discard | None = None
        for event in self._reassembler.add(frame, None, now):
            found = self._judge(event)
        return found

    def tick(self, now: float) -> None:
        """Forget what never became whole; call it every few seconds."""
        self._reassembler.expire(now)

    def _judge(self, event: Complete | Dropped) -> Call | Discard:
        if isinstance(event, Dropped):
            return Discard((), event.reason)
        try:
            message = codec.decode(event.body)
        except ProtocolError as error:
            return Discard((), str(error))
        if not isinstance(message, Call):
            return Discard((), f"not a call: {type(message).__name__}")
        return message


class StubSession:
    """The stub's end: one request is under way at a time, and only its own reply counts. After a
    reply that knows nothing of the run, or that has only taken the call, another one follows."""

    def __init__(self) -> None:
        self._reassembler = _reassembler()
        self._waiting_for: str | None = None

    def start(self, request: Request | Invoke) -> list[bytes]:
        """The frames to publish; from now on `receive` waits for this request's reply.

        Raises:
            TooLarge: see `codec.encode`.
        """
        published = frames(request)
        self._reassembler = _reassembler()
        self._waiting_for = request.request_id
        return published

    def receive(self, frame: bytes, now: float) -> Reply | CallReply | None:
        """The reply that was waited for, when this frame completes it. Late replies to earlier
        requests, damaged frames and strangers' messages are passed over."""
        for event in self._reassembler.add(frame, None, now):
            if isinstance(event, Complete):
                reply = _reply(event.body)
                if reply is not None and reply.request_id == self._waiting_for:
                    if not isinstance(reply, Taken) and not is_unknown_run(reply):
                        self._waiting_for = None
                    return reply
        return None


def _reply(body: bytes) -> Reply | CallReply | None:
    try:
        message = codec.decode(body)
    except ProtocolError:
        return None
    return message if isinstance(message, Reply | CallReply) else None
