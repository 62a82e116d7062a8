from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import starts as module
from devbridge.emulator.inside.corrections.starts import Starts
from tests.unit.emulator.inside.conftest import MakeModule
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(30)


class Environments:
    """ministack's, as it hands them out."""

    def __init__(self) -> None:
        self.of: dict[str, list[Any]] = {}
        self.waits = 0
        """How often there was none."""
        self._lock = threading.Lock()

    def acquire(self, name: str, *, max_concurrency: int | None = None) -> tuple[Any, str]:
        with self._lock:
            all_ = self.of.setdefault(name, [])
            for each in all_:
                if not each.in_use:
                    each.in_use = True
                    return each, "reused"
            if max_concurrency and len(all_) >= max_concurrency:
                self.waits += 1
                return None, "func_cap"
            all_.append(SimpleNamespace(in_use=True, started=None))
            return all_[-1], "spawn"

    def release(self, worker: Any) -> None:
        worker.in_use = False


@pytest.fixture
def environments() -> Environments:
    return Environments()


@pytest.fixture
def starts(environments: Environments) -> Starts:
    return Starts(environments.acquire, environments.release, at_once=2, enough=3, patience=60.0)


Acquire = Callable[[], "Future[tuple[Any, str]]"]


@pytest.fixture
def waiting(starts: Starts) -> Any:
    with ThreadPoolExecutor(4) as pool:
        yield lambda: pool.submit(starts.acquire, "f")


def test_so_many_start_at_once_and_the_next_when_one_has_started(
    starts: Starts, environments: Environments, waiting: Acquire
) -> None:
    (first, _), _ = starts.acquire("f"), starts.acquire("f")
    third = waiting()
    eventually(lambda: environments.waits)
    assert not third.done()
    first.started()
    assert third.result(20)[1] == "spawn"


def test_who_waits_for_a_start_takes_what_becomes_free(
    starts: Starts, environments: Environments, waiting: Acquire
) -> None:
    (first, _), _ = starts.acquire("f"), starts.acquire("f")
    third = waiting()
    eventually(lambda: environments.waits)
    starts.release(first)
    assert third.result(20) == (first, "reused")


def test_a_functions_first_one_waits_for_nobody(starts: Starts) -> None:
    assert [starts.acquire(name)[1] for name in ("f", "f", "g", "h")] == ["spawn"] * 4


def test_one_that_failed_to_start_takes_no_turn(starts: Starts, environments: Environments) -> None:
    for _ in range(2):
        worker, how = starts.acquire("f")
        assert how == "spawn"
        environments.of["f"].remove(worker)  # ministack gives it up
        starts.release(worker)
    assert starts.acquire("f")[1] == "spawn"


def test_a_function_that_has_enough_waits_for_one_that_is_free_but_not_for_ever(
    environments: Environments,
) -> None:
    starts = Starts(environments.acquire, environments.release, at_once=9, enough=1, patience=0.01)
    assert [starts.acquire("f")[1] for _ in range(2)] == ["spawn", "spawn"]
    assert environments.waits > 0
    starts = Starts(environments.acquire, environments.release, at_once=9, enough=2, patience=60.0)
    waits = environments.waits
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(starts.acquire, "f")
        eventually(lambda: environments.waits > waits)
        starts.release(environments.of["f"][0])
        assert third.result(20) == (environments.of["f"][0], "reused")


def test_ministack_gets_them_so(ministack: MakeModule, environments: Environments) -> None:
    lambdas = ministack(
        "services.lambda_svc",
        acquire_worker=environments.acquire,
        release_worker=environments.release,
    )
    module.take_turns()
    worker, how = lambdas.acquire_worker("f")
    assert (how, worker.in_use) == ("spawn", True)
    lambdas.release_worker(worker)
    assert not worker.in_use
