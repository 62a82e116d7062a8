from __future__ import annotations

import asyncio

import pytest

from devbridge.console import stream as module
from devbridge.console.door import Door
from devbridge.console.listener import FUNCTIONS, LOG, RUN
from devbridge.runs.model import State

from .stages import Browser, Stage


def tell(stage: Stage, *things: str) -> None:
    assert stage.heard.changed is not None
    for thing in things:
        stage.heard.changed(thing)


async def test_a_page_is_told_of_a_run_as_it_is_now(browser: Browser, stage: Stage) -> None:
    stream = await browser.listen()
    assert stream.status == 200
    assert (await stream.event())[0] == "hello"
    run_id = stage.add(State.RUNNING)
    tell(stage, RUN + run_id)
    name, row = await stream.event()
    assert (name, row["id"], row["state"]) == ("run", run_id, "RUNNING")
    stage.change(run_id, State.SUCCEEDED)
    tell(stage, RUN + run_id, FUNCTIONS)
    assert (await stream.until("run"))["state"] == "SUCCEEDED"
    assert await stream.until("functions") == {}
    stream.close()


async def test_a_page_that_was_away_hears_what_it_has_missed_once(
    browser: Browser, stage: Stage
) -> None:
    stream = await browser.listen()
    await stream.event()
    one = stage.add(State.RUNNING)
    tell(stage, RUN + one)
    await stream.until("run")
    stream.close()
    two = stage.add(State.RUNNING)
    for run_id in (one, two, one):
        tell(stage, RUN + run_id)
    stage.change(one, State.SUCCEEDED)
    again = await browser.listen(last=stream.last)
    assert (await again.event())[0] == "hello"
    told = [await again.event(), await again.event()]
    assert [(name, row["id"], row["state"]) for name, row in told] == [
        ("run", two, "RUNNING"),
        ("run", one, "SUCCEEDED"),
    ]
    tell(stage, FUNCTIONS)
    assert (await again.event())[0] == "functions", "nothing else was told"
    again.close()


@pytest.mark.parametrize("last", ["other-3", "nonsense"])
async def test_a_page_of_an_earlier_console_loads_anew(browser: Browser, last: str) -> None:
    stream = await browser.listen(last=last)
    assert [(await stream.event())[0], (await stream.event())[0]] == ["hello", "reset"]
    stream.close()


async def test_two_pages_hear_the_same(browser: Browser, stage: Stage) -> None:
    streams = [await browser.listen(), await browser.listen()]
    run_id = stage.add(State.RUNNING)
    tell(stage, RUN + run_id)
    for stream in streams:
        assert (await stream.until("run"))["id"] == run_id
        stream.close()


async def test_a_page_hears_that_somebody_is_there(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALIVE", 0.05)
    stream = await browser.listen()
    await stream.event()
    async with asyncio.timeout(30):
        while not (await stream.reader.readline()).startswith(b":"):
            pass
    stream.close()


async def test_a_page_that_does_not_read_is_told_nothing_until_it_does(
    browser: Browser, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEHIND", -1)
    monkeypatch.setattr(module, "ALIVE", 0.05)
    stream = await browser.listen()
    await stream.event()
    tell(stage, FUNCTIONS)
    monkeypatch.setattr(module, "BEHIND", 1 << 18)
    assert (await stream.event())[0] == "functions"
    stream.close()


async def test_a_page_is_told_how_far_the_log_has_come_that_it_shows(
    browser: Browser, stage: Stage
) -> None:
    run_id, other = stage.add(State.RUNNING, log=b"one\n"), stage.add(State.RUNNING, log=b"x\n")
    stream = await browser.listen(f"?run={run_id}")
    expected = {"id": run_id, "total": 1, "complete": False}
    assert await stream.until("log") == expected
    with (stage.config.logs_dir / f"factorial-{run_id}.log").open("ab") as log:
        log.write(b"two\n")
    tell(stage, LOG + other, LOG + run_id)
    assert await stream.event() == ("log", {**expected, "total": 2})
    stage.change(run_id, State.SUCCEEDED)
    tell(stage, LOG + run_id)
    assert await stream.event() == ("log", {"id": run_id, "total": 2, "complete": True})
    stream.close()


async def test_what_changes_again_and_again_is_told_seldom_and_in_the_end(
    browser: Browser, stage: Stage, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SELDOM", 600)
    stream = await browser.listen()
    await stream.event()
    tell(stage, *[FUNCTIONS] * 50)
    assert (await stream.event())[0] == "functions"
    tell(stage, FUNCTIONS, RUN + stage.add())
    assert (await stream.event())[0] == "run", "so soon it is not told again"
    assert door._server is not None
    for told in (["functions", "run"], ["run"]):  # the time is over, and is over once more
        door._server.streams._release(FUNCTIONS)
        tell(stage, RUN + stage.add())
        assert [(await stream.event())[0] for _ in told] == told
    stream.close()
