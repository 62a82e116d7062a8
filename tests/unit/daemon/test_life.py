from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from devbridge.daemon.life import live
from devbridge.errors import BridgeError

DEADLINE = 30.0


class Life:
    """Tasks that end or fail when they are told to, and what became of them."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.beside: list[str] = []
        """What still went on when `leave` was done."""
        self._ends: dict[str, asyncio.Future[None]] = {}
        self.leaving = asyncio.Event()
        self.may_leave = asyncio.Event()
        self.may_leave.set()

    def task(self, name: str) -> Callable[[], Awaitable[None]]:
        self._ends[name] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                await self._ends[name]
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            self.ended.append(name)

        return run

    def end(self, name: str, error: Exception | None = None) -> None:
        if error is None:
            self._ends[name].set_result(None)
        else:
            self._ends[name].set_exception(error)

    async def leave(self, error: Exception | None) -> None:
        self.error = error
        self.leaving.set()
        await self.may_leave.wait()
        self.beside = sorted(
            task.get_name() for task in asyncio.all_tasks() if task.get_name() in self._ends
        )

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(
            live(
                {"stop": self.task("stop"), "make-way": self.task("make-way")},
                {"bridge": self.task("bridge"), "watch": self.task("watch")},
                self.leave,
            )
        )


async def test_it_ends_with_the_first_that_it_lasts_until_and_others_go_on_until_it_has_left() -> (
    None
):
    life = Life()
    task = life.start()
    life.end("stop")
    await asyncio.wait_for(task, DEADLINE)
    assert life.beside == ["bridge", "make-way", "watch"]
    assert sorted(life.cancelled) == ["bridge", "make-way", "watch"]


async def test_what_goes_on_beside_may_end_before() -> None:
    life = Life()
    task = life.start()
    life.end("watch")
    async with asyncio.timeout(DEADLINE):
        while life.ended != ["watch"]:  # noqa: ASYNC110 - each turn of the loop
            await asyncio.sleep(0)
    assert not life.leaving.is_set()
    life.end("make-way")
    await asyncio.wait_for(task, DEADLINE)


async def test_a_task_that_fails_ends_all_in_order_and_what_it_raised_is_raised_as_it_is() -> None:
    life = Life()
    task = life.start()
    life.end("watch", BridgeError("the broker refused"))
    with pytest.raises(BridgeError, match="the broker refused"):
        await asyncio.wait_for(task, DEADLINE)
    assert life.beside == ["bridge", "make-way", "stop"]
    assert str(life.error) == "the broker refused"


async def test_the_first_failure_counts_and_one_while_it_leaves_is_only_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life = Life()
    life.may_leave.clear()
    task = life.start()
    life.end("bridge", BridgeError("the first"))
    await asyncio.wait_for(life.leaving.wait(), DEADLINE)
    life.end("watch", BridgeError("the second"))
    await asyncio.sleep(0)
    life.may_leave.set()
    with pytest.raises(BridgeError, match="the first"):
        await asyncio.wait_for(task, DEADLINE)
    assert "the task watch has failed while the daemon was ending" in caplog.text


async def test_a_failure_to_leave_is_raised_as_it_is_once_all_tasks_have_ended() -> None:
    life = Life()

    async def leave(error: Exception | None) -> None:
        raise BridgeError("cannot leave")

    life.leave = leave  # type: ignore[method-assign]
    task = life.start()
    life.end("stop")
    with pytest.raises(BridgeError, match="cannot leave"):
        await asyncio.wait_for(task, DEADLINE)
    assert sorted(life.cancelled) == ["bridge", "make-way", "watch"]


async def test_who_is_cancelled_leaves_in_order_too() -> None:
    life = Life()
    task = life.start()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE)
    assert life.beside == ["bridge", "make-way", "stop", "watch"]
