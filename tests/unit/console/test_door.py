from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from unittest.mock import Mock

import pytest

from devbridge.console.door import FILE, Door
from devbridge.console.keys import Keys

from .stages import Browser, Stage


async def test_a_link_opens_the_page_and_no_second_browser(stage: Stage, door: Door) -> None:
    browser = await Browser.through(door)
    page = await browser.get("/")
    assert page.status == 200
    assert b"<!doctype html>" in page.body
    stranger = Browser(browser.port)
    assert (await stranger.get("/")).status == 401
    assert (await stranger.get("/api/runs")).status == 401


async def test_a_page_that_was_left_open_goes_on_with_the_next_console(stage: Stage) -> None:
    first = Door(stage.subject, stage.heard)
    await first.start()
    browser = await Browser.through(first)
    await first.close()
    second = Door(stage.subject, stage.heard)
    await second.start()
    try:
        assert (await browser.get("/api/runs")).status == 200
    finally:
        await second.close()


async def test_a_port_that_somebody_else_has_now_is_left_to_them(stage: Stage, door: Door) -> None:
    other = Door(stage.subject, stage.heard)
    await other.start()
    try:
        assert (await Browser.through(other)).port != (await Browser.through(door)).port
    finally:
        await other.close()


async def test_a_request_of_a_kind_that_is_none_is_refused(browser: Browser) -> None:
    for method in ("HEAD", "OPTIONS", "PATCH"):
        assert (await browser.send(method, "/")).status == 405


async def test_closing_ends_the_streams_that_are_open(stage: Stage) -> None:
    door = Door(stage.subject, stage.heard)
    await door.start()
    stream = await (await Browser.through(door)).listen()
    await door.close()
    await door.close()
    async with asyncio.timeout(30):
        await stream.reader.read()
    stream.close()


def test_a_door_that_nobody_opens_has_loaded_next_to_nothing() -> None:
    loads = "import sys; import devbridge.console.door; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "devbridge.console.door" in loaded
    lazy = {"msgspec", "botocore", "boto3", "troposphere", "devbridge.console.server"}
    assert loaded & lazy == set()


async def test_who_closes_leaves_the_links_of_a_newer_console_alone(
    stage: Stage, door: Door
) -> None:
    newer = Door(stage.subject, stage.heard)
    await newer.start()
    try:
        await door.close()
        keys = Keys.read(stage.config.stage_dir / FILE)
        assert keys.launch
        assert (await Browser.by(keys.link())).port == (await Browser.through(newer)).port
    finally:
        await newer.close()


async def test_on_a_full_disk_it_closes_too_and_no_link_to_it_can_be_made(
    stage: Stage, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keys, "write", Mock(side_effect=OSError(errno.ENOSPC, "full")))
    await door.close()
    assert not Keys.read(stage.config.stage_dir / FILE).launch
