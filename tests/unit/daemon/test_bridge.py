from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from devbridge.daemon import bridge as bridge_module
from devbridge.daemon import reconnect
from devbridge.daemon.bridge import Bridge
from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.protocol import codec, fragments
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import (
    NOBODY,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancelled,
    Presence,
    Rejected,
    Run,
    Status,
    Topics,
)
from devbridge.protocol.session import (
    MAX_PARTIAL_AGE,
    MAX_REQUEST_AGE,
    Deliver,
    StubSession,
    frames,
)
from devbridge.testing import FakeClock, MemoryBroker, MemoryTransport
from devbridge.transport.base import Connected

DEADLINE = 5.0
TOPICS = Topics("shop", "ada")
CLIENT = TOPICS.daemon_client_id


def presence(host: str = "here", since: float = 1.0) -> Presence:
    return Presence(
        online=True,
        daemon_id=codec.new_id(),
        host=host,
        user="ada",
        pid=1,
        since=since,
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

    def __init__(self, broker: MemoryBroker, host: str = "here", since: float = 1.0) -> None:
        self.broker = broker
        self.presence = presence(host, since)
        self.wall = FakeClock()
        self.monotonic = FakeClock()
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
            wall=self.wall,
            monotonic=self.monotonic,
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

    async def until_aside(self) -> None:
        await asyncio.wait_for(self.bridge.taken_over.wait(), DEADLINE)
        await self.until_connected()

    async def until_said(self, part: str) -> str:
        async with asyncio.timeout(DEADLINE):
            while True:
                for line in self.said:
                    if part in line:
                        return line
                await asyncio.sleep(0)

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
    monkeypatch.setattr(bridge_module, "TICK", 0.0)
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
    for _ in range(60):
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


async def test_useless_messages_in_a_flood_make_two_lines(side: Side, broker: MemoryBroker) -> None:
    for _ in range(1000):
        broker.publish(TOPICS.requests, b"noise")
    await settle()
    side.wall.advance(reconnect.WARNING_INTERVAL)
    assert "999 more messages" in await side.until_said("more messages")
    assert sum("dropped" in line for line in side.said) == 2
    assert side.bridge.discarded == 1000
    assert broker.unacknowledged(CLIENT) == 0


async def test_a_message_for_another_stage_is_dropped(side: Side, broker: MemoryBroker) -> None:
    other = Topics("shop", "bob").requests
    stray = MemoryTransport(broker, CLIENT)
    await stray.connect(subscriptions=[other], on_delivery=lambda delivery: None)
    await stray.close()
    await side.stop()
    later = Side(broker)
    await later.start()
    broker.publish(other, frames(a_run())[0])
    assert other in await later.until_said("for another stage")
    assert (later.batches, broker.unacknowledged(CLIENT)) == ([], 0)
    await later.stop()


async def test_a_request_whose_frames_never_all_come_is_given_up(
    side: Side, broker: MemoryBroker
) -> None:
    big = replace(a_run(), payload=b"".join(codec.new_id().encode() for _ in range(20_000)))
    broker.publish(TOPICS.requests, frames(big)[0])
    await settle()
    side.wall.advance(MAX_PARTIAL_AGE)
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
    assert side.said == ["connection lost: the network went away; trying again in 1s"]
    side.wall.advance(reconnect.SETTLED)
    assert await side.until_said("back") == "back after 0s"
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
    assert pauses == list(range(len(pauses)))
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


async def test_the_lines_say_how_long_it_took_and_how_many_requests_were_waiting(
    side: Side, broker: MemoryBroker
) -> None:
    broker.refusal = BrokerUnreachable("no route to host")
    broker.drop(CLIENT)
    await side.until_said("still no connection: no route to host; trying again in 1s")
    send(broker, *[a_run(sent_at=side.wall()) for _ in range(3)])
    side.wall.advance(31)
    broker.refusal = None
    await side.until_connected()
    send(broker, a_run(sent_at=side.wall()))
    await settle()
    side.wall.advance(reconnect.SETTLED)
    assert await side.until_said("back") == "back after 31s, 3 requests were waiting"
    assert len(side.requests) == 4


async def test_a_daemon_that_starts_says_what_was_waiting(side: Side, broker: MemoryBroker) -> None:
    await side.stop()
    later = Side(broker)
    send(broker, a_run(sent_at=later.wall() - 60))
    await later.start()
    await settle()
    later.wall.advance(reconnect.SETTLED)
    await later.until_said("1 request was waiting")
    assert later.said == ["1 request was waiting"]
    await later.stop()


async def test_a_connection_that_is_lost_at_once_again_was_back_all_the_same(
    side: Side, broker: MemoryBroker
) -> None:
    for _ in range(2):
        broker.drop(CLIENT)
        await settle()
        await side.until_connected()
    assert [line.split()[0] for line in side.said] == ["connection", "back", "connection"]


async def test_the_brokers_daily_limit_is_passed_over_in_silence(
    side: Side, broker: MemoryBroker, pauses: list[int]
) -> None:
    side.wall.advance(24 * 3600)
    side.monotonic.advance(24 * 3600)
    await settle()
    side.said.clear()
    broker.drop(CLIENT, orderly=True)
    await settle()
    await side.until_connected()
    side.wall.advance(reconnect.SETTLED)
    await settle()
    assert (side.said, pauses) == ([], [])
    assert announced(broker) == side.presence


# --- sleep --------------------------------------------------------------------------------------


async def test_after_sleep_a_connection_that_lives_is_kept(
    side: Side, broker: MemoryBroker
) -> None:
    side.wall.advance(3600)
    assert await side.until_said("asleep") == "this machine was asleep for 1h00m00s"
    await settle()
    assert side.transports[0].probes == 1
    assert side.said == ["this machine was asleep for 1h00m00s"]
    assert side.bridge.connected.is_set()


async def test_after_sleep_a_dead_connection_is_found_out_and_made_again(
    side: Side, broker: MemoryBroker
) -> None:
    broker.silent = True
    side.wall.advance(725)
    await side.until_said("connection lost: no answer to a ping in 5 s")
    broker.silent = False
    await side.until_connected()
    await settle()
    side.wall.advance(reconnect.SETTLED)
    assert await side.until_said("back") == "back after 12m05s"


async def test_a_short_stop_of_the_process_is_probed_without_a_word(
    side: Side, broker: MemoryBroker
) -> None:
    side.monotonic.advance(reconnect.NAP)
    async with asyncio.timeout(DEADLINE):
        while not side.transports[0].probes:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert side.said == []


async def test_a_pause_between_attempts_ends_when_the_machine_wakes_up(
    side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "pause", lambda attempt: 1e9)
    monkeypatch.setattr(bridge_module, "TICK", 0.001)
    broker.drop(CLIENT)
    await side.until_said("connection lost")
    side.wall.advance(3600)
    await side.until_connected()


# --- takeover -----------------------------------------------------------------------------------


async def test_the_older_of_two_daemons_learns_who_has_taken_over(
    side: Side, broker: MemoryBroker
) -> None:
    newer = Side(broker, "there")
    await newer.start()
    await side.until_aside()
    assert side.bridge.taken_over_by == newer.presence
    assert not newer.bridge.taken_over.is_set()
    await side.bridge.leave()
    assert announced(broker) == newer.presence
    run = a_run()
    send(broker, run)
    await settle()
    assert (side.requests, newer.requests) == ([], [run])
    await newer.stop()


async def test_a_takeover_by_somebody_who_does_not_say_who_is_one_too(
    side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "TAKEOVER_LOOKUP", 0.01)
    silent = MemoryTransport(broker, CLIENT)
    await silent.connect(subscriptions=[], on_delivery=lambda delivery: None)
    await side.until_aside()
    assert side.bridge.taken_over_by is None
    assert not side.transports[0].connected
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


@pytest.fixture
def away(side: Side, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`side` has lost its connection; call it to let it try again."""
    monkeypatch.setattr(bridge_module, "pause", lambda attempt: 1e9)
    broker.drop(CLIENT)
    return lambda: side.wall.advance(3600)


async def test_a_daemon_that_comes_back_leaves_the_stage_to_one_that_started_meanwhile(
    side: Side, broker: MemoryBroker, away: Callable[[], None]
) -> None:
    await side.until_said("connection lost")
    newer = Side(broker, "there", since=2.0)
    await newer.start()
    away()
    await side.until_aside()
    assert side.bridge.taken_over_by == newer.presence
    assert newer.bridge.connected.is_set()
    assert announced(broker) == newer.presence
    await newer.stop()


async def test_a_daemon_that_comes_back_takes_the_stage_from_an_older_one(
    side: Side, broker: MemoryBroker, away: Callable[[], None]
) -> None:
    await side.until_said("connection lost")
    older = Side(broker, "there", since=0.5)
    await older.start()
    away()
    await older.until_aside()
    await side.until_connected()
    assert older.bridge.taken_over_by == side.presence
    assert not side.bridge.taken_over.is_set()
    await older.stop()


# --- stepped aside ------------------------------------------------------------------------------


@pytest.fixture
async def newer(side: Side, broker: MemoryBroker) -> AsyncIterator[Side]:
    """A daemon that has taken the stage over from `side`."""
    made = Side(broker, "there")
    await made.start()
    await side.until_aside()
    yield made
    await made.stop()


def a_status() -> Status:
    return Status(
        request_id=codec.new_id(), stub_id=codec.new_id(), sent_at=1e12, job_id=codec.new_id()
    )


async def test_both_daemons_get_questions_and_only_the_newer_gets_runs(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    run, status = a_run(), a_status()
    for request in (run, status):
        broker.publish(TOPICS.requests, frames(request)[0])
    await settle()
    assert side.requests == [status]
    assert newer.requests == [run, status]


async def test_the_older_answers_for_what_it_knows_and_is_silent_otherwise(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    status, before = a_status(), len(broker.published)
    unknown = Rejected(request_id=status.request_id, code=REJECT_UNKNOWN_RUN, message="?")
    side.bridge.reply(status.stub_id, unknown)
    assert len(broker.published) == before
    known = Cancelled(
        request_id=status.request_id, job_id=status.job_id, state="RUNNING", was="RUNNING"
    )
    side.bridge.reply(status.stub_id, known)
    newer.bridge.reply(status.stub_id, unknown)
    assert [topic for topic, _ in broker.published[before:]] == [TOPICS.replies(status.stub_id)] * 2


async def test_runs_are_handed_over_and_come_back_to_nobody_else(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    runs = [replace(a_run(), stub_id=NOBODY) for _ in range(3)]
    assert await side.bridge.hand_over(runs)
    await settle()
    assert (side.requests, newer.requests) == ([], runs)
    before = len(broker.published)
    newer.bridge.reply(NOBODY, Accepted(request_id="x", job_id="y", state="QUEUED"))
    assert len(broker.published) == before


async def test_a_hand_over_waits_for_the_connection(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    broker.refusal = BrokerUnreachable("no route to host")
    broker.drop(side.transports[-1].client_id)
    await side.until_said("still no connection")
    run = replace(a_run(), stub_id=NOBODY)
    handing = asyncio.create_task(side.bridge.hand_over([run]))
    await settle()
    assert not handing.done()
    broker.refusal = None
    assert await asyncio.wait_for(handing, DEADLINE)
    await settle()
    assert newer.requests == [run]


async def test_an_older_daemon_that_leaves_says_nothing_of_the_newer_one(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    await side.bridge.leave()
    await side.stop()
    assert announced(broker) == newer.presence


async def test_useless_messages_are_the_newer_daemons_to_warn_of(
    side: Side, newer: Side, broker: MemoryBroker
) -> None:
    broker.publish(TOPICS.requests, b"noise")
    await settle()
    assert side.said == []
    assert len(newer.said) == 1


async def test_a_run_among_questions_keeps_none_of_them_from_the_older_daemon(
    side: Side, newer: Side
) -> None:
    run, status = a_run(), a_status()
    side.bridge._perform([Deliver(run, ()), Deliver(status, ())])
    await settle()
    assert side.requests == [status]


async def test_it_looks_when_all_that_had_waited_should_have_come_and_not_before(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "TICK", 2.0)
    assert side.bridge._until_next_look() == pytest.approx(reconnect.SETTLED)
    side.wall.advance(reconnect.SETTLED / 2)
    assert side.bridge._until_next_look() == pytest.approx(reconnect.SETTLED / 2)
    side.wall.advance(reconnect.SETTLED)
    assert side.bridge._until_next_look() == 0
