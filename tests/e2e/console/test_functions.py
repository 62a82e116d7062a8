"""The pages Functions, Invoke and Stage: what one starts by hand, and what there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.console.conftest import JOBS, Console
from tests.e2e.dev_process import DevProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser
Invoke = Callable[..., str]


def editor(page: Page, text: str | None = None) -> Locator:
    """The payload's field, with another text in it."""
    area = page.get_by_label("Payload", exact=True).locator("visible=true").last
    area.click()
    if text is not None:
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
    return area


def run_of(page: Page) -> str:
    """The run that the page has gone to."""
    page.wait_for_url("**/runs/*")
    return page.url.rpartition("/")[2]


def test_a_job_is_found_its_payload_completed_and_invoked(console: Console) -> None:
    page = console.open("/functions")
    page.get_by_role("link", name="adds", exact=True).focus()
    page.keyboard.press("Enter")
    area = editor(page, '{"')
    offers = page.get_by_role("option")
    offers.first.wait_for()
    assert [offer.split("\n")[0] for offer in offers.all_inner_texts()] == ["a", "b"]
    page.keyboard.press("Tab")
    page.keyboard.type("7}")
    assert area.input_value() == '{"a": 7}'
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert area.input_value() != '{"a": 7}'
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    assert area.input_value() == '{"a": 7}'
    page.keyboard.press("Control+Enter")
    run_of(page)
    page.get_by_label("Result", exact=True).get_by_text("8").wait_for()


def test_tab_leaves_the_payload(console: Console) -> None:
    page = console.open("/functions/adds")
    area = editor(page, '{"a": 1}')
    page.keyboard.press("Escape")
    area.focus()
    page.keyboard.press("Tab")
    assert area.evaluate("area => document.activeElement !== area")


def test_what_is_wrong_is_told_at_its_place_and_may_be_sent_all_the_same(console: Console) -> None:
    page = console.open("/functions/adds")
    editor(page, '{"a": True}')
    page.get_by_text("Line 1, column 7: JSON has true, not True").wait_for()
    editor(page, '{"a": "x"}')
    page.get_by_text("Line 1, column 7: Expected integer, not a string").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("Line 1, column 7: the payload is not what job 'adds' takes").wait_for()
    page.get_by_role("button", name="Send it all the same").click()
    run_of(page)
    page.locator(".run-bar .s-FAILED").wait_for()


def test_numbers_are_sent_to_the_last_digit(console: Console) -> None:
    page = console.open("/functions/adds")
    editor(page, '{"a": 123456789012345678901234567890}')
    page.keyboard.press("Control+Enter")
    run_of(page)
    result = page.get_by_label("Result", exact=True)
    result.get_by_text("123456789012345678901234567891").wait_for()


def test_a_payload_is_kept_in_the_app_s_folder_and_taken_again(console: Console, app: Path) -> None:
    page = console.open("/functions/adds")
    editor(page, '{"a": 40, "b": 2}')
    page.get_by_role("button", name="Save as…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("the answer")
    page.keyboard.press("Enter")
    page.get_by_text("Saved as the answer").wait_for()
    (file,) = app.rglob("the*answer*.json")
    assert json.loads(file.read_text()) == {"a": 40, "b": 2}
    page.reload()
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name="the answer").first.click()
    assert json.loads(editor(page).input_value()) == {"a": 40, "b": 2}
    page.get_by_label("Delete the answer").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("None is saved").wait_for()
    assert not file.exists()


def test_a_key_starts_one_run(console: Console) -> None:
    page = console.open("/functions/adds")
    runs = set()
    for number in (1, 2):
        page.goto(f"{console.base}/functions/adds")
        editor(page, f'{{"a": {number}}}')
        page.get_by_label("Idempotency key").fill("once")
        page.get_by_role("button", name="Invoke").click()
        runs.add(run_of(page))
    assert len(runs) == 1
    page.get_by_text("once has started this run before").wait_for()


def test_a_failed_run_is_edited_and_replayed(console: Console, invoke: Invoke) -> None:
    failed = invoke("adds", '{"a": "no number"}', "--no-check", "--wait")
    page = console.run(failed)
    page.locator(".run-bar .s-FAILED").wait_for()
    page.keyboard.press("e")
    page.get_by_text("Replays").wait_for()
    assert json.loads(editor(page).input_value()) == {"a": "no number"}
    editor(page, '{"a": 1}')
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: "/runs/" in url and failed not in url)
    page.locator(".run-bar .s-SUCCEEDED").wait_for()
    again = page.url
    page.keyboard.press("r")
    page.wait_for_url(lambda url: "/runs/" in url and url != again)


def test_a_run_is_cancelled_with_a_key(console: Console, invoke: Invoke, tmp_path: Path) -> None:
    page = console.run(invoke("waits", json.dumps({"until": str(tmp_path / "never")})))
    page.locator(".log").get_by_text("begun").wait_for()
    page.keyboard.press("c")
    page.locator(".run-bar .s-CANCELLED").wait_for()


