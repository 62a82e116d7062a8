from __future__ import annotations

import random

import pytest

from devbridge.transport.base import Endpoint
from devbridge.transport.pacer import Pacer, pacer_for, published_size


def published(sizes: list[int], pacer: Pacer, now: float = 100.0) -> list[tuple[float, int]]:
    """When each message goes, if whoever sends them asks again when told to."""
    sent = []
    for size in sizes:
        while (wait := pacer.wait(size, now)) > 0:
            now += wait
        sent.append((now, size))
    return sent


def most_in_a_second(sent: list[tuple[float, int]]) -> tuple[int, int]:
    """The most messages, and the most bytes, in any second."""
    messages = size = 0
    for start, _ in sent:
        window = [each for at, each in sent if start <= at < start + 1]
        messages, size = max(messages, len(window)), max(size, sum(window))
    return messages, size


def test_a_burst_of_small_messages_never_exceeds_100_a_second() -> None:
    sent = published([200] * 1000, Pacer())
    messages, _ = most_in_a_second(sent)
    assert 75 <= messages < 100
    assert sent[-1][0] - sent[0][0] < 1000 / 70, "slower than need be"


def test_large_messages_never_exceed_512_kib_a_second() -> None:
    sent = published([120 * 1024] * 60, Pacer())
    _, size = most_in_a_second(sent)
    assert size <= 512 * 1024
    assert sent[-1][0] - sent[0][0] < 60 * 120 / 380, "slower than need be"


def test_messages_of_all_sizes_respect_both_quotas() -> None:
    chance = random.Random(5)  # noqa: S311
    sizes = [chance.choice((100, 2_000, 60_000, 120 * 1024)) for _ in range(400)]
    messages, size = most_in_a_second(published(sizes, Pacer()))
    assert messages <= 100
    assert size <= 512 * 1024


def test_whoever_publishes_now_and_then_never_waits() -> None:
    pacer = Pacer()
    assert all(pacer.wait(10_000, 100.0 + number / 10) == 0 for number in range(100))


def test_what_was_not_allowed_is_not_counted() -> None:
    pacer = Pacer(rate=1, burst=1, byte_rate=1e9, byte_burst=1e9)
    assert pacer.wait(1, 0.0) == 0
    assert [pacer.wait(1, 0.5) for _ in range(3)] == [0.5] * 3
    assert pacer.wait(1, 1.0) == 0


def test_a_message_larger_than_the_burst_goes_when_nothing_else_does() -> None:
    pacer = Pacer(byte_rate=100, byte_burst=100)
    assert pacer.wait(1_000, 0.0) == 0
    assert pacer.wait(1, 0.5) == 0
    assert pacer.wait(1_000, 1.0) == pytest.approx(0.01)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    pacer = Pacer(burst=2)
    assert [pacer.wait(1, 5.0) > 0 for _ in range(4)] == [False, False, True, True]


def test_only_aws_is_paced() -> None:
    assert pacer_for(Endpoint("h", "eu-west-1")) is not None
    assert pacer_for(Endpoint("h", "eu-west-1", ("127.0.0.1", 1))) is None


def test_the_topic_counts_as_well() -> None:
    assert published_size("täst", b"12345") == 5 + 5 + 32
