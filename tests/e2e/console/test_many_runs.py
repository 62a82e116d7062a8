"""A hundred thousand runs: the list is there at once, and the server finds what one looks for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State
from tests.e2e.console.conftest import Console
from tests.e2e.dev_process import DevProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
RUNS = 100_000


def fill(ledger: Path) -> None:
    """Runs that have ended, one a second until now."""
    now = time.time()
    with Ledger.open(ledger) as book, book.transaction():
        for number in range(RUNS):
            at, run_id = now - RUNS + number, f"{number:08x}-0000-4000-8000-000000000000"
            payload = b'{"a": %d}' % number
            book.add(
                NewRun(job_id=run_id, job="adds", payload=payload, created_at=at, log_path="none")
            )
            book.record(Change(job_id=run_id, state=State.SUCCEEDED, at=at + 0.5, result=b"1"))


def test_among_a_hundred_thousand_runs_one_is_found(app: Path, chromium: Browser) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready", deadline=120)
    (ledger,) = app.rglob("ledger.sqlite")
    fill(ledger)
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready", deadline=120)
        console = Console(chromium, dev.wait_for(r"^Console\s+(http\S+)")[1])
        page = console.open("/runs")
        page.locator(".bar .count", has_text="100,000").wait_for()
        page.locator(".item", has_text='{"a": 99999}').wait_for()
        assert page.locator(".item").count() < 100
        for first in (99899, 99799):  # of the next page, and of the one after it
            page.locator("virtual-rows").evaluate("rows => { rows.scrollTop = rows.scrollHeight }")
            page.locator(".item", has_text=f'{{"a": {first}}}').wait_for()
        there = f'{{"a": {RUNS - 250}}}'  # one comes back to where one was, by way of others
        page.locator("virtual-rows").evaluate("rows => { rows.scrollTop = 245 * 32 }")
        page.locator(".item", has_text=there).click()
        page.wait_for_url(f"**/runs/{RUNS - 250:08x}-*")
        page.locator("log-view").wait_for()
        page.keyboard.press("j")
        page.wait_for_url(f"**/runs/{RUNS - 251:08x}-*")
        page.keyboard.press("k")
        page.wait_for_url(f"**/runs/{RUNS - 250:08x}-*")
        page.go_back()
        page.locator(".run.chosen", has_text=there).wait_for()
        assert page.locator("virtual-rows").evaluate("rows => rows.scrollTop") == 245 * 32
        page.get_by_role("button", name="cancelled").focus()
        page.keyboard.press("Tab")  # to one of the rows, not to each of them
        page.keyboard.press("ArrowDown")
        page.locator(".run.chosen:focus", has_text=f'{{"a": {RUNS - 251}}}').wait_for()
        page.keyboard.press("Tab")
        assert page.locator(".item :focus").count() == 0
        page.get_by_label("Search runs").fill('"a": 4711}')
        page.locator(".item", has_text='{"a": 4711}').click()
        page.wait_for_url(f"**/runs/{4711:08x}-*")
        console.close()
