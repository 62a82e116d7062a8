"""`python -m tests.recording.console`: pictures of the console of a real `devbridge dev --local`.

It writes `docs/console-*.png`, and fails when something that they are to show does not come; and,
by the test that lives it, `docs/story-*.png`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from devbridge.console.payloads import FOLDER
from tests.e2e.console.conftest import Console, launched
from tests.e2e.dev_process import DevProcess, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS: Final = Path(__file__).parents[2] / "docs"
WIDTH: Final = 1120
HEIGHTS: Final = {"runs": 440, "run": 700, "invoke": 700}

APP = """
from devbridge import App, Job

app = App("shop")
Job(app, "invoice", handler="jobs/invoice.handler", timeout="10 minutes")
Job(app, "factorial", handler="jobs/factorial.handler", timeout="2 hours")
"""
INVOICE = """
from dataclasses import dataclass

from devbridge.job import job_handler

PRICES = {"book": 1200, "pen": 150}


@dataclass
class Order:
    customer: str
    items: list[str]
    express: bool = False


@job_handler("invoice")
def handler(order: Order) -> dict[str, int]:
    print(f"An invoice for {order.customer}")
    total = 0
    for item in order.items:
        print(f"adding {item}")
        total += PRICES[item]
    return {"total": total + 500 * order.express}
"""
FACTORIAL = """
import math

from devbridge.job import job_handler


@job_handler("factorial")
def handler(payload: dict[str, int]) -> int:
    print(f"Calculating {payload['num']}!")
    return math.factorial(payload["num"])
"""
ORDERS: Final = {
    "two pens": {"customer": "Ada", "items": ["pen", "pen"]},
    "express": {"customer": "Grace", "items": ["book", "pen"], "express": True},
}
LAMP: Final = {"customer": "Alan", "items": ["book", "lamp"]}


def main() -> int:
    """0: all pictures are written."""
    with tempfile.TemporaryDirectory(prefix="jane-") as name:
        app = Path(name) / "shop"
        _write(app)
        try:
            with DevProcess(app, "--local", "--stage", "jane") as dev:
                dev.wait_for(r"^Ready", deadline=120)
                _photograph(app, dev.wait_for(r"^Console\s+(http\S+)")[1])
        finally:
            run(app, "cloud", "stop")
        return _live_the_story(Path(name))


def _live_the_story(folder: Path) -> int:
    command = (sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "browser")
    return subprocess.run(
        [*command, "--basetemp", folder / "story", "tests/e2e/console/test_story.py"],
        cwd=DOCS.parent,
        env=os.environ | {"CONSOLE_PICTURES": str(DOCS), "DEVBRIDGE_STAGE": "jane"},
        check=False,
    ).returncode


def _write(app: Path) -> None:
    saved = app / FOLDER / "invoice"
    saved.mkdir(parents=True)
    for name, order in ORDERS.items():
        (saved / f"{name}.json").write_text(json.dumps(order, indent=2) + "\n", encoding="utf-8")
    (app / "jobs").mkdir()
    (app / "app.py").write_text(APP, encoding="utf-8")
    (app / "jobs" / "invoice.py").write_text(INVOICE, encoding="utf-8")
    (app / "jobs" / "factorial.py").write_text(FACTORIAL, encoding="utf-8")


def _photograph(app: Path, link: str) -> None:
    for num in (5, 12, 20):
        _invoke(app, "factorial", {"num": num})
    for order in ORDERS.values():
        _invoke(app, "invoice", order)
    failed = _invoke(app, "invoice", LAMP)
    with launched() as browser:
        _pages(browser, link, failed)


def _pages(browser: Browser, link: str, failed: str) -> None:
    console = Console(browser, link)
    page = console.open("/runs", color_scheme="light")
    page.locator(f'[data-id="{failed}"]', has_text="failed").wait_for()
    _keep(page, "runs")
    page.goto(f"{console.base}/runs/{failed}")
    page.get_by_text("KeyError").first.wait_for()
    page.locator(".log .row").first.wait_for()
    _keep(page, "run")
    page.goto(f"{console.base}/functions/invoice")
    page.get_by_role("button", name="Saved").click()
    page.get_by_text("two pens").click()
    _keep(page, "invoke")
    console.close()


def _invoke(app: Path, job: str, payload: object) -> str:
    """The run's id, when it has ended."""
    asked = ("--local", "--stage", "jane", job, "--payload", json.dumps(payload), "--wait")
    return run(app, "invoke", *asked).stdout.split()[0]


def _keep(page: Page, name: str) -> None:
    page.locator(".loading").wait_for(state="detached")
    page.locator(".link.live").wait_for()
    page.set_viewport_size({"width": WIDTH, "height": HEIGHTS[name]})
    page.screenshot(path=DOCS / f"console-{name}.png", animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
