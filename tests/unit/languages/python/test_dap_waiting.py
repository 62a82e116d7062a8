from __future__ import annotations

import asyncio

import pytest

from devbridge.languages.python.dap_waiting import Waiting
from tests.waiting import soon

PID = 42
ONE, OTHER = object(), object()


@pytest.fixture
def released() -> list[tuple[int, bool]]:
    return []


@pytest.fixture
def waiting(released: list[tuple[int, bool]]) -> Waiting:
    return Waiting(lambda pid, late: released.append((pid, late)))


@pytest.fixture
def hasty(released: list[tuple[int, bool]]) -> Waiting:
    """One whose patience ends at once."""
    return Waiting(lambda pid, late: released.append((pid, late)), patience=0)


async def test_what_waits_for_a_debugger_that_leaves_goes_on(
    waiting: Waiting, released: list[tuple[int, bool]]
) -> None:
    waiting.expect(PID, ONE)
    waiting.leave(OTHER)
    assert not released
    waiting.leave(ONE)
    waiting.leave(ONE)
    assert released == [(PID, False)]


async def test_it_waits_for_whoever_attaches_to_it(
    waiting: Waiting, released: list[tuple[int, bool]]
) -> None:
    waiting.expect(PID, ONE)
    waiting.take(PID, OTHER)
    waiting.leave(ONE)
    assert not released
    waiting.leave(OTHER)
    assert released == [(PID, False)]


async def test_what_goes_on_waits_for_nobody(
    waiting: Waiting, released: list[tuple[int, bool]]
) -> None:
    waiting.expect(PID, ONE)
    waiting.go(PID)
    waiting.go(None)
    waiting.take(PID, OTHER)
    waiting.leave(ONE)
    waiting.leave(OTHER)
    assert not released


async def test_who_does_not_come_is_not_waited_for_without_end(
    hasty: Waiting, released: list[tuple[int, bool]]
) -> None:
    hasty.expect(PID, ONE)
    await soon(lambda: released)
    assert released == [(PID, True)]


async def test_who_has_come_may_take_their_time(
    hasty: Waiting, released: list[tuple[int, bool]]
) -> None:
    hasty.expect(PID, ONE)
    hasty.take(PID, OTHER)
    later = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, later.set_result, None)
    await later
    assert not released
