from __future__ import annotations

import asyncio
from dataclasses import replace as replaced

import pytest
from msgspec import structs

from devbridge.console import model, watching
from devbridge.console.door import Door
from devbridge.console.text import row
from devbridge.console.watching import differences, watch
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State

from .stages import Browser, Stage

ONE = row(RunRecord(job_id="1", job="a", state=State.RUNNING))
DONE = structs.replace(ONE, state=State.SUCCEEDED)


@pytest.mark.parametrize(
    ("before", "now", "things"),
    [
        (None, {"1": ONE}, []),
        ({}, {"1": ONE}, ["run 1", "log 1"]),
        ({"1": ONE}, {"1": ONE}, ["log 1"]),
        ({"1": ONE}, {"1": DONE}, ["run 1", "log 1"]),
        ({"1": DONE}, {"1": DONE}, []),
        ({"1": DONE}, {}, []),
    ],
)
def test_what_has_changed_is_told_and_what_goes_on_may_have_printed(
    before: dict[str, model.Row] | None, now: dict[str, model.Row], things: list[str]
) -> None:
    assert differences(before, now) == things


async def test_runs_that_cannot_be_had_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL", 0)
    looks = [{"1": DONE}, None, {"1": DONE, "2": DONE}]
    over = asyncio.Event()
    told: list[str] = []

    async def look() -> dict[str, model.Row] | None:
        if looks:
            return looks.pop(0)
        over.set()
        return None

    task = asyncio.create_task(watch(look, told.append))
    await asyncio.wait_for(over.wait(), 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told == ["run 2"]


async def test_a_page_hears_of_runs_that_nobody_tells_about(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "POLL", 0.01)
    door = Door(replaced(stage.subject, live=False), stage.heard)
    await door.start()
    try:
        browser = await Browser.through(door)
        run_id = stage.add(State.RUNNING, log=b"one\n")
        stream = await browser.listen(f"?run={run_id}")
        assert (await stream.until("log"))["total"] == 1
        stage.change(run_id, State.SUCCEEDED)
        assert (await stream.until("run"))["state"] == "SUCCEEDED"
        stream.close()
    finally:
        await door.close()
