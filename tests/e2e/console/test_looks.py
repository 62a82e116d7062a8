"""The console's pages for everybody: axe-core finds nothing serious; and pictures to look at."""

from __future__ import annotations

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
