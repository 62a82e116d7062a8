from __future__ import annotations

import os
import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbridge.protocol import fragments
from devbridge.protocol.codec import MAX_MESSAGE
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.fragments import MAX_FRAME, Complete, Dropped, Reassembler, split

Events = list[Complete | Dropped]
CHUNK = MAX_FRAME - 30
BIG = random.Random(1).randbytes(6 * CHUNK)  # noqa: S311


def an_id() -> bytes:
    return os.urandom(16)


def reassembler(
    *, max_messages: int = 10, max_bytes: int = 10**8, max_age: float = 60, max_frames: int = 90
) -> Reassembler:
    return Reassembler(
        max_messages=max_messages, max_bytes=max_bytes, max_age=max_age, max_frames=max_frames
    )


def feed(target: Reassembler, frames: list[bytes], first_token: int = 0) -> Events:
    events: Events = []
    for number, frame in enumerate(frames):
        events += target.add(frame, first_token + number, now=0.0)
    return events


def tokens_of(events: Events) -> list[object]:
    return [token for event in events for token in event.tokens]


@given(st.binary(max_size=2000))
def test_a_small_message_is_one_frame(body: bytes) -> None:
    frames = split(body, an_id())
    assert len(frames) == 1
    assert reassembler().add(frames[0], "t", 0.0) == [Complete(body, ("t",))]


@given(
    size=st.integers(CHUNK - 2, 5 * CHUNK + 2),
    order=st.randoms(use_true_random=False),
    copies=st.integers(1, 3),
)
@settings(max_examples=40)
def test_frames_make_the_message_in_any_order_and_however_often_they_come(
    size: int, order: random.Random, copies: int
) -> None:
    body = BIG[:size]
    frames = split(body, an_id())
    assert all(len(frame) <= MAX_FRAME for frame in frames)
    sent = frames * copies
    order.shuffle(sent)
    target = reassembler()
    events = feed(target, sent)
    complete = [event for event in events if isinstance(event, Complete)]
    assert complete
    assert all(event.body == body for event in complete)
    held = target.expire(1e9)
    assert sorted(map(str, tokens_of(events + held))) == sorted(map(str, range(len(sent))))
    assert target.frames == 0


@given(size=st.integers(CHUNK + 1, 5 * CHUNK), data=st.data())
@settings(max_examples=20)
def test_a_message_with_a_lost_frame_never_completes_and_its_tokens_come_back(
    size: int, data: st.DataObject
) -> None:
    frames = split(BIG[:size], an_id())
    frames.pop(data.draw(st.integers(0, len(frames) - 1)))
    target = reassembler(max_age=60)
    assert feed(target, frames) == []
    assert target.expire(59.9) == []
    (dropped,) = target.expire(60.0)
    assert isinstance(dropped, Dropped)
    assert list(dropped.tokens) == list(range(len(frames)))
    assert "incomplete after 60 s" in dropped.reason


def test_sending_all_frames_again_completes_a_message_that_lost_some() -> None:
    message_id = an_id()
    frames = split(BIG, message_id)
    assert split(BIG, message_id) == frames
    target = reassembler()
    events = feed(target, frames[::2]) + feed(target, frames, first_token=100)
    assert [event.body for event in events if isinstance(event, Complete)] == [BIG]


@given(st.data())
def test_a_damaged_frame_is_dropped(data: st.DataObject) -> None:
    frame = bytearray(split(b"hello", an_id())[0])
    position = data.draw(st.integers(0, len(frame) - 1))
    frame[position] ^= data.draw(st.integers(1, 255))
    (event,) = reassembler().add(bytes(frame), "t", 0.0)
    assert isinstance(event, Dropped)
    assert event.tokens == ("t",)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_dropped(frame: bytes) -> None:
    (event,) = reassembler().add(frame, "t", 0.0)
    assert isinstance(event, Dropped)


def forged(
    *,
    version: int = 1,
    flags: int = 0,
    index: int = 0,
    count: int = 1,
    chunk: bytes = b"",
    message_id: bytes = b"i" * 16,
) -> bytes:
    header = struct.pack("!4sBB16sHH", b"dvbr", version, flags, message_id, index, count)
    return header + struct.pack("!I", zlib.crc32(chunk, zlib.crc32(header))) + chunk


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (forged(version=2), "frame version 2"),
        (forged(version=0), "header is wrong"),
        (forged(flags=2), "header is wrong"),
        (forged(index=1), "header is wrong"),
        (forged(count=0), "header is wrong"),
        (forged(count=1000), "of 1000 frames"),
        (forged(chunk=b"x" * MAX_FRAME), "bytes"),
        (forged(flags=1, chunk=b"not zlib"), "does not decompress"),
        (forged(flags=1, chunk=zlib.compress(b"hello")[:-3]), "no end"),
        (forged(flags=1, chunk=zlib.compress(b"0" * (MAX_MESSAGE + 1), 9)), "decompresses to over"),
    ],
)
def test_a_frame_with_a_bad_header_or_content_is_dropped(frame: bytes, reason: str) -> None:
    (event,) = reassembler().add(frame, "t", 0.0)
    assert isinstance(event, Dropped)
    assert reason in event.reason


