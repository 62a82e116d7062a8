"""A browser that looks at the console of a real `devbridge dev --local`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.dev_process import DevProcess, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WAIT = 30_000
"""Milliseconds that a page may take: the machine may be busy with other tests."""

APP = """
from devbridge import App, Job

app = App("looked-at")
for name in ("adds", "speaks", "waits", "prints"):
    Job(app, name, handler=f"jobs/{name}.handler", timeout="10 minutes", memory_size="3 GB")
"""
JOBS = {
    "adds": """
from dataclasses import dataclass

from devbridge.job import job_handler


@dataclass
class Numbers:
    a: int
    b: int = 1


@job_handler("adds")
def handler(payload: Numbers) -> int:
    print(f"adding {payload.a} and {payload.b}")
    return payload.a + payload.b
""",
    "speaks": r"""
import sys

from devbridge.job import job_handler

HOSTILE = "<img src=x onerror='document.title=1'><script>document.title=2</script>"


@job_handler("speaks")
def handler(payload: object) -> None:
    print(f"\x1b[1;31mred\x1b[0m {HOSTILE} \x1b]0;title\x07 \u202eevil")
    for percent in range(0, 101, 10):
        sys.stdout.write(f"\r{percent:3} percent")
    print()
    raise ValueError(f"{HOSTILE} \x1b[2J")
""",
    "waits": """
import signal
import time
from pathlib import Path

from devbridge.job import job_handler


@job_handler("waits")
def handler(payload: dict[str, str]) -> str:
    if payload.get("stays"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("begun", flush=True)
    while not Path(payload["until"]).exists():
        time.sleep(0.02)
    print("gone on", flush=True)
    return "waited"
""",
    "prints": """
from devbridge.job import job_handler


@job_handler("prints")
def handler(payload: dict[str, int]) -> None:
    print("\\n".join(f"line {number}" for number in range(1, payload["lines"] + 1)))
""",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP)
    (folder / "jobs").mkdir()
    for name, code in JOBS.items():
        (folder / "jobs" / f"{name}.py").write_text(code)
    yield folder
    run(folder, "cloud", "stop")


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    with DevProcess(app, "--local") as process:
        process.wait_for(r"^Ready", deadline=120)
        yield process


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, which runs.

    Raises:
        ImportError: there is no playwright.
    """
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """It is needed by these tests alone: `.ci/run browser` installs it if it is missing."""
    with launched() as browser:
        yield browser


class Console:
    """Opens the console's pages, and says what went wrong in them."""

    def __init__(self, chromium: Browser, link: str) -> None:
        self.base = link.partition("/?")[0]
        self.errors: list[str] = []
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []
        first = self._context()
        first.new_page().goto(link)
        self._cookies: Any = first.cookies()

    def _context(self, **options: Any) -> BrowserContext:
        options = {"viewport": {"width": 1280, "height": 800}, **options}
        context = self._chromium.new_context(**options)
        context.set_default_timeout(WAIT)
        self._contexts.append(context)
        return context

    def open(self, path: str, **options: Any) -> Page:
        """A page in a browser of its own that has the console's cookie."""
        context = self._context(**options)
        context.add_cookies(self._cookies)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.goto(self.base + path)
        return page

    def run(self, run_id: str, **options: Any) -> Page:
        return self.open(f"/runs/{run_id}", **options)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture(scope="module")
def opened(dev: DevProcess, chromium: Browser) -> Iterator[Console]:
    console = Console(chromium, dev.wait_for(r"^Console\s+(http\S+)")[1])
    yield console
    console.close()


@pytest.fixture
def console(opened: Console) -> Iterator[Console]:
    """A test's pages must have no error of their own: of the policy of contents, neither."""
    opened.errors.clear()
    yield opened
    lost = (
        "Failed to load resource"  # some tests have the daemon gone, or ask for what is not there
    )
    assert [error for error in opened.errors if lost not in error] == []


@pytest.fixture
def invoke(app: Path) -> Callable[..., str]:
    """Starts a run as a user does, and gives its id."""

    def start(job: str, payload: str, *options: str) -> str:
        done = run(app, "invoke", "--local", job, "--payload", payload, *options)
        assert done.returncode == 0 or "--wait" in options, done.stderr
        return done.stdout.split()[0]

    return start


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept for people to look at: CI's folder, or the tests' own."""
    folder = Path(os.environ.get("CONSOLE_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
