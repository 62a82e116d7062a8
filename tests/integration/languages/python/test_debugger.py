"""Python workers that are open to debuggers, fresh and forked, and a debugger that is attached."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.base import Workplace
from devbridge.languages.python.debug_launcher import DebugLauncher
from devbridge.languages.python.debugger import PythonDebugger
from devbridge.languages.python.found_debugpy import debugpy_folder
from devbridge.languages.python.language import Python
from devbridge.runs.model import Exit
from devbridge.workers.base import FreshLauncher, Launcher
from tests.dap import debugging
from tests.integration.workers import Bench, bench

HANDLER = """\
import os


def handler(payload, context):
    total = 0
    for number in range(payload["to"]):
        total += number
    left = context.get_remaining_time_in_millis()
    return [total, left, [name for name in os.environ if "DEBUG" in name]]
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="linux only")
FILE = "jobs/factorial.py"


class Table:
    """A bench whose workers are open to debuggers."""

    def __init__(self, one: Bench, debugger: PythonDebugger, said: list[str]) -> None:
        self.bench = one
        self.debugger = debugger
        self.said = said

    @property
    def configuration(self) -> Any:
        return self.debugger.configuration()

    @property
    def file(self) -> Path:
        return self.bench.root / FILE


@pytest.fixture(params=["fresh", pytest.param("forked", marks=linux)])
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Table]:
    said: list[str] = []
    root = tmp_path / "app"
    root.mkdir()
    place = Workplace(
        root=root,
        python=Path(sys.executable),
        environment={},
        bundles=tmp_path,
        cache=tmp_path,
        say=said.append,
        details=said.append,
        fresh_jobs=tmp_path / "fresh.json",
        debug=True,
        debug_port=tmp_path / "debug-port",
    )
    debugger = PythonDebugger(place)

    def launcher() -> Launcher:
        if request.param == "forked":
            return Python().launcher(place)
        return DebugLauncher(FreshLauncher(), debugpy_folder(place.python))

    async with bench(root, launcher, debugger=debugger) as one:
        one.debug = tmp_path / "halted"
        yield Table(one, debugger, said)


async def test_a_run_that_no_debugger_is_attached_to_goes_on_by_itself(table: Table) -> None:
    worker = await table.bench.launch(HANDLER)
    await worker.run(b'{"to": 4}')
    total, left, variables = json.loads(await worker.result())
    assert (total, variables) == (6, [])
    assert 0 < left <= 60_000
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == ""
    assert table.bench.said.of("halted", worker.id) == [True, False]
    assert table.said == [f"Debugger 127.0.0.1:{table.debugger.port}"]


async def test_a_debugger_stops_a_run_and_sees_its_variables(table: Table) -> None:
    def debug() -> None:
        with debugging(table.configuration) as session:
            attached.set()
            process = session.next_process()
            assert process.configuration["name"] == worker.id
            process.attach({table.file: [8]})
            stop = process.stopped()
            assert stop.place == (table.file, 8)
            assert stop.locals["total"] == "6"
            assert stop.step().place == (table.file, 9)
            stop.go_on()
            process.event("terminated")

    import threading

    attached = threading.Event()
    worker = await table.bench.launch(HANDLER)
    debugged = asyncio.create_task(asyncio.to_thread(debug))
    await asyncio.to_thread(attached.wait)
    await worker.run(b'{"to": 4}')
    assert json.loads(await worker.result())[0] == 6
    await debugged
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == ""
    assert table.bench.said.of("paused", worker.id) == ["jobs/factorial.py:8", None]
