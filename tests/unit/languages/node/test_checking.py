from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devbridge.errors import BundleError, ToolMissing
from devbridge.languages.node import checking
from devbridge.languages.node.checking import Checks
from devbridge.workers.base import WorkerSpec
from runner.outcome import Failure
from tests.waiting import eventually


class Desk:
    """Checks of what a test says that there is to warn of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.error: Exception | None = None
        self.checked: list[str] = []
        self.said: list[str] = []
        self.checks = Checks(self._check, self.said.append)

    def _check(self, spec: WorkerSpec) -> list[str]:
        self.checked.append(spec.handler)
        if self.error is not None:
            raise self.error
        return self.warnings

    async def launched(self, handler: str = "jobs/a.handler", job: str = "a") -> None:
        self.checks.later(WorkerSpec("1", Path(), handler, Path(), {}, job))
        await self.checks.settled()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.checks.close()


async def test_what_only_the_deployed_bundle_warns_of_is_said_once(desk: Desk) -> None:
    desk.warnings = ["jobs/a.ts:1:2: a dynamic require"]
    for _ in range(3):
        await desk.launched()
    assert desk.said == ["warning: a: jobs/a.ts:1:2: a dynamic require"]
    assert len(desk.checked) == 3


async def test_it_is_said_again_when_it_comes_back(desk: Desk) -> None:
    for desk.warnings in (["x"], [], ["x"]):
        await desk.launched()
    assert desk.said == ["warning: a: x", "warning: a: x"]


async def test_what_is_wrong_with_a_file_is_said_once_whichever_jobs_share_it(desk: Desk) -> None:
    for desk.warnings in (["x"], [], ["x"]):
        await desk.launched(job="a")
        await desk.launched(job="b")
    assert desk.said == ["warning: a: x", "warning: a: x"]


async def test_a_bundle_that_cannot_be_made_is_told_with_its_place(desk: Desk) -> None:
    failure = Failure("BundleError", "top-level await", ("jobs/a.ts:1:2\n    await x",))
    desk.error = BundleError(failure)
    await desk.launched()
    assert desk.said == [
        "warning: a: cannot be bundled for deployment: BundleError: top-level await\n"
        "↳ jobs/a.ts:1:2\n      await x"
    ]


async def test_what_is_wrong_with_the_tools_is_for_deploy_to_say(desk: Desk) -> None:
    desk.error = ToolMissing("there is no esbuild")
    await desk.launched()
    assert desk.said == []


async def test_a_burst_of_launches_is_checked_once_after_the_pause(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PAUSE", 0.01)
    for _ in range(3):
        desk.checks.later(WorkerSpec("1", Path(), "jobs/a.handler", Path(), {}, "a"))
    await asyncio.to_thread(eventually, lambda: desk.checked)
    await desk.checks.close()
    assert desk.checked == ["jobs/a.handler"]


async def test_nothing_is_checked_once_it_is_closed(desk: Desk) -> None:
    desk.checks.later(WorkerSpec("1", Path(), "jobs/a.handler", Path(), {}, "a"))
    await desk.checks.close()
    assert desk.checked == []
