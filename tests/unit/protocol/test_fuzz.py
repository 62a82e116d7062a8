"""Whatever comes over the bridge, the daemon's end goes on, holds little, and acks everything."""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from devbridge.protocol import fragments
from devbridge.protocol.messages import Cancel, Run, Status
from devbridge.protocol.session import (
    MAX_PARTIAL_AGE,
    MAX_UNACKNOWLEDGED,
    DaemonSession,
    Deliver,
    Effect,
    frames,
)

NOW = 1_800_000_000.0
ID = st.uuids().map(str)
RANDOM = zlib.compress(
    b"".join(struct.pack("!Q", n * 0x9E3779B97F4A7C15 % 2**64) for n in range(2**16))
)

runs = st.builds(
    Run,
    request_id=ID,
    stub_id=ID,
    sent_at=st.floats(0, 2 * NOW),
    job=st.text(max_size=20),
    job_id=ID,
    payload=st.sampled_from([b"null", b"", b'"' + b"x" * 300_000 + b'"', RANDOM[:400_000]]),
    idempotency_key=st.none() | st.text(max_size=20),
)
asked = st.builds(Cancel, request_id=ID, stub_id=ID, sent_at=st.just(NOW), job_id=ID) | st.builds(
    Status, request_id=ID, stub_id=ID, sent_at=st.just(NOW), job_id=ID
)


def crafted(
    version: int, flags: int, message_id: bytes, index: int, count: int, chunk: bytes
) -> bytes:
    """A frame whose checksum is right, whatever else is wrong."""
    header = struct.pack("!4sBB16sHH", b"dvbr", version, flags, message_id, index, count)
    return header + struct.pack("!I", zlib.crc32(chunk, zlib.crc32(header))) + chunk


bodies = (
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["v", "type", "job", "job_id", "request_id", "sent_at"]), inner
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode() + b"\n")
    | st.sampled_from([b"[" * 100_000, b'{"v":1,"type":"run"}\n', zlib.compress(b"x" * 2**23)])
)
crafted_frames = st.builds(
    crafted,
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([bytes([n]) * 16 for n in range(40)]),
    st.integers(0, 70) | st.integers(0, 65535),
    st.integers(0, 70) | st.integers(0, 65535),
    bodies,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    frame = bytearray(draw(st.sampled_from(frames(draw(runs | asked)))))
    at = draw(st.integers(0, len(frame) - 1))
    match draw(st.sampled_from(["flip", "cut", "grow", "swap"])):
        case "flip":
            frame[at] ^= draw(st.integers(1, 255))
        case "cut":
            del frame[at:]
        case "grow":
            frame[at:at] = draw(st.binary(min_size=1, max_size=50))
        case "swap":
            frame[at:] = frame[: len(frame) - at]
    return bytes(frame)


groups = st.lists(
    st.one_of(
        (runs | asked).map(frames),
        st.lists(st.binary(max_size=200), min_size=1, max_size=3),
        st.lists(mutated(), min_size=1, max_size=3),
        st.lists(crafted_frames, min_size=1, max_size=20),
    ),
    max_size=8,
)


class Bridge:
    """Hands frames to a session, and checks what it does with their tokens."""

    def __init__(self) -> None:
        self.session = DaemonSession()
        self.open: set[int] = set()
        self.count = 0

    def receive(self, frame: bytes, now: float) -> None:
        self.count += 1
        self.open.add(self.count)
        self.take(self.session.receive(frame, self.count, now))
        held = self.session._reassembler
        assert held.frames <= MAX_UNACKNOWLEDGED
        assert len(held._partials) <= 32
        assert held._bytes <= MAX_UNACKNOWLEDGED * fragments.MAX_FRAME
        assert held.frames == len(self.open)

    def take(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            assert isinstance(effect, Deliver) or effect.reason
            for token in effect.tokens:
                assert isinstance(token, int)
                self.open.remove(token)  # each is handed back once


@settings(max_examples=200)
@given(groups, st.randoms(use_true_random=False), st.lists(st.floats(0, 60), max_size=5))
def test_frames_of_any_kind_never_raise_and_every_one_is_acknowledged_or_delivered(
    groups: list[list[bytes]], random: object, pauses: list[float]
) -> None:
    bridge, now = Bridge(), NOW
    coming = [frame for group in groups for frame in group]
    coming += coming[: len(coming) // 3]
    random.shuffle(coming)  # type: ignore[attr-defined]
    for frame in coming:
        bridge.receive(frame, now)
        if pauses:
            now += pauses.pop()
            bridge.take(bridge.session.tick(now))
    bridge.take(bridge.session.tick(now + MAX_PARTIAL_AGE))
    assert bridge.open == set()
    assert bridge.session._reassembler._bytes == 0


def test_a_flood_of_messages_that_never_end_is_held_within_the_limits() -> None:
    bridge = Bridge()
    for number in range(2000):
        message_id = uuid.UUID(int=number // 3).bytes
        bridge.receive(crafted(1, 0, message_id, number % 3, 50, b"x" * 100_000), NOW)
    assert len(bridge.open) <= MAX_UNACKNOWLEDGED


def test_a_compression_bomb_is_refused_without_inflating_it() -> None:
    bomb = zlib.compress(b"\0" * 2**27, 9)
    assert len(bomb) > fragments.MAX_FRAME
    bridge = Bridge()
    pieces = [bomb[at : at + 100_000] for at in range(0, len(bomb), 100_000)]
    for index, piece in enumerate(pieces):
        bridge.receive(crafted(1, 1, b"b" * 16, index, len(pieces), piece), NOW)
    assert bridge.open == set()
