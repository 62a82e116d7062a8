"""A generator's checkpoints in this process, over a Runtime API that writes down what it is told.

What SIGTERM does is in tests/integration/runner/test_checkpoints.py: it takes whole processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import decimal
import json
import os
import signal
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest

from runner import checkpoints, outcome
from runner.checkpoints import (
    MAX_CHECKPOINT,
    CheckpointNotJson,
    Checkpoints,
    CheckpointTooLarge,
    Interrupted,
    encode,
)
from tests.waiting import eventually


class Client:
    """Stands for the Runtime API's client."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.first: bytes | None = None
        self.asked = 0
        self.kept = threading.Semaphore(0)

    def checkpoint(self) -> bytes | None:
        self.asked += 1
        return self.first

    def keep_checkpoint(self, body: bytes) -> int:
        self.stored.append(body)
        self.kept.release()
        return 202


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client() -> Client:
    return Client()


MADE: list[Checkpoints] = []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(checkpoints, "monotonic", one)
    monkeypatch.setattr(checkpoints, "time", one)
    monkeypatch.setattr(Checkpoints, "_begin_helping", lambda _: None)
    return one


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    while MADE:  # a helping thread that is left would hand on the next SIGTERM, to the tests
        MADE.pop().close()
    signal.signal(signal.SIGTERM, before)
    assert signal.set_wakeup_fd(-1) == -1


def made(client: Client, environment: dict[str, str] | None = None, **custom: str) -> Checkpoints:
    headers = {"lambda-runtime-client-context": json.dumps({"custom": custom})}
    MADE.append(Checkpoints(lambda: client, headers, environment or {}))
    return MADE[-1]


# --- as JSON ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0"),
        (False, b"false"),
        ("", b'""'),
        (None, b"null"),
        ({"a": [1, 2.5, "\xe9"]}, '{"a":[1,2.5,"é"]}'.encode()),
        (decimal.Decimal("1.10"), b"1.10"),
        ("\ud800", b'"\\ud800"'),
    ],
)
def test_any_json_value_can_be_a_checkpoint(value: object, text: bytes) -> None:
    assert encode(value) == text


def test_so_can_what_a_result_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    import devbridge.payload.encode  # noqa: F401 - a handler that uses devbridge has it

    @dataclasses.dataclass
    class State:
        epoch: int

    assert encode(State(3)) == b'{"epoch":3}'


def test_what_is_no_json_is_told_with_its_place() -> None:
    with pytest.raises(CheckpointNotJson, match=r"^checkpoint\['a'\] is of type object, which"):
        encode({"a": object()})
    with pytest.raises(CheckpointNotJson, match="checkpoint is nan, which JSON does not have"):
        encode(float("nan"))


def test_what_is_too_large_is_told_with_its_size_and_what_to_do() -> None:
    assert len(encode("x" * (MAX_CHECKPOINT - 2))) == MAX_CHECKPOINT
    with pytest.raises(CheckpointTooLarge, match=r"has 262,145 bytes, .* S3, and yield where"):
        encode("x" * (MAX_CHECKPOINT - 1))


def test_the_limit_is_that_of_who_stores_them() -> None:
    assert MAX_CHECKPOINT == outcome.MAX_CHECKPOINT


# --- when they are stored -----------------------------------------------------------------------


def test_the_first_is_stored_at_once_and_others_when_their_time_has_come(
    client: Client, clock: Clock
) -> None:
    def handler() -> Generator[int, None, str]:
        for count in range(7):
            yield count
            clock.now += 0.75
        return "done"

    assert made(client).drive(handler()) == "done"
    assert client.stored == [b"0", b"3", b"6"]


def test_the_time_between_two_can_be_set(client: Client, clock: Clock) -> None:
    made(client, {checkpoints.VARIABLE: "0"}).drive(iterator for iterator in range(3))
    assert client.stored == [b"0", b"1", b"2"]
    client.stored.clear()
    made(client, {checkpoints.VARIABLE: "often"}).drive(iterator for iterator in range(3))
    assert client.stored == [b"0"]


def test_a_pending_one_is_stored_though_nothing_is_yielded_any_more(client: Client) -> None:
    def handler() -> Generator[int]:
        yield from range(5)
        assert client.kept.acquire(timeout=10)
        assert client.kept.acquire(timeout=10)

    made(client, {checkpoints.VARIABLE: "0.05"}).drive(handler())
    assert client.stored == [b"0", b"4"]


def test_what_is_pending_when_the_handler_raises_can_be_stored(
    client: Client, clock: Clock
) -> None:
    def handler() -> Generator[int]:
        yield from range(5)
        raise KeyError("a")

    kept = made(client)
    with pytest.raises(KeyError):
        kept.drive(handler())
    kept.store()
    kept.store()
    assert client.stored == [b"0", b"4"]


def test_what_becomes_of_a_value_afterwards_is_not_stored(client: Client, clock: Clock) -> None:
    def handler() -> Generator[dict[str, int]]:
        state = {"n": 0}
        yield state
        state["n"] = 1
        yield state
        state["n"] = 2

    kept = made(client)
    kept.drive(handler())
    kept.store()
    assert client.stored == [b'{"n":0}', b'{"n":1}']


