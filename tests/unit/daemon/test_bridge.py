from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from devbridge.daemon import bridge as bridge_module
from devbridge.daemon.bridge import FIRST_PAUSE, LONGEST_PAUSE, Bridge, pause
from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.protocol import codec, fragments
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import Accepted, Presence, Run, Topics
from devbridge.protocol.session import MAX_REQUEST_AGE, Deliver, StubSession, frames
from devbridge.testing import MemoryBroker, MemoryTransport
from devbridge.transport.base import Connected

DEADLINE = 30.0
TOPICS = Topics("shop", "ada")
CLIENT = TOPICS.daemon_client_id


def presence(host: str = "here", *, online: bool = True) -> Presence:
    return Presence(
        online=online,
        daemon_id=codec.new_id(),
        host=host,
        user="ada",
        pid=1,
        since=1.0,
        session_expiry=3600,
    )


def a_run(payload: bytes = b"0", sent_at: float = 1e12) -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=sent_at,
        job="factorial",
        job_id=codec.new_id(),
        payload=payload,
    )


class Side:
    """A daemon's bridge with what it was told and what it said."""

    def __init__(self, broker: MemoryBroker, host: str = "here") -> None:
        self.broker = broker
        self.presence = presence(host)
        self.said: list[str] = []
        self.batches: list[list[Deliver]] = []
        self.transports: list[MemoryTransport] = []
        self.changed = asyncio.Condition()
        self.bridge = Bridge(
            self._make,
            TOPICS,
            self.presence,
            on_requests=self._take,
            say=self.said.append,
        )
        self.task: asyncio.Task[None] | None = None

    @property
    def requests(self) -> list[object]:
        return [deliver.message for batch in self.batches for deliver in batch]

    @property
    def deliveries(self) -> list[Deliver]:
        return [deliver for batch in self.batches for deliver in batch]

    async def start(self) -> None:
        self.task = asyncio.create_task(self.bridge.run())
        await self.until_connected()

    async def until_connected(self) -> None:
        await asyncio.wait_for(self.bridge.connected.wait(), DEADLINE)

    async def ended(self) -> None:
        assert self.task is not None
        await asyncio.wait_for(self.task, DEADLINE)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def _make(self, client_id: str, clean: bool) -> MemoryTransport:
        made = MemoryTransport(
            self.broker, client_id, clean=clean, session_expiry=0 if clean else 3600
        )
        self.transports.append(made)
        return made

    def _take(self, batch: Sequence[Deliver]) -> None:
        self.batches.append(list(batch))


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the attempts that a pause was made before; the pauses take no time."""
    made: list[int] = []

    def no_pause(attempt: int) -> float:
        made.append(attempt)
        return 0.0

    monkeypatch.setattr(bridge_module, "pause", no_pause)
    return made


@pytest.fixture
async def side(broker: MemoryBroker, pauses: list[int]) -> AsyncIterator[Side]:
    made = Side(broker)
    await made.start()
    yield made
    await made.stop()


def send(broker: MemoryBroker, *requests: Run) -> None:
    for request in requests:
        for frame in frames(request):
            broker.publish(TOPICS.requests, frame)


async def settle() -> None:
    """Let everything that is on its way arrive: the fakes take no time."""
    for _ in range(20):
        await asyncio.sleep(0)


def announced(broker: MemoryBroker) -> Presence:
    reassembler = Reassembler(max_messages=1, max_bytes=10_000, max_age=1.0, max_frames=1)
    (event,) = reassembler.add(broker.retained[TOPICS.presence], None, 0.0)
    assert isinstance(event, Complete)
    message = codec.decode(event.body)
    assert isinstance(message, Presence)
    return message


# --- requests -----------------------------------------------------------------------------------


async def test_a_burst_of_requests_arrives_as_one_batch_in_order(
    side: Side, broker: MemoryBroker
) -> None:
    burst = [a_run() for _ in range(50)]
    send(broker, *burst)
    await settle()
    assert [d.message for d in side.batches[0]] == burst
    assert len(side.batches) == 1


async def test_nothing_is_acknowledged_before_the_ledger_has_it(
    side: Side, broker: MemoryBroker
) -> None:
    send(broker, a_run(), a_run())
    await settle()
    assert broker.unacknowledged(CLIENT) == 2
    side.bridge.ack(side.deliveries[0])
    assert broker.unacknowledged(CLIENT) == 1
    side.bridge.ack(side.deliveries[1])
    assert broker.unacknowledged(CLIENT) == 0


async def test_a_request_in_many_frames_is_acknowledged_whole(
    side: Side, broker: MemoryBroker
) -> None:
    run = a_run(bytes(range(256)) * 2)
    big = replace(run, payload=b"".join(codec.new_id().encode() for _ in range(20_000)))
    assert len(frames(big)) > 1
    send(broker, big)
    await settle()
    assert side.requests == [big]
    assert broker.unacknowledged(CLIENT) == len(frames(big))
    side.bridge.ack(side.deliveries[0])
    assert broker.unacknowledged(CLIENT) == 0


async def test_a_request_that_was_sent_while_nobody_was_here_is_delivered_later(
    side: Side, broker: MemoryBroker
) -> None:
    await side.stop()
    run = a_run()
    send(broker, run)
    later = Side(broker)
    await later.start()
    await settle()
    assert later.requests == [run]
    await later.stop()


async def test_what_was_not_acknowledged_comes_again_after_a_reconnect(
    side: Side, broker: MemoryBroker
) -> None:
    run = a_run()
    send(broker, run)
    await settle()
    old = side.deliveries[0]
    broker.drop(CLIENT)
    await settle()
    await side.until_connected()
    await settle()
    assert side.requests == [run, run]
    side.bridge.ack(old)
    assert broker.unacknowledged(CLIENT) == 1
    side.bridge.ack(side.deliveries[1])
    assert broker.unacknowledged(CLIENT) == 0


@pytest.mark.parametrize(
    "message",
    [
        b"not a frame at all",
        b"",
        frames(Accepted(request_id=codec.new_id(), job_id=codec.new_id(), state="QUEUED"))[0],
        frames(a_run(sent_at=1e9 - MAX_REQUEST_AGE))[0],
        fragments.split(b'{"v":99,"type":"run"}\n', b"\x01" * 16)[0],
    ],
    ids=["noise", "nothing", "a reply", "too old", "a newer protocol"],
)
async def test_a_message_of_no_use_is_dropped_counted_and_told(
    side: Side, broker: MemoryBroker, message: bytes
) -> None:
    broker.publish(TOPICS.requests, message)
    await settle()
    assert (side.batches, side.bridge.discarded, len(side.said)) == ([], 1, 1)
    assert "dropped" in side.said[0]
    assert broker.unacknowledged(CLIENT) == 0


async def test_a_request_whose_frames_never_all_come_is_given_up(
    side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = replace(a_run(), payload=b"".join(codec.new_id().encode() for _ in range(20_000)))
    monkeypatch.setattr(bridge_module, "TICK", 0.0)
    monkeypatch.setattr("devbridge.protocol.session.MAX_PARTIAL_AGE", 0.0)
    broker.drop(CLIENT)
    await settle()
    await side.until_connected()
    broker.publish(TOPICS.requests, frames(big)[0])
    async with asyncio.timeout(DEADLINE):
        while not side.bridge.discarded:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert (side.batches, broker.unacknowledged(CLIENT)) == ([], 0)


# --- replies ------------------------------------------------------------------------------------


async def test_a_reply_reaches_the_stub_that_asked(side: Side, broker: MemoryBroker) -> None:
    run = a_run()
    stub = StubSession()
    stub.start(run)
    reply = Accepted(request_id=run.request_id, job_id=run.job_id, state="QUEUED")
    side.bridge.reply(run.stub_id, reply)
    topic, frame = broker.published[-1]
    assert topic == TOPICS.replies(run.stub_id)
    assert stub.receive(frame, 1.0) == reply


async def test_a_reply_without_a_connection_is_lost_and_nothing_else(
    side: Side, broker: MemoryBroker
) -> None:
    broker.refusal = BrokerUnreachable("no route to host")
    broker.drop(CLIENT)
    await settle()
    before = len(broker.published)
    side.bridge.reply(codec.new_id(), Accepted(request_id="x", job_id="y", state="QUEUED"))
    assert len(broker.published) == before


# --- presence -----------------------------------------------------------------------------------


async def test_a_connected_daemon_is_announced_as_online(side: Side, broker: MemoryBroker) -> None:
    assert announced(broker) == side.presence


async def test_leaving_announces_it_and_the_bridge_stays_silent_afterwards(
    side: Side, broker: MemoryBroker
) -> None:
    await side.bridge.leave()
    assert announced(broker) == replace(side.presence, online=False)
    await side.bridge.leave()
    await side.stop()
    assert announced(broker).online is False


async def test_a_daemon_that_dies_is_announced_as_offline_by_the_broker(
    side: Side, broker: MemoryBroker
) -> None:
    broker.refusal = BrokerUnreachable("no route to host")
    broker.drop(CLIENT)
    assert announced(broker) == replace(side.presence, online=False)


async def test_a_daemon_that_comes_back_is_announced_again(
    side: Side, broker: MemoryBroker
) -> None:
    broker.drop(CLIENT)
    await settle()
    await side.until_connected()
    assert announced(broker) == side.presence


# --- connections that fail ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [BrokerUnreachable("no route"), BrokerRefused("not you")])
async def test_a_first_connection_that_fails_is_an_error(
    broker: MemoryBroker, error: BrokerUnreachable | BrokerRefused
) -> None:
    broker.refusal = error
    side = Side(broker)
    with pytest.raises(type(error)):
        await side.bridge.run()
    assert not side.bridge.connected.is_set()


async def test_a_lost_connection_is_made_again_and_both_are_told(
    side: Side, broker: MemoryBroker, pauses: list[int]
) -> None:
    broker.drop(CLIENT, "the network went away")
    await settle()
    await side.until_connected()
    assert "connection lost: the network went away" in side.said[0]
    assert "connected again" in side.said[1]
    assert pauses == [0]
    run = a_run()
    send(broker, run)
    await settle()
    assert side.requests == [run]


async def test_attempts_go_on_with_longer_pauses_until_the_broker_is_back(
    side: Side, broker: MemoryBroker, pauses: list[int]
) -> None:
    broker.refusal = BrokerUnreachable("no route to host")
    broker.drop(CLIENT)
    async with asyncio.timeout(DEADLINE):
        while len(pauses) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert not side.bridge.connected.is_set()
    broker.refusal = BrokerRefused("not yet")
    async with asyncio.timeout(DEADLINE):
        while len(pauses) < 8:  # noqa: ASYNC110
            await asyncio.sleep(0)
    broker.refusal = None
    await side.until_connected()
    assert pauses[1:8] == list(range(pauses[1], pauses[1] + 7))
    assert any("no route to host" in line for line in side.said)
    assert any("not yet" in line for line in side.said)


async def test_a_cancellation_at_the_moment_the_connection_is_lost_is_obeyed(
    side: Side, broker: MemoryBroker
) -> None:
    for spins in range(4):
        broker.drop(CLIENT)
        for _ in range(spins):
            await asyncio.sleep(0)
        await asyncio.wait_for(side.stop(), DEADLINE)
        await side.start()


async def test_credentials_that_have_run_out_are_told_and_waited_for(
    side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, tries = side.transports[0].connect, iter(range(3))

    async def without_credentials(**options: Any) -> Connected:
        if next(tries, None) is None:
            return await connect(**options)
        raise CredentialsError("the AWS credentials have expired")

    monkeypatch.setattr(side.transports[0], "connect", without_credentials)
    broker.drop(CLIENT)
    await settle()
    await side.until_connected()
    assert sum("have expired" in line for line in side.said) == 3


def test_pauses_double_up_to_a_limit_and_are_never_the_same_for_all() -> None:
    assert [pause(n, lambda: 1.0) for n in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert pause(0, lambda: 0.0) == FIRST_PAUSE / 2
    assert pause(10_000, lambda: 1.0) == LONGEST_PAUSE
    assert pause(10_000, lambda: 0.0) == LONGEST_PAUSE / 2


# --- takeover -----------------------------------------------------------------------------------


async def test_the_older_of_two_daemons_learns_who_has_taken_over_and_ends(
    side: Side, broker: MemoryBroker
) -> None:
    newer = Side(broker, "there")
    await newer.start()
    await side.ended()
    assert side.bridge.taken_over
    assert side.bridge.taken_over_by == newer.presence
    assert not side.bridge.connected.is_set()
    assert not newer.bridge.taken_over
    await side.bridge.leave()
    assert announced(broker) == newer.presence
    run = a_run()
    send(broker, run)
    await settle()
    assert (side.requests, newer.requests) == ([], [run])
    await newer.stop()


async def test_a_takeover_by_somebody_who_does_not_say_who_ends_it_too(
    side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "TAKEOVER_LOOKUP", 0.01)
    silent = MemoryTransport(broker, CLIENT)
    await silent.connect(subscriptions=[], on_delivery=lambda delivery: None)
    await side.ended()
    assert side.bridge.taken_over
    assert side.bridge.taken_over_by is None
    assert not any(transport.connected for transport in side.transports)
    await silent.close()


async def test_requests_that_the_older_daemon_did_not_acknowledge_go_to_the_newer(
    side: Side, broker: MemoryBroker
) -> None:
    run = a_run()
    send(broker, run)
    await settle()
    newer = Side(broker)
    await newer.start()
    await settle()
    assert newer.requests == [run]
    await newer.stop()
