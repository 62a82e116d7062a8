from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections import updates
from tests.unit.emulator.inside.conftest import MakeModule


class Worker:
    def __init__(self, in_use: bool) -> None:
        self.in_use = in_use


class Cloud:
    """ministack, as far as it has environments."""

    def __init__(self, ministack: MakeModule) -> None:
        self.killed: list[Any] = []
        self.pool: list[Any] = []
        self.runtime = ministack("core.lambda_runtime", kill_workers=self.killed.extend)
        self.lambdas = ministack(
            "services.lambda_svc",
            invalidate_worker=self._invalidate,
            release_worker=self._release,
            get_state=lambda: "state",
        )
        updates.finish_first()

    def worker(self, in_use: bool) -> Worker:
        made = Worker(in_use)
        self.pool.append(made)
        return made

    def _invalidate(self, name: str, qualifier: str | None = None, *, account: str = "") -> None:
        found, self.pool = self.pool, []
        self.runtime.kill_workers([*found, None])

    def _release(self, worker: Any) -> None:
        if worker is not None:
            worker.in_use = False


@pytest.fixture
def cloud(ministack: MakeModule) -> Cloud:
    return Cloud(ministack)


def test_an_update_ends_who_waits_now_and_who_works_when_that_is_done(cloud: Cloud) -> None:
    works, waits = cloud.worker(True), cloud.worker(False)
    cloud.lambdas.invalidate_worker("f", qualifier="$LATEST", account="1")
    assert cloud.killed == [waits]
    cloud.lambdas.release_worker(works)
    assert cloud.killed == [waits, works]
    cloud.lambdas.release_worker(works)
    cloud.lambdas.release_worker(None)
    assert cloud.killed == [waits, works]


def test_a_function_that_is_removed_ends_under_its_requests(cloud: Cloud) -> None:
    works = cloud.worker(True)
    cloud.lambdas.invalidate_worker("f", account="1")
    assert cloud.killed == [works]
    other = cloud.worker(True)
    cloud.runtime.kill_workers([other])
    assert cloud.killed == [works, other]


def test_what_still_works_as_it_was_ends_with_the_cloud(cloud: Cloud) -> None:
    works = cloud.worker(True)
    cloud.lambdas.invalidate_worker("f", "$LATEST")
    assert cloud.killed == []
    assert cloud.lambdas.get_state() == "state"
    assert cloud.killed == [works]
