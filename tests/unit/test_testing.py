from __future__ import annotations

import asyncio

import pytest

from devbridge.daemon.calls import Objects
from devbridge.errors import BrokerRefused
from devbridge.testing import FakeClock, MemoryBroker, MemoryObjects, MemoryTransport
from devbridge.transport.base import Connected, Delivery, Disconnected, Transport, Will


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def connected(
    broker: MemoryBroker, client_id: str = "one", will: Will | None = None
) -> tuple[MemoryTransport, list[Delivery], Connected]:
    transport = MemoryTransport(broker, client_id)
    received: list[Delivery] = []
    answer = await transport.connect(
        subscriptions=["topic"], on_delivery=received.append, will=will
    )
    return transport, received, answer


async def test_a_message_reaches_who_has_subscribed() -> None:
    transport, received, answer = await connected(MemoryBroker())
    as_protocol: Transport = transport
    as_protocol.publish("topic", b"1")
    as_protocol.publish("other", b"2")
    await as_protocol.drain()
    await turn()
    assert [(each.topic, each.payload) for each in received] == [("topic", b"1")]
    assert answer == Connected(session_present=False)


async def test_what_is_not_acknowledged_comes_again_after_a_reconnect() -> None:
    broker = MemoryBroker()
    transport, received, _ = await connected(broker)
    for payload in (b"1", b"2"):
        transport.publish("topic", payload)
    await turn()
    transport.ack(received[0])
    broker.drop("one")
    assert await transport.wait_closed() == Disconnected("the connection was reset")
    broker.publish("topic", b"3")
    again: list[Delivery] = []
    answer = await transport.connect(subscriptions=["topic"], on_delivery=again.append)
    transport.ack(received[1])
    await turn()
    assert answer.session_present
    assert [each.payload for each in again] == [b"2", b"3"]
    assert broker.unacknowledged("one") == 2


async def test_a_retained_message_greets_a_new_subscriber() -> None:
    broker = MemoryBroker()
    broker.publish("topic", b"hello", retain=True)
    _, received, _ = await connected(broker)
    await turn()
    assert [each.payload for each in received] == [b"hello"]


async def test_a_will_is_published_without_a_goodbye_only() -> None:
    broker = MemoryBroker()
    will = Will("topic", b"gone")
    _, received, _ = await connected(broker, "observer")
    polite, _, _ = await connected(broker, "polite", will)
    await polite.close()
    await polite.close()
    await turn()
    assert received == []
    await connected(broker, "lost", will)
    broker.drop("lost")
    await turn()
    assert [each.payload for each in received] == [b"gone"]


async def test_the_newer_of_two_clients_with_one_id_takes_over() -> None:
    broker = MemoryBroker()
    older, _, _ = await connected(broker)
    newer, received, answer = await connected(broker)
    assert (await older.wait_closed()).taken_over
    assert answer.session_present
    older.publish("topic", b"lost")
    newer.publish("topic", b"1")
    await turn()
    assert [each.payload for each in received] == [b"1"]


async def test_a_refusing_broker_raises_its_refusal() -> None:
    broker = MemoryBroker()
    broker.refusal = BrokerRefused("not authorized")
    with pytest.raises(BrokerRefused):
        await connected(broker)


async def test_a_transport_that_was_never_connected_is_closed() -> None:
    transport = MemoryTransport(MemoryBroker(), "one")
    await transport.close()
    assert await transport.wait_closed() == Disconnected("not connected")


async def test_the_clock_wakes_sleepers_in_order() -> None:
    clock = FakeClock(100.0)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 10))
        group.create_task(sleeper("early", 5))
        group.create_task(sleeper("at once", 0))
        await turn()
        assert woken == ["at once"]
        clock.advance(5)
        await turn()
        assert woken == ["at once", "early"]
        clock.advance(5)
    assert woken == ["at once", "early", "late"]
    assert clock() == 110.0


def test_a_bucket_in_memory_has_what_was_put_there() -> None:
    objects: Objects = MemoryObjects()
    objects.put("a", b"1")
    objects.put("a", b"2")
    assert objects.get("a") == b"2"
    with pytest.raises(LookupError):
        objects.get("b")