def test_a_contradicting_frame_does_not_harm_its_message() -> None:
    message_id = an_id()
    frames = split(BIG, message_id)
    target = reassembler()
    assert feed(target, frames[:-1]) == []
    (event,) = target.add(forged(index=5, count=9, message_id=message_id), "t", 0.0)
    assert isinstance(event, Dropped)
    assert event.tokens == ("t",)
    (complete,) = target.add(frames[-1], "last", 0.0)
    assert isinstance(complete, Complete)


def test_a_frame_that_comes_again_keeps_the_new_token_and_gives_the_old_one_back() -> None:
    frames = split(BIG, an_id())
    target = reassembler()
    target.add(frames[0], "old", 0.0)
    (event,) = target.add(frames[0], "new", 0.0)
    assert isinstance(event, Dropped)
    assert event.tokens == ("old",)
    events = feed(target, frames[1:])
    assert "new" in tokens_of(events)


def test_a_frame_that_a_broker_repeats_under_one_token_is_not_acknowledged_early() -> None:
    frames = split(BIG, an_id())
    target = reassembler()
    assert target.add(frames[0], "same", 0.0) == []
    assert target.add(frames[0], "same", 0.0) == []
    assert tokens_of(feed(target, frames[1:])).count("same") == 1


def test_what_compresses_needs_fewer_frames() -> None:
    body = b'{"a": 1}' * 700_000
    frames = split(body, an_id())
    assert len(frames) == 1
    assert reassembler().add(frames[0], "t", 0.0) == [Complete(body, ("t",))]


def test_the_largest_message_stays_below_the_unacknowledged_limit() -> None:
    body = random.Random(2).randbytes(MAX_MESSAGE)  # noqa: S311
    frames = split(body, an_id())
    assert len(frames) == fragments.MAX_FRAMES_PER_MESSAGE <= 90
    events = feed(reassembler(), frames)
    assert [event.body for event in events if isinstance(event, Complete)] == [body]
    with pytest.raises(TooLarge):
        split(body + b"x", an_id())


@pytest.mark.parametrize(
    "limits", [{"max_messages": 2}, {"max_frames": 10}, {"max_bytes": 10 * CHUNK}]
)
def test_what_is_held_is_bounded_and_the_oldest_message_still_completes(
    limits: dict[str, int],
) -> None:
    target = reassembler(**limits)
    messages = [split(BIG, an_id()) for _ in range(3)]
    events: Events = []
    for index in range(6):
        for number, message in enumerate(messages):
            events += target.add(message[index], (number, index), now=0.0)
            assert target.frames <= 12
    complete = [event for event in events if isinstance(event, Complete)]
    assert {token[0] for event in complete for token in event.tokens} >= {0}  # type: ignore[index]
    everything = events + target.expire(1e9)
    assert sorted(tokens_of(everything)) == sorted((n, i) for n in range(3) for i in range(6))  # type: ignore[type-var]


def test_the_largest_message_arrives_however_small_it_is_when_compressed() -> None:
    body = bytes(MAX_MESSAGE)
    (event,) = feed(reassembler(), split(body, an_id()))
    assert isinstance(event, Complete)
    assert event.body == body


def test_a_message_that_is_complete_leaves_the_room_that_it_took() -> None:
    target = reassembler(max_bytes=CHUNK)
    first, second = split(BIG[: CHUNK + 1], an_id()), split(BIG[: CHUNK + 1], an_id())
    (event,) = feed(target, first[::-1])
    assert isinstance(event, Complete)
    assert target.frames == 0
    assert target.add(split(BIG, an_id())[0], "fills it", now=0.0) == []
    (event,) = target.add(second[1], "a byte more", now=0.0)
    assert isinstance(event, Dropped)


def test_a_stalled_message_makes_room_before_a_live_one() -> None:
    target = reassembler(max_messages=1)
    stalled, live = split(BIG, an_id()), split(BIG, an_id())
    assert target.add(stalled[0], "stalled", now=0.0) == []
    (event,) = target.add(live[0], "live", now=10.0)
    assert isinstance(event, Dropped)
    assert event.tokens == ("stalled",)
