"""The console while its daemon dies and comes back, and a browser that has no key to it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.console.conftest import WAIT, Console
from tests.e2e.dev_process import DevProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_a_page_outlives_its_daemon(
    app: Path, chromium: Browser, invoke: Callable[..., str]
) -> None:
    """It says that nobody is there, and goes on by itself when somebody is, with what it missed."""
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready", deadline=120)
        console = Console(chromium, dev.wait_for(r"^Console\s+(http\S+)")[1])
        run_id = invoke("adds", '{"a": 1}', "--wait")
        page = console.open("/runs")
        page.locator(f'[data-id="{run_id}"]').wait_for()
        dev.send(signal.SIGKILL)
        dev.wait()
    page.get_by_text("Offline, trying again…").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.get_by_text("devbridge does not answer").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("r")
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready", deadline=120)
        page.locator(".link.live").wait_for()
        run_id = invoke("adds", '{"a": 2}', "--wait")
        page.locator(f'[data-id="{run_id}"]', has_text="succeeded").wait_for()
        page.locator("[data-id]", has_text='{"a":1}').wait_for()
        strange = chromium.new_page()
        strange.set_default_timeout(WAIT)
        strange.goto(f"{console.base}/runs")
        assert "devbridge console" in strange.locator("body").inner_text()
        assert strange.locator("virtual-rows").count() == 0
        strange.close()
        console.close()
