"""The pages Runs and Run, looked at while a real `devbridge dev --local` runs jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.console.conftest import Console

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser
Invoke = Callable[..., str]


def expect_text(page: Page, selector: str, pattern: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector).first).to_have_text(re.compile(pattern), timeout=30_000)


def test_a_run_appears_by_itself_and_its_error_is_what_one_sees_first(
    console: Console, invoke: Invoke
) -> None:
    page = console.open("/runs")
    page.get_by_text("Nothing has run yet").wait_for()
    invoke("speaks", "{}")
    row = page.locator("virtual-rows.runs .item", has_text="failed")
    row.get_by_text("ValueError").wait_for()
    row.click()
    first = page.locator(".told > *").first
    first.wait_for()
    assert first.get_attribute("aria-label") == "Error"
    assert "jobs/speaks.py:15 in handler" in first.inner_text()
    assert "raise ValueError" in first.locator("pre .here").inner_text()
    file = first.locator("summary span").get_attribute("title")
    link = first.get_by_text("open in editor").get_attribute("href")
    assert link == f"vscode://file{file}:15"


def test_what_a_run_says_is_text_and_nothing_else(console: Console, invoke: Invoke) -> None:
    """Markup, terminals' escapes, and marks that turn text around."""
    page = console.run(invoke("speaks", '{"<b>": "<img src=x>"}', "--wait"))
    log = page.locator("log-view .log")
    log.get_by_text("percent").wait_for()
    said = log.inner_text()
    assert "<script>document.title=2</script>" in said
    assert "\\x1b]0;title\\x07 \\u202eevil" in said
    red = log.locator(".a-ink.a-bold").first
    assert red.inner_text() == "red"
    assert red.evaluate("it => getComputedStyle(it).color") == "rgb(179, 38, 30)"
    assert [line for line in said.split("\n") if "percent" in line] == ["100 percent"]
    assert "onerror='document.title=1'" in page.locator(".failure .message").inner_text()
    assert '"<b>": "<img src=x>"' in page.locator("json-tree").first.inner_text()
    page.goto(f"{console.base}/runs")
    page.locator(".item", has_text="<script>").first.wait_for()
    assert page.locator("main img, main script, main b:text('speaks')").count() == 0
    assert page.title().startswith("Runs")


def test_a_page_follows_its_run_and_stands_a_reload_in_the_middle(
    console: Console, invoke: Invoke, tmp_path: Path
) -> None:
    gone_on = tmp_path / "gone-on"
    run_id = invoke("waits", f'{{"until": "{gone_on}"}}')
    page = console.run(run_id)
    page.locator(".log").get_by_text("begun").wait_for()
    expect_text(page, ".run-bar .state", "running")
    page.reload()
    page.locator(".log").get_by_text("begun").wait_for()
    gone_on.touch()
    page.locator(".log").get_by_text("gone on").wait_for()
    expect_text(page, ".run-bar .state", "succeeded")
    page.locator('[aria-label="Result"]').get_by_text('"waited"').wait_for()


def test_two_browsers_see_the_same(console: Console, invoke: Invoke, tmp_path: Path) -> None:
    gone_on = tmp_path / "gone-on"
    run_id = invoke("waits", f'{{"until": "{gone_on}"}}')
    one, other = (console.open("/runs") for _ in range(2))
    for page in (one, other):
        page.locator(f'[data-id="{run_id}"]', has_text="running").wait_for()
    gone_on.touch()
    for page in (one, other):
        page.locator(f'[data-id="{run_id}"]', has_text="succeeded").wait_for()


def test_nothing_moves_under_a_hand(console: Console, invoke: Invoke) -> None:
    """New runs wait above until somebody asks for them; what is pointed at stays where it is."""
    run_id = invoke("adds", '{"a": 1}', "--wait")
    page = console.open("/runs")
    row = page.locator(f'[data-id="{run_id}"]')
    row.hover()
    before = row.bounding_box()
    invoke("adds", '{"a": 2}', "--wait")
    page.get_by_role("button", name="1 new run").wait_for()
    assert row.bounding_box() == before
    page.get_by_role("button", name="1 new run").click()
    page.locator(".item").first.get_by_text('{"a":2}').wait_for()


