from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from devbridge.daemon.publishers import MOST, Publishers
from devbridge.errors import BrokerUnreachable
from devbridge.transport.base import Connected, Delivery, Disconnected, Will


class Connection:
    """A client of a broker that lets so many messages through before they have to wait."""

    def __init__(self, *, quota: int = 2, refuses: bool = False) -> None:
        self.quota = quota
        self.refuses = refuses
        self.published: list[bytes] = []
        self.closed = 0
        self._ended = asyncio.Event()

    @property
    def waiting(self) -> int:
        return max(0, len(self.published) - self.quota)

    async def connect(
        self,
        *,
        subscriptions: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        will: Will | None = None,
    ) -> Connected:
        assert (tuple(subscriptions), will) == ((), None)
        del on_delivery
        if self.refuses:
            raise BrokerUnreachable("no route")
        return Connected(session_present=False)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert (topic, retain) == ("replies", False)
        self.published.append(payload)

    async def drain(self) -> bool:
        return True

    async def probe(self, timeout: float) -> None:  # noqa: ASYNC109
        """Never asked."""

    def ack(self, delivery: Delivery) -> None:
        """Nothing comes."""

    async def wait_closed(self) -> Disconnected:
        await self._ended.wait()
        return Disconnected("cut")

    def cut(self) -> None:
        self._ended.set()

    async def close(self) -> None:
        self.closed += 1
        self._ended.set()


class Made:
    """Makes connections, and keeps them."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.found: list[Connection] = []
        self.refuses = refuses

    def __call__(self) -> Connection:
        self.found.append(Connection(refuses=self.refuses))
        return self.found[-1]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def send(publishers: Publishers, first: Connection, count: int) -> None:
    for number in range(count):
        publishers.publish(first, "replies", b"%d" % number)
        await settled()


async def test_one_connection_is_enough_as_long_as_nothing_waits() -> None:
    made, first = Made(), Connection()
    await send(Publishers(made), first, 2)
    assert (len(first.published), made.found) == (2, [])


async def test_what_would_wait_goes_over_another_connection() -> None:
    made, first = Made(), Connection()
    publishers = Publishers(made)
    await send(publishers, first, 6)
    (second, third) = made.found
    assert [len(each.published) for each in (first, second, third)] == [3, 3, 0]
    await publishers.close()
    assert [each.closed for each in (second, third)] == [1, 1]
    assert first.closed == 0


async def test_there_is_a_bound_to_them_and_nothing_is_lost() -> None:
    made, first = Made(), Connection(quota=0)
    publishers = Publishers(made)
    await send(publishers, first, 100)
    assert len(made.found) == MOST
    assert sum(len(each.published) for each in (first, *made.found)) == 100
    await publishers.close()


async def test_a_connection_that_was_cut_is_not_used_any_more() -> None:
    made, first = Made(), Connection(quota=1)
    publishers = Publishers(made)
    await send(publishers, first, 2)
    (second,) = made.found
    second.cut()
    await settled()
    await send(publishers, first, 1)
    assert (len(first.published), len(second.published)) == (3, 0)
    await publishers.close()


async def test_where_no_other_can_be_made_the_first_has_all_and_it_is_tried_again() -> None:
    made, first = Made(refuses=True), Connection(quota=1)
    publishers = Publishers(made)
    await send(publishers, first, 4)
    assert len(first.published) == 4
    assert [each.closed for each in made.found] == [1, 1, 1]
    await publishers.close()


async def test_closing_gives_up_what_is_being_made() -> None:
    class Slow(Connection):
        async def connect(self, **_: object) -> Connected:
            await asyncio.sleep(3600)
            raise AssertionError

    publishers = Publishers(lambda: Slow())  # noqa: PLW0108 - typed as a transport
    await send(publishers, Connection(quota=0), 1)
    await publishers.close()
    await publishers.close()
