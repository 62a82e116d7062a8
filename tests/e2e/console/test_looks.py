"""The console's pages for everybody: axe-core finds nothing serious; and pictures to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.console.conftest import Console
from tests.npm import project

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
WIDTHS = (400, 1280, 2560)
SCHEMES = ("light", "dark")
LONG = "x" * 400
LETTERS: dict[str, Any] = {
    "queue": "orders",
    "of": ["job 'invoice'"],
    "messages": 1,
    "oldest": 1.0,
    "letters": [
        {
            "id": "1",
            "sent_at": 1.0,
            "receives": 1,
            "run": None,
            "trigger": "queue orders",
            "error": f"ValueError: {LONG}",
            "body": LONG,
        }
    ],
    "more": False,
}
EMPTY: dict[str, Any] = {**LETTERS, "queue": "thumbs", "messages": 0, "letters": []}


def with_outputs(stage: dict[str, Any]) -> dict[str, Any]:
    names = ("Role", "RecomputeTheMonthlyRevenueOfAllRegionsRole")
    outputs = [{"name": name, "value": f"arn:{LONG}", "link": None} for name in names]
    return {**stage, "outputs": outputs}


@pytest.fixture(scope="module")
def axe() -> str:
    return (project("axe", {"axe-core": "4.14.1"}) / "node_modules/axe-core/axe.min.js").read_text()


def serious(page: Page, axe: str) -> list[str]:
    page.add_script_tag(content=axe)
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def waited_for(page: Page) -> None:
    page.locator("h1").first.wait_for()
    page.locator(".loading").wait_for(state="detached")
    page.locator(".link.live").wait_for()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_shuts_anybody_out(
    console: Console, invoke: Callable[..., str], axe: str, scheme: str, pictures: Path
) -> None:
    """In a context that bypasses the policy of contents, which would not let axe in."""
    failed, good = invoke("speaks", "{}", "--wait"), invoke("adds", '{"a": 5}', "--wait")
    pages = {
        "functions": "/functions",
        "invoke": "/functions/adds",
        "runs": "/runs",
        "failed": f"/runs/{failed}",
        "succeeded": f"/runs/{good}",
        "stage": "/stage",
    }
    for width in WIDTHS:
        view = {"width": width, "height": 1000}
        page = console.open("/runs", color_scheme=scheme, viewport=view, bypass_csp=True)
        for name, path in pages.items():
            page.goto(console.base + path)
            waited_for(page)
            if path.startswith("/runs/"):
                page.locator(".log .row").first.wait_for()
            assert serious(page, axe) == [], (name, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png")


def test_what_is_long_covers_nothing_else(console: Console) -> None:
    """An error without a space, and outputs, in columns that are narrow at each width."""
    page = console.open("/runs")
    page.route("**/api/dead-letters", lambda route: route.fulfill(json=[LETTERS, EMPTY]))
    page.route("**/api/stage", lambda route: route.fulfill(json=with_outputs(route.fetch().json())))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1000})
        page.goto(f"{console.base}/stage")
        waited_for(page)
        page.locator(".letters li").wait_for()
        outside = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert page.locator(".letters li, .letters div, .outputs td").evaluate_all(outside) == 0
        widths = "all => all.map(one => one.clientWidth)"
        assert min(page.locator(".outputs td:nth-child(2)").evaluate_all(widths)) > 160, width
    page.get_by_text("Empty: thumbs").wait_for()


def test_the_log_stays_in_sight_beside_what_is_long(
    console: Console, invoke: Callable[..., str]
) -> None:
    payload = json.dumps({f"key {number}": number for number in range(60)})
    run_id = invoke("adds", payload, "--no-check", "--wait")
    for width in (1280, 2560):
        page = console.run(run_id, viewport={"width": width, "height": 500})
        page.locator("log-view .row").first.wait_for()
        before = page.locator(".logs").bounding_box()
        page.locator("main").evaluate("main => { main.scrollTop = 300 }")
        assert page.locator("main").evaluate("main => main.scrollTop") > 50
        after = page.locator(".logs").bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 1, width


def test_what_a_run_has_used_is_read_with_keys(
    console: Console, invoke: Callable[..., str]
) -> None:
    run_id = invoke("adds", '{"a": 1}', "--wait")
    page = console.open("/runs")
    samples = [[1.0, 10, 1e6], [2.0, 20, 2e6], [3.0, 30, 3e6]]
    page.route("**/usage", lambda route: route.fulfill(json=samples))
    page.goto(f"{console.base}/runs/{run_id}")
    page.get_by_label("Processor and memory: Left and Right").focus()
    for key, said in (("ArrowLeft", "30 % after 2.00 s"), ("ArrowLeft", "20 % after 1.00 s")):
        page.keyboard.press(key)
        page.get_by_text(said).wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_text("3.0 MB after 2.00 s").wait_for()
