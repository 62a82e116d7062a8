"""Blanks become workers where that is the same, and only there: real Node processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.errors import DevbridgeError
from devbridge.languages.node.blank import Blank
from devbridge.languages.node.launcher import MAX_BLANKS, NodeLauncher
from devbridge.runs.model import Exit
from devbridge.workers.modules import Modules
from tests.integration.runner.nodes import Copied, Copier
from tests.integration.workers import DEADLINE, Bench, Worker, bench
from tests.node import NODE
from tests.waiting import eventually, gone

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="blanks are Linux's"),
]
HANDLER = "export const handler = () => 'ok'"
NOTHING = Modules(frozenset(), ())


class Desk:
    """A launcher of an app with one installed package, `thing`."""

    def __init__(
        self, one: Bench, launcher: NodeLauncher, bundler: Copier, told: list[str]
    ) -> None:
        self.bench = one
        self.launcher = launcher
        self.bundler = bundler
        self.told = told
        self.package("export const thing = 'thing'")

    @property
    def file(self) -> Path:
        return self.bench.root / "node_modules/thing/index.mjs"

    def package(self, code: str) -> None:
        self.bench.write("node_modules/thing/package.json", '{"name": "thing"}')
        self.bench.write("node_modules/thing/index.mjs", code)

    def uses(self, returned: str = "thing", *, job: str = "resize") -> None:
        self.bench.write(
            f"jobs/{job}.mjs",
            f"// preload: node_modules/thing/index.mjs\nimport {{ thing }} from '{self.file}'\n"
            f"export const handler = () => {returned}\n",
        )

    async def launch(self, job: str = "resize", **environment: str) -> Worker:
        return await self.bench.launch(
            None, f"jobs/{job}.handler", None, job_name=job, **environment
        )

    async def blank(self, job: str = "resize", **environment: str) -> int:
        """Have a blank wait for the job; its process id."""
        worker = await self.launch(job, **environment)
        await worker.run()
        assert await worker.exit() == Exit(code=0)
        await self.launcher.settled()
        return self.launcher.blanks[job]

    async def result(self, worker: Worker) -> Any:
        await worker.run()
        return json.loads(await worker.result())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    told: list[str] = []
    bundler = Copier(tmp_path / "bundles")
    launcher = NodeLauncher(bundler, lambda _: Path(NODE), details=told.append)
    root = tmp_path / "app"
    root.mkdir()
    async with bench(root, lambda: launcher) as one:
        yield Desk(one, launcher, bundler, told)


async def test_a_save_is_served_by_a_blank_that_has_the_packages_already(desk: Desk) -> None:
    desk.package("export const thing = process.pid; globalThis.imported = performance.now()")
    desk.uses("[1, process.pid]")
    pid = await desk.blank()
    desk.uses("[2, thing, globalThis.imported < performance.timeOrigin]")
    worker = await desk.launch()
    assert worker.process.pid == pid
    number, imported_by, _ = await desk.result(worker)
    assert (number, imported_by) == (2, pid)
    await desk.launcher.settled()
    assert desk.launcher.blanks["resize"] != pid


async def test_a_first_launch_is_a_fresh_process_and_the_report_makes_the_next_blank(
    desk: Desk,
) -> None:
    desk.uses()
    worker = await desk.launch()
    assert desk.launcher.blanks == {}
    assert desk.launcher.reported("resize", NOTHING) is False
    assert desk.launcher.reported("another", NOTHING) is False
    await desk.launcher.settled()
    assert [*desk.launcher.blanks] == ["resize"]
    assert await desk.result(worker) == "thing"


@pytest.mark.parametrize(
    "change",
    [
        lambda desk: desk.package("export const thing = 'new'"),
        lambda desk: desk.bench.write("node_modules/.package-lock.json", "{}"),
        lambda desk: desk.bench.write("node_modules/thing/package.json", '{"name": "thing" }'),
    ],
)
async def test_packages_that_have_changed_need_a_fresh_process(desk: Desk, change: Any) -> None:
    desk.uses()
    pid = await desk.blank()
    change(desk)
    worker = await desk.launch()
    assert worker.process.pid != pid
    expected = "new" if "new" in desk.file.read_text() else "thing"
    assert await desk.result(worker) == expected
    await asyncio.to_thread(eventually, lambda: gone(pid))


async def test_another_environment_needs_a_fresh_process(desk: Desk) -> None:
    desk.uses("process.env.MINE")
    pid = await desk.blank(MINE="1")
    worker = await desk.launch(MINE="2")
    assert worker.process.pid != pid
    assert await desk.result(worker) == "2"


async def test_packages_that_are_not_imported_any_more_need_a_fresh_process(desk: Desk) -> None:
    desk.uses()
    pid = await desk.blank()
    desk.bench.write("jobs/resize.mjs", HANDLER)
    assert (await desk.launch()).process.pid != pid


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("console.log('hello'); export const thing = 1",
         "its packages print when they are imported"),
        ("export const thing = 1; setInterval(() => {}, 1000)",
         "its packages have begun something"),
        ("export const thing = process.env.AWS_LAMBDA_RUNTIME_API ? 1 : 0",
         "its packages read AWS_LAMBDA_RUNTIME_API when they are imported"),
        ("export const thing = {...process.env}.AWS_LAMBDA_RUNTIME_API ? 1 : 0",
         "its packages read AWS_"),
        ("export const thing = 1; process.exitCode = 3; process.exit()", ""),
        ("if (process.env.AWS_LAMBDA_RUNTIME_API === undefined) throw 1; export const thing = 1",
         "cannot be imported: 1"),
    ],
)  # fmt: skip
async def test_what_a_fresh_process_would_do_otherwise_is_left_to_one(
    desk: Desk, code: str, why: str
) -> None:
    desk.package(code)
    desk.uses()
    first = await desk.launch()
    await desk.launcher.settled()
    assert desk.launcher.blanks == {}
    assert len(desk.told) == (1 if why else 0)
    assert why in "".join(desk.told)
    if why:
        assert await desk.result(first) == 1
    second = await desk.launch()
    if why:
        assert await desk.result(second) == 1
    if "hello" in code:
        await second.exit()
        assert await second.output() == "hello\n"
    await desk.launcher.settled()
    assert len(desk.told) == (1 if why else 0)


async def test_who_only_asks_which_variables_there_are_may_be_a_blank(desk: Desk) -> None:
    desk.package("export const thing = Object.keys(process.env).filter((k) => /^debug/.test(k))")
    desk.uses("['AWS_LAMBDA_RUNTIME_API' in process.env, process.env.MINE]")
    pid = await desk.blank(MINE="1")
    worker = await desk.launch(MINE="1")
    assert worker.process.pid == pid
    assert await desk.result(worker) == [True, "1"]


async def test_a_blank_that_has_ended_is_replaced(desk: Desk) -> None:
    desk.uses()
    pid = await desk.blank()
    os.kill(pid, signal.SIGKILL)
    worker = await desk.launch()
    assert worker.process.pid != pid
    assert await desk.result(worker) == "thing"
    await desk.launcher.settled()
    assert [*desk.launcher.blanks] == ["resize"]


async def test_a_blank_whose_end_is_heard_as_it_becomes_a_worker_is_replaced(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.uses()
    pid = await desk.blank()
    blank = desk.launcher._blanks["resize"]
    monkeypatch.setattr(type(blank), "waits", True)
    os.kill(pid, signal.SIGKILL)
    await blank.process.wait()
    while blank._control.fileno() >= 0:  # noqa: ASYNC110 - each turn of the loop
        await asyncio.sleep(0)
    worker = await desk.launch()
    assert worker.process.pid != pid
    assert await desk.result(worker) == "thing"


async def test_a_blank_that_is_stopped_is_not_waited_for_long(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.languages.node.blank.TAKEN_DEADLINE", 0.05)
    desk.uses()
    pid = await desk.blank()
    os.kill(pid, signal.SIGSTOP)
    worker = await desk.launch()
    assert worker.process.pid != pid
    await asyncio.to_thread(eventually, lambda: gone(pid))


async def test_a_blank_that_becomes_a_worker_for_nobody_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    monkeypatch.setattr(Blank, "become", lambda *_: forever(asked))
    desk.uses()
    pid = await desk.blank()
    launching = asyncio.create_task(desk.launch())
    await asked.wait()
    launching.cancel()
    await asyncio.gather(launching, return_exceptions=True)
    await asyncio.to_thread(eventually, lambda: gone(pid))


async def forever(begun: asyncio.Event) -> bool:
    begun.set()
    return await asyncio.Event().wait()


async def test_jobs_that_were_launched_last_have_the_blanks(desk: Desk) -> None:
    jobs = [f"job{number}" for number in range(MAX_BLANKS + 1)]
    for job in jobs:
        desk.uses(f"'{job}'", job=job)
        await desk.launch(job)
        await desk.launcher.settled()
    assert [*desk.launcher.blanks] == jobs[1:]


async def test_code_that_cannot_be_bundled_costs_no_blank(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.uses()
    pid = await desk.blank()

    def broken(*_: object) -> Copied:
        raise DevbridgeError("Unexpected token")

    with monkeypatch.context() as patched:
        patched.setattr(desk.bundler, "bundle", broken)
        with pytest.raises(DevbridgeError, match="Unexpected token"):
            await desk.launch()
    assert (await desk.launch()).process.pid == pid


async def test_nobody_is_left_when_it_is_closed(desk: Desk) -> None:
    desk.uses()
    pid = await desk.blank()
    worker = await desk.launch()
    await desk.launcher.settled()
    pids = [pid, worker.process.pid, *desk.launcher.blanks.values()]
    for _ in range(2):
        await desk.launcher.close()
    assert gone(*pids)
    assert await worker.exit() == Exit(signal=signal.SIGKILL)


async def test_what_it_has_started_ends_with_the_daemon(desk: Desk, tmp_path: Path) -> None:
    """`runner exec` keeps what `die-with` has asked for."""
    script = f"""
import subprocess, sys
from devbridge.workers.rlimits import runner_command
from pathlib import Path
node = subprocess.Popen([*runner_command(Path(sys.executable), "-I", "-S"), "exec", {NODE!r}, "-e",
                         "console.log(process.pid); setInterval(() => {{}}, 1000)"], stdin=0)
node.wait()
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE))
    node = psutil.Process(pid)
    assert node.name().startswith("node") or node.name() == "MainThread"
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(eventually, lambda: gone(node))