def test_filters_are_in_the_address_and_search_is_the_server_s(
    console: Console, invoke: Invoke
) -> None:
    run_id = invoke("adds", '{"a": 414243}', "--wait")
    invoke("adds", '{"a": 1}', "--wait")
    page = console.open("/runs?job=adds")
    page.locator(f'[data-id="{run_id}"]').wait_for()
    page.keyboard.press("/")
    page.keyboard.type("414243")
    page.wait_for_url("**/runs?job=adds&text=414243")
    expect_text(page, ".bar .count", "^1$")
    page.get_by_role("button", name="failed").click()
    page.wait_for_url("**/runs?job=adds&state=FAILED&text=414243")
    page.get_by_text("No run is like that").wait_for()
    page.go_back()
    page.locator(f'[data-id="{run_id}"]').wait_for()
    page.reload()
    page.locator(f'[data-id="{run_id}"]').wait_for()
    assert page.get_by_label("Search runs").input_value() == "414243"


def test_all_is_done_with_the_keyboard_alone(console: Console, invoke: Invoke) -> None:
    first = invoke("adds", '{"a": 1}', "--wait")
    second = invoke("adds", '{"a": 2}', "--wait")
    page = console.open("/runs?job=adds")
    page.locator(f'[data-id="{second}"]').wait_for()
    page.keyboard.press("j")
    page.locator(f'[data-id="{second}"]:focus').wait_for()
    page.keyboard.press("j")
    page.locator(f'[data-id="{first}"]:focus').wait_for()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{second}")
    page.locator(".log").get_by_text("adding 2 and 1").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("adding")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{second}?line=1")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/stage")
    page.keyboard.press("t")
    page.locator(':root[data-theme="light"]').wait_for()


def test_a_log_of_a_million_lines_is_scrolled_to_its_middle(
    console: Console, invoke: Invoke
) -> None:
    run_id = invoke("prints", '{"lines": 1000000}', "--wait")
    page = console.run(run_id)
    page.locator(".log").get_by_text("line 1000000").wait_for()
    page.locator(".log").evaluate("log => { log.scrollTop = log.scrollHeight / 2 }")
    page.locator(".log").get_by_text("line 500000", exact=True).wait_for()
    assert page.locator(".log .row").count() < 100
    page.keyboard.press("/")
    page.keyboard.type("line 777777")
    page.keyboard.press("Enter")
    page.locator(".log .chosen").get_by_text("line 777777").wait_for()
    page.reload()
    page.locator(".log .chosen").get_by_text("line 777777").wait_for()


def test_what_changed_since_the_run_before_is_told(console: Console, invoke: Invoke) -> None:
    invoke("adds", '{"a": 123456789012345678901234567890}', "--wait")
    page = console.run(invoke("adds", '{"a": 5}', "--wait"))
    changed = page.get_by_label("Changed since")
    changed.get_by_text("123456789012345678901234567891").wait_for()
    assert changed.locator("ins").all_inner_texts() == ["5", "6"]


def test_the_log_is_copied_and_kept_as_a_file(console: Console, invoke: Invoke) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    page = console.run(invoke("adds", '{"a": 5}', "--wait"), permissions=permissions)
    page.locator(".log").get_by_text("adding 5 and 1").wait_for()
    page.get_by_role("button", name="Copy the log").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "adding 5 and 1\n"
    with page.expect_download() as download:
        page.get_by_label("Download the log").click()
    assert download.value.path().read_text() == "adding 5 and 1\n"


def test_what_is_not_there_is_said(console: Console) -> None:
    console.open("/runs/nothing-like-that").get_by_role("alert").wait_for()


def test_a_run_that_was_stopped_says_so_first_and_has_not_changed_a_result(
    console: Console, invoke: Invoke
) -> None:
    invoke("adds", '{"a": 1}', "--wait")
    run_id = invoke("adds", '{"a": 2}', "--wait")
    page = console.open("/runs")

    def stopped(route: Route) -> None:
        detail = route.fetch().json()
        detail |= {"run": {**detail["run"], "state": "TIMED_OUT"}, "result": None}
        route.fulfill(json=detail)

    page.route(f"**/api/runs/{run_id}", stopped)
    page.goto(f"{console.base}/runs/{run_id}")
    expect_text(page, ".told > .failure", "Timed out.*It was stopped after .*its job's timeout")
    page.locator(".diff").get_by_text(".a").wait_for()
    assert page.locator(".diff caption").all_inner_texts() == ["Payload"]