def test_the_time_that_is_left_to_a_cancelled_run_is_counted_down(
    console: Console, invoke: Invoke, tmp_path: Path
) -> None:
    gone_on = tmp_path / "gone-on"
    page = console.run(invoke("waits", json.dumps({"until": str(gone_on), "stays": "yes"})))
    page.locator(".log").get_by_text("begun").wait_for()
    page.keyboard.press("c")
    for left in ("119", "118"):
        page.get_by_text(f"cancelling, killed in {left} s").wait_for()
    gone_on.touch()
    page.locator(".run-bar .s-CANCELLED").wait_for()


def test_many_runs_are_replayed_when_their_number_was_seen(
    console: Console, invoke: Invoke
) -> None:
    for number in (1, 2):
        invoke("adds", json.dumps({"a": 5150 + number}), "--wait")
    page = console.open("/runs?job=adds&text=515")
    page.locator(".item").nth(1).wait_for()
    page.get_by_role("button", name="Replay all…").click()
    page.get_by_role("dialog").get_by_text("2 runs of adds with “515”.").wait_for()
    page.get_by_role("button", name="Replay 2").click()
    page.get_by_text("2 runs replayed").wait_for()
    page.locator(".item").nth(3).wait_for()


def test_a_handler_that_cannot_be_loaded_is_told_and_well_again(
    console: Console, app: Path
) -> None:
    file = app / "jobs" / "speaks.py"
    good = file.read_text()
    page = console.open("/functions")
    row = page.locator('[data-name="speaks"]')
    row.wait_for()
    try:
        file.write_text("def handler(:\n")
        row.locator(".why").get_by_text("SyntaxError").wait_for()
        assert "speaks.py:1" in row.locator(".why").inner_text()
        assert row.locator("pre").inner_text().split("\n") == ["def handler(:", "            ^"]
    finally:
        file.write_text(good)
    row.locator(".why").wait_for(state="detached")


def test_the_stage_tells_what_there_is(console: Console, app: Path) -> None:
    page = console.open("/stage")
    page.get_by_label("About").get_by_text(str(app)).wait_for()
    page.get_by_label("Deployments").get_by_text("create complete").first.wait_for()
    page.get_by_label("Search resources").fill("CodeBuild::Project")
    rows = page.locator(".resources tbody tr")
    rows.nth(len(JOBS)).wait_for(state="detached")
    assert rows.count() == len(JOBS)
    page.get_by_text("This stage has no dead-letter queue.").wait_for()


def test_a_button_opens_what_runs_to_debuggers(console: Console, dev: DevProcess) -> None:
    page = console.open("/functions/adds")
    page.get_by_role("button", name="Debug", exact=True).click()
    port = dev.wait_for(r"^Debugger 127\.0\.0\.1:(\d+)")[1]
    page.get_by_text(f"127.0.0.1:{port}", exact=True).wait_for()
    page.reload()
    page.get_by_text(f"127.0.0.1:{port}", exact=True).wait_for()


def test_what_cannot_be_read_is_said_where_it_would_be(console: Console, invoke: Invoke) -> None:
    run_id = invoke("prints", '{"lines": 3}', "--wait")
    page = console.open("/functions")
    told = {"error": {"type": "CloudError", "message": "the queues are out of reach"}}
    page.route("**/api/dead-letters", lambda route: route.fulfill(status=502, json=told))
    page.route("**/log?find=*", lambda route: route.fulfill(status=404, json=told))
    page.route("**/log.txt", lambda route: route.fulfill(status=404, json=told))
    page.locator('[data-name="prints"]').wait_for()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.get_by_label("Dead letters").get_by_text("the queues are out of reach").wait_for()
    page.goto(f"{console.base}/runs/{run_id}")
    page.get_by_role("button", name="Copy the log").click()
    page.locator(".logbar").get_by_text("The log cannot be read").wait_for()
    page.get_by_label("Search the log").fill("line")
    page.keyboard.press("Enter")
    page.locator(".logbar").get_by_text("the queues are out of reach").wait_for()


def test_an_api_function_tells_its_requests_and_why_some_have_failed(console: Console) -> None:
    page = console.open("/functions")
    failed = {"id": "GET /a", "state": "failed", "started_at": 1.0, "seconds": 0.1}
    known = [
        {
            **each,
            "name": "start",
            "kind": "function",
            "recent": [{**failed, "error": "KeyError: 'b'"}],
        }
        for each in page.request.get(f"{console.base}/api/functions").json()[:1]
    ]
    page.route("**/api/functions", lambda route: route.fulfill(json=known))
    page.goto(f"{console.base}/functions/start")
    requests = page.get_by_label("Last requests")
    requests.get_by_text("KeyError: 'b'").wait_for()
    requests.get_by_text("devbridge logs start").wait_for()
