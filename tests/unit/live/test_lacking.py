from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from devbridge.errors import DevbridgeError
from devbridge.live import lacking as module
from devbridge.live.lacking import Lacking
from tests.unit.live.voices import Developer

DEADLINE = 30.0


@contextlib.asynccontextmanager
async def watched(
    find: Callable[[frozenset[str]], Iterable[str]], developer: Developer
) -> AsyncIterator[Lacking]:
    lacks = Lacking(find, developer.voice)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lacks.watch())
        yield lacks
        task.cancel()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED", 0.0)


class Packed:
    """Compares, and tells the loop that it has."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []
        self.lacks: list[str] = ["job a: polars is not packed"]
        self.error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self.compared = asyncio.Event()

    def __call__(self, jobs: frozenset[str]) -> Iterable[str]:
        self.asked.append(jobs)
        self._loop.call_soon_threadsafe(self.compared.set)
        if self.error is not None:
            raise self.error
        return self.lacks

    async def again(self) -> None:
        await asyncio.wait_for(self.compared.wait(), DEADLINE)
        self.compared.clear()


async def test_jobs_that_import_something_new_together_are_compared_together() -> None:
    developer, packed = Developer(), Packed()
    async with watched(packed, developer) as lacks:
        for job in ("a", "b", "a"):
            lacks.imported(job)
        await packed.again()
        lacks.imported("c")
        await packed.again()
    assert packed.asked == [frozenset({"a", "b"}), frozenset({"c"})]


async def test_what_deployed_runs_would_lack_is_said_once() -> None:
    developer, packed = Developer(), Packed()
    async with watched(packed, developer) as lacks:
        for _ in range(3):
            lacks.imported("a")
            await packed.again()
    assert developer.said == packed.lacks


@pytest.mark.parametrize("error", [DevbridgeError("no pip"), FileNotFoundError("python")])
async def test_a_comparison_that_fails_is_no_end_of_comparing(error: Exception) -> None:
    developer, packed = Developer(), Packed()
    packed.error = error
    async with watched(packed, developer) as lacks:
        lacks.imported("a")
        await packed.again()
        packed.error = None
        lacks.imported("a")
        await packed.again()
        lacks.imported("b")  # what it says has been said when the next comparison begins
        await packed.again()
    assert developer.said == packed.lacks
