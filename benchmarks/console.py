"""What the console costs: who looks for one run of many, who only has it, who has a page open; and
what a run costs that could be debugged."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import shutil
import sqlite3
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from benchmarks.harness import Bench
from benchmarks.report import Figures, Goal, Row, figures
from devbridge.runs.ledger import Ledger
from tests.clients import endpoint_of, root_client
from tests.e2e.console.conftest import CHROMIUM, launched

STAGE: Final = "bench"
_JOBS: Final = 20
_APP: Final = """\
from devbridge import App, Job
app = App("bench")
Job(app, "echo", handler="echo.handler")
"""
_INVOKER: Final = "bench_bench_echo-invoker"
_ECHO: Final = "def handler(payload):\n    return payload\n"
_STANDBY: Final = 0.2
"""Seconds until the next worker waits."""
_LINK: Final = re.compile(r"Console +(http://127\.0\.0\.1:(\d+)(/\S+))")
_STAMPED: Final = "def handler(payload):\n    stamp('run', time.time_ns())\n"
_OBSERVED: Final = """() => {
  window.painted = {};
  const painted = (id, now) => { window.painted[id] ??= now; };
  const look = () => {
    const ids = Array.from(document.querySelectorAll("[data-id]"), (row) => row.dataset.id);
    requestAnimationFrame(() => setTimeout(() => ids.map((id) => painted(id, Date.now()))));
  };
  const all = {subtree: true, childList: true, attributes: true};
  new MutationObserver(look).observe(document.body, all);
}"""
"""A row is painted in the frame after which the next task begins."""
_PAGES: Final = {
    "the newest": ("", "1"),
    "of a job": ("&job=job7", "job='job7'"),
    "that have failed": ("&state=FAILED", "state='FAILED'"),
    "with a text that few have": (
        "&text=needle",
        "(CAST(payload AS TEXT) LIKE '%needle%' OR failure LIKE '%needle%'"
        " OR job_id LIKE '%needle%')",
    ),
    "with a text that none has": (
        "&text=nowhere",
        "(CAST(payload AS TEXT) LIKE '%nowhere%' OR failure LIKE '%nowhere%'"
        " OR job_id LIKE '%nowhere%')",
    ),
}
"""What is looked for: as the page asks, and as SQL."""


def _link(head: str) -> re.Match[str]:
    """The console's link, its port and its path, of what `devbridge dev` has printed."""
    if (found := _LINK.search(head)) is None:
        raise harness.Failed(f"it has printed no link: {head}")
    return found


