"""Messages to frames and back.

A frame is a fixed binary header and a chunk, at most 120 KiB in all: below AWS IoT's 128 KiB
whatever the characters are. A message that needs more than one frame is compressed first when
that makes it smaller. The checksum covers the header and the chunk.

Every frame carries a *token* with which it is acknowledged. A token is handed back exactly once:
in `Complete.tokens`, to be acknowledged after the message has been committed, or in
`Dropped.tokens`, to be acknowledged at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from devbridge.protocol.codec import MAX_MESSAGE
from devbridge.protocol.errors import Malformed, NewerVersion, ProtocolError, TooLarge

MAX_FRAME: Final = 120 * 1024
FRAME_VERSION: Final = 1
_MAGIC: Final = b"dvbr"
_ZLIB: Final = 1
_HEADER: Final = struct.Struct("!4sBB16sHH")
_CRC: Final = struct.Struct("!I")
_OVERHEAD: Final = _HEADER.size + _CRC.size
_CHUNK: Final = MAX_FRAME - _OVERHEAD
MAX_FRAMES_PER_MESSAGE: Final = -(-MAX_MESSAGE // _CHUNK)

_STALLED: Final = 5.0
"""Seconds without a new frame after which a message is the first to go when room is needed."""


def split(body: bytes, message_id: bytes) -> list[bytes]:
    """The frames of a message. `message_id` has 16 bytes; the same id and body give the same
    frames, so that they may be sent again.

    Raises:
        TooLarge: the body is over the codec's `MAX_MESSAGE`.
    """
    if len(body) > MAX_MESSAGE:
        raise TooLarge(f"the message has {len(body)} bytes, the limit is {MAX_MESSAGE}")
    flags = 0
    if len(body) > _CHUNK:
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            body, flags = packed, _ZLIB
    count = max(1, -(-len(body) // _CHUNK))
    frames = []
    for index in range(count):
        header = _HEADER.pack(_MAGIC, FRAME_VERSION, flags, message_id, index, count)
        chunk = body[index * _CHUNK : (index + 1) * _CHUNK]
        crc = zlib.crc32(chunk, zlib.crc32(header))
        frames.append(b"%b%b%b" % (header, _CRC.pack(crc), chunk))
    return frames


@dataclass(frozen=True, slots=True)
class Complete:
    """A whole message: its body, and the tokens of all its frames."""

    body: bytes
    tokens: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Frames that will never be part of a message."""

    tokens: tuple[object, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Frame:
    message_id: bytes
    flags: int
    index: int
    count: int
    chunk: bytes


@dataclass(slots=True)
class _Partial:
    count: int
    flags: int
    progress: float
    chunks: dict[int, bytes] = field(default_factory=dict)
    tokens: dict[int, object] = field(default_factory=dict)
    size: int = 0

    def takes(self, part: _Frame) -> bool:
        return (self.count, self.flags) == (part.count, part.flags)


class Reassembler:
    """Puts frames together, in whatever order and however often they come.

    It never holds more than `max_messages` unfinished messages, `max_bytes` of chunks and
    `max_frames` frames (and tokens), nor a message that has had no new frame for `max_age`
    seconds. Where a new frame would not fit, a message that has stalled goes first, then the
    youngest one: so the oldest always completes.
    """

    def __init__(
        self, *, max_messages: int, max_bytes: int, max_age: float, max_frames: int
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._max_frames = max_frames
        self._partials: dict[bytes, _Partial] = {}
        self._bytes = 0
        self._frames = 0

    @property
    def frames(self) -> int:
        """How many frames are held, unacknowledged."""
        return self._frames

    def add(self, frame: bytes, token: object, now: float) -> list[Complete | Dropped]:
        """Take a frame. `now` is in seconds, of any clock that does not go back."""
        try:
            part = _parse(frame)
        except ProtocolError as error:
            return [Dropped((token,), str(error))]
        if part.count == 1:
            return [_finish(part.flags, part.chunk, (token,))]
        partial = self._partials.get(part.message_id)
        if partial is None:
            partial = self._partials[part.message_id] = _Partial(part.count, part.flags, now)
        elif part.index in partial.chunks or not partial.takes(part):
            return _refuse(partial, part, token)
        partial.chunks[part.index] = part.chunk
        partial.tokens[part.index] = token
        partial.progress = now
        partial.size += len(part.chunk)
        self._bytes += len(part.chunk)
        self._frames += 1
        if len(partial.chunks) == partial.count:
            self._forget(part.message_id)
            body = b"".join(partial.chunks[index] for index in range(partial.count))
            return [_finish(partial.flags, body, tuple(partial.tokens.values()))]
        return self._make_room(now)

    def expire(self, now: float) -> list[Complete | Dropped]:
        """Drop the messages that have had no new frame for `max_age` seconds."""
        old = [
            message_id
            for message_id, partial in self._partials.items()
            if now - partial.progress >= self._max_age
        ]
        return [
            self._drop(message_id, f"incomplete after {self._max_age:g} s") for message_id in old
        ]

    def _make_room(self, now: float) -> list[Complete | Dropped]:
        dropped: list[Complete | Dropped] = []
        while (
            len(self._partials) > self._max_messages
            or self._bytes > self._max_bytes
            or self._frames > self._max_frames
        ):
            victim = min(self._partials, key=lambda each: self._partials[each].progress)
            if now - self._partials[victim].progress < _STALLED:
                victim = next(reversed(self._partials))
            dropped.append(self._drop(victim, "too many unfinished messages"))
        return dropped

    def _drop(self, message_id: bytes, reason: str) -> Dropped:
        partial = self._forget(message_id)
        have = f"{len(partial.chunks)} of {partial.count} frames"
        return Dropped(tuple(partial.tokens.values()), f"{reason} ({have})")

    def _forget(self, message_id: bytes) -> _Partial:
        partial = self._partials.pop(message_id)
        self._bytes -= partial.size
        self._frames -= len(partial.chunks)
        return partial


def _refuse(partial: _Partial, part: _Frame, token: object) -> list[Complete | Dropped]:
    if not partial.takes(part):
        return [Dropped((token,), "a frame that contradicts the others of its message")]
    # The broker has sent the frame again. After a reconnect the old token is void and the broker
    # keeps the frame for the new one: hold that. Within a connection a broker repeats a frame
    # under the same token, which must not be acknowledged yet.
    held = partial.tokens[part.index]
    if held == token:
        return []
    partial.tokens[part.index] = token
    return [Dropped((held,), "a frame that came twice")]


def _parse(frame: bytes) -> _Frame:
    if len(frame) < _OVERHEAD or frame[:4] != _MAGIC:
        raise Malformed("not a frame of this protocol")
    header = frame[: _HEADER.size]
    _, version, flags, message_id, index, count = _HEADER.unpack(header)
    if version > FRAME_VERSION:
        raise NewerVersion(f"frame version {version}; this devbridge knows {FRAME_VERSION}")
    chunk = frame[_OVERHEAD:]
    (crc,) = _CRC.unpack_from(frame, _HEADER.size)
    if crc != zlib.crc32(chunk, zlib.crc32(header)):
        raise Malformed("a frame whose checksum is wrong")
    if len(frame) > MAX_FRAME or count > MAX_FRAMES_PER_MESSAGE:
        raise TooLarge(f"a frame of {len(frame)} bytes, of a message of {count} frames")
    if version < 1 or index >= count or flags & ~_ZLIB:
        raise Malformed("a frame whose header is wrong")
    return _Frame(message_id, flags, index, count, chunk)


def _finish(flags: int, body: bytes, tokens: Sequence[object]) -> Complete | Dropped:
    if flags & _ZLIB:
        inflater = zlib.decompressobj()
        try:
            body = inflater.decompress(body, MAX_MESSAGE + 1)
        except zlib.error as error:
            return Dropped(tuple(tokens), f"a message that does not decompress: {error}")
        if len(body) > MAX_MESSAGE:
            return Dropped(tuple(tokens), f"a message that decompresses to over {MAX_MESSAGE}")
        if not inflater.eof:
            return Dropped(tuple(tokens), "a message whose compressed data has no end")
    return Complete(body, tuple(tokens))