# --- bad ones -----------------------------------------------------------------------------------


def test_a_bad_one_is_raised_where_it_is_yielded(client: Client, clock: Clock) -> None:
    seen: list[BaseException] = []

    def handler() -> Generator[object]:
        try:
            yield object()
        except CheckpointNotJson as error:
            seen.append(error)
            raise

    with pytest.raises(CheckpointNotJson) as caught:
        made(client).drive(handler())
    assert seen == [caught.value]
    assert caught.traceback[-1].name == "handler"


@pytest.mark.parametrize("more", [[], [1, 2]])
def test_and_nobody_can_go_on_after_it(client: Client, clock: Clock, more: list[int]) -> None:
    def handler() -> Generator[object]:
        with contextlib.suppress(CheckpointNotJson):
            yield object()
        yield from more

    async def async_handler() -> AsyncGenerator[object, None]:
        for each in handler():
            with contextlib.suppress(CheckpointNotJson):
                yield each

    with pytest.raises(CheckpointNotJson):
        made(client).drive(handler())
    with pytest.raises(CheckpointNotJson):
        asyncio.run(made(client).drive_async(async_handler()))
    assert client.stored == []


# --- where an attempt begins --------------------------------------------------------------------


def test_the_runtime_api_is_asked_only_where_there_is_a_checkpoint(client: Client) -> None:
    client.first = b'{"n": 3}'
    assert made(client).first() is None
    assert client.asked == 0
    assert made(client, checkpoint="1").first() == b'{"n": 3}'


def test_null_is_no_checkpoint(client: Client) -> None:
    client.first = b" null"
    assert made(client, checkpoint="1").first() is None
    client.first = b"0"
    assert made(client, checkpoint="1").first() == b"0"


# --- interruption -------------------------------------------------------------------------------


def test_after_its_time_the_next_checkpoint_is_the_last_and_the_generator_is_closed(
    client: Client, clock: Clock
) -> None:
    closed: list[int] = []

    def handler(kept: Checkpoints) -> Generator[int]:
        for count in range(10):
            assert kept.interrupted == (count >= 4)
            try:
                yield count
            except GeneratorExit:
                closed.append(count)
                raise
            clock.now += 0.5

    kept = made(client, stop_at="1002.0")
    with pytest.raises(Interrupted):
        kept.drive(handler(kept))
    assert closed == [4]
    assert client.stored == [b"0", b"4"]


def test_so_with_an_async_generator(client: Client, clock: Clock) -> None:
    closed: list[int] = []

    async def handler() -> AsyncGenerator[int, None]:
        for count in range(10):
            try:
                yield count
            finally:
                closed.append(count)
            await asyncio.sleep(0)
            clock.now += 0.5

    with pytest.raises(Interrupted):
        asyncio.run(made(client, stop_at="1001.0").drive_async(handler()))
    assert client.stored == [b"0", b"2"]
    assert closed == [0, 1, 2]


def test_sigterm_is_what_the_handler_sees_where_it_looks(client: Client, clock: Clock) -> None:
    def handler(kept: Checkpoints) -> Generator[int]:
        for count in range(10):
            assert kept.interrupted == (count >= 1)
            if count == 0:
                signal.raise_signal(signal.SIGTERM)
            yield count

    kept = made(client)
    with pytest.raises(Interrupted):
        kept.drive(handler(kept))
    assert client.stored == [b"0"]
    kept.close()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_one_that_comes_to_its_end_was_not_interrupted(client: Client) -> None:
    def handler(kept: Checkpoints) -> Generator[int, None, str]:
        yield 1
        assert not kept.interrupted
        signal.raise_signal(signal.SIGTERM)
        return "done"

    kept = made(client)
    assert kept.drive(handler(kept)) == "done"
    kept.raise_if_interrupted()
    kept.close()


def test_a_function_that_has_looked_and_returns_was(client: Client) -> None:
    kept = made(client)
    assert not kept.interrupted
    kept.raise_if_interrupted()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        kept.raise_if_interrupted()
    kept.close()


def test_a_handler_of_the_apps_own_stays_and_is_told_where_somebody_looks(client: Client) -> None:
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    kept = made(client)
    kept.drive(iterator for iterator in range(2))
    signal.raise_signal(signal.SIGTERM)
    assert told == [signal.SIGTERM]
    assert not kept.interrupted
    signal.raise_signal(signal.SIGTERM)
    assert kept.interrupted
    assert told == [signal.SIGTERM] * 2
    kept.close()
    signal.raise_signal(signal.SIGTERM)
    assert told == [signal.SIGTERM] * 3


def test_in_another_thread_there_is_nothing_to_listen_with(client: Client) -> None:
    kept = made(client)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(kept.interrupted))
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_no_thread_is_left_of_a_handler_that_has_its_own_ways_with_sigterm(client: Client) -> None:
    signal.signal(signal.SIGTERM, lambda number, _frame: None)
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for _ in range(20):
        kept = made(client)
        kept.drive(iterator for iterator in range(2))
        kept.close()
    # Fewer than before, if another test has left some that go meanwhile.
    eventually(lambda: len(os.listdir("/dev/fd")) <= before)  # noqa: PTH208