@dataclass(frozen=True, slots=True)
class Browser:
    """Has come in by the console's link."""

    port: int
    cookie: str

    @classmethod
    def through(cls, head: str) -> Browser:
        """By the link that `devbridge dev` has printed."""
        found = _link(head)
        port = int(found[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", found[3])
        answer = connection.getresponse()
        return cls(port, str(answer.getheader("Set-Cookie")).partition(";")[0])

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port)

    def get(self, connection: http.client.HTTPConnection, path: str) -> Any:
        connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise harness.Failed(f"{path}: {answer.status} {body!r}")
        return json.loads(body)

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncIterator[asyncio.StreamReader]:
        """One page is open, and reads what it is told."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Cookie: {self.cookie}\r\nSec-Fetch-Site: same-origin\r\n\r\n".encode()
        )
        try:
            yield reader
        finally:
            writer.close()


async def search(bench: Bench) -> list[Row]:
    """The console's answer, with the number of all that fit, over the same SQL in sqlite3."""
    count, times = bench.times(100_000, 500), bench.times(30, 2)
    app = bench.scratch / "app"
    harness.write(app, {"app.py": _APP, "echo.py": _ECHO})
    stage = app / ".devbridge" / STAGE
    stage.mkdir(parents=True, mode=0o700)
    fill(stage / "ledger.sqlite", count)
    rows = []
    async with harness.dev(app) as dev:
        browser = Browser.through(dev.head)
        for what, (query, condition) in _PAGES.items():
            ours, floor = await asyncio.to_thread(
                _searched, browser, stage / "ledger.sqlite", query, condition, times
            )
            rows.append(
                Row(
                    measure=f"console, {count:,} runs: {what}",
                    unit="ms",
                    ours=figures(ours),
                    floor=figures(floor),
                    floor_is="the same SQL in sqlite3",
                    goals=(Goal("ratio", "<=", 3),) if query else (),
                )
            )
    return rows


def _searched(
    browser: Browser, ledger: Path, query: str, condition: str, times: int
) -> tuple[list[float], list[float]]:
    connection = browser.connection()
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    where = f"FROM runs WHERE {condition}"
    page = f"SELECT * {where} ORDER BY created_at DESC, rowid DESC LIMIT 100"
    number = f"SELECT count(*) {where}"

    def ask() -> object:
        return browser.get(connection, f"/api/runs?limit=100{query}")

    def floor() -> object:
        return db.execute(page).fetchall(), db.execute(number).fetchall()

    ask()
    floor()
    pairs = [(_took(ask), _took(floor)) for _ in range(times)]
    connection.close()
    db.close()
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def _took(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def fill(path: Path, count: int) -> None:
    """A ledger with so many runs of the past, each with a payload of a few hundred bytes."""
    Ledger.open(path).close()
    db = sqlite3.connect(path)
    began = time.time() - count

    def run(number: int) -> tuple[Any, ...]:
        failed = number % 10 == 0
        word = "needle" if number % 1000 == 7 else "hay"
        payload = json.dumps({"number": number, "word": word, "text": "x" * 200}).encode()
        failure = json.dumps({"type": "ValueError", "message": "no", "frames": [], "trace": []})
        at = began + number
        return (
            str(uuid.uuid4()), f"job{number % _JOBS}", "FAILED" if failed else "SUCCEEDED",
            at, at, at + 1, 1, None if failed else b"1", failure if failed else None, "l", payload,
        )  # fmt: skip

    db.executemany(
        "INSERT INTO runs (job_id, job, state, created_at, started_at, ended_at, closed, result,"
        " failure, log_path, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        map(run, range(count)),
    )
    db.commit()
    db.close()


async def memory(bench: Bench) -> list[Row]:
    """The daemon's own memory when all is ready, with the console and without."""
    seconds = bench.times(10, 1)
    app = bench.scratch / "app"
    harness.write(app, {"app.py": _APP, "echo.py": _ECHO})
    taken: dict[tuple[str, ...], list[float]] = {("--no-console",): [], (): []}
    for _ in range(bench.times(3, 1)):
        for options, values in taken.items():
            async with harness.dev(app, *options) as dev:
                await asyncio.sleep(seconds)
                values.append(harness.rss(dev.pid))
    without, ours = (statistics.median(values) for values in taken.values())
    return [
        Row(
            measure="console, no page open: the daemon's memory",
            unit="MB RSS more",
            ours=Figures(max(0.0, ours - without)),
            goals=(Goal("ours", "<=", 6),),
        )
    ]


async def looked_at(bench: Bench) -> list[Row]:
    """A run, as `devbridge invoke` starts one: until a page is told of it; and how long its caller
    waits, over that without a page."""
    times = bench.times(100, 3)
    app = bench.scratch / "app"
    harness.write(app, {"app.py": _APP, "echo.py": _ECHO})
    async with harness.dev(app) as dev:
        browser = Browser.through(dev.head)
        client = root_client(endpoint_of(app), "lambda")
        alone = await asyncio.to_thread(_invoked, client, times)
        async with browser.page() as reader:
            told = asyncio.create_task(_told(reader, times))
            ours = await asyncio.to_thread(_invoked, client, times)
            heard = await asyncio.wait_for(told, harness.DEADLINE)
    delays = [(heard[run_id] - asked) * 1000 for run_id, asked, _ in ours]
    return [
        Row(
            measure="console: a run is asked for -> a page is told",
            unit="ms",
            ours=figures(delays),
            goals=(Goal("ours", "<", 100),),
        ),
        Row(
            measure="console: invoke with one page open",
            unit="ms",
            ours=figures([took for _, _, took in ours]),
            floor=figures([took for _, _, took in alone]),
            floor_is="with none",
            goals=(Goal("ratio", "<=", 1.1),),
        ),
    ]


def _invoked(client: Any, times: int, warm: int = 3) -> list[tuple[str, float, float]]:
    """The id of each run, when it was asked for, and how many milliseconds the answer took."""
    found = []
    for _ in range(times + warm):
        asked = time.time()
        answer = client.invoke(FunctionName=_INVOKER, Payload=b'{"devbridge":1,"action":"run"}')
        run_id = json.loads(answer["Payload"].read())["jobId"]
        found.append((run_id, asked, (time.time() - asked) * 1000))
        time.sleep(0.05)
    return found[warm:]


async def painted(bench: Bench) -> list[Row]:
    """A run, as `devbridge invoke` starts one: until its row is painted in the list of runs."""
    times = bench.times(100, 3)
    app = bench.scratch / "app"
    harness.write(app, {"app.py": _APP, "echo.py": _ECHO})
    async with harness.dev(app) as dev:
        link = _link(dev.head)
        client = root_client(endpoint_of(app), "lambda")
        delays = await asyncio.to_thread(_painted, link[1], client, times)
    return [
        Row(
            measure="console: a run is asked for -> its row is painted",
            unit="ms",
            ours=figures(delays),
            goals=(Goal("ours", "<", 100),),
        )
    ]


def _painted(link: str, client: Any, times: int) -> list[float]:
    if not any(map(shutil.which, CHROMIUM)):
        raise harness.Failed("there is no Chromium")
    try:
        with launched() as browser:
            page = browser.new_page()
            page.goto(link)
            page.goto(link.partition("/?")[0] + "/runs")
            page.locator(".link.live").wait_for()
            page.evaluate(_OBSERVED)
            asked = _invoked(client, times)
            page.wait_for_function("count => Object.keys(painted).length >= count", arg=times + 3)
            when = page.evaluate("painted")
    except ImportError as error:
        raise harness.Failed(f"{error}: it is in .[ci]") from error
    return [float(when[run_id] - at * 1000) for run_id, at, _ in asked]


async def debugging(bench: Bench) -> list[Row]:
    """A run's first line, where debuggers may attach and none has; with and without in turns."""
    took: dict[str, list[float]] = {"": [], "--debug": []}
    with harness.stamps(bench) as stamps:
        async with contextlib.AsyncExitStack() as stack:
            clients = {}
            for option in took:
                app = bench.scratch / f"app{option}"
                harness.write(app, {"app.py": _APP, "echo.py": stamps.source + _STAMPED})
                await stack.enter_async_context(harness.dev(app, *filter(None, [option])))
                clients[option] = root_client(endpoint_of(app), "lambda")
            for turn in range(bench.times(60, 2) + 2):
                for option, client in clients.items():
                    ((_, asked, _),) = await asyncio.to_thread(_invoked, client, 1, 0)
                    begun = await stamps.next("run")
                    if turn >= 2:
                        took[option].append(begun / 1e6 - asked * 1000)
                    await asyncio.sleep(_STANDBY)
    more = statistics.median(took["--debug"]) - statistics.median(took[""])
    return [
        Row(
            measure="a run is asked for -> first line, with --debug",
            unit="ms",
            ours=figures(took["--debug"]),
            floor=figures(took[""]),
            floor_is="without",
        ),
        Row(
            measure="what --debug adds to it",
            unit="ms",
            ours=Figures(max(0.0, more)),
            goals=(Goal("ours", "<=", 150),),
        ),
    ]


async def _told(reader: asyncio.StreamReader, times: int) -> dict[str, float]:
    """When each run was told of first."""
    heard: dict[str, float] = {}
    while len(heard) < times + 3:
        line = await reader.readline()
        if line.startswith(b'data: {"id":'):
            heard.setdefault(json.loads(line[6:])["id"], time.time())
    return heard
