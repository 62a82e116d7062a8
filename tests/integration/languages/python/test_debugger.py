"""Python workers that are open to debuggers, fresh and forked, and debuggers that attach."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.errors import InterpreterError
from devbridge.languages.base import Workplace
from devbridge.languages.python import dap
from devbridge.languages.python import debugger as module
from devbridge.languages.python.dap_waiting import Waiting
from devbridge.languages.python.debug_launcher import DebugLauncher
from devbridge.languages.python.debugger import PythonDebugger
from devbridge.languages.python.found_debugpy import debugpy_folder
from devbridge.languages.python.language import Python
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.runs.model import Exit
from devbridge.workers.base import FreshLauncher, Launcher
from devbridge.workers.debugging import Debuggee
from tests.dap import Debugger
from tests.integration.workers import Bench, Said, Worker, bench, workplace
from tests.waiting import soon

HANDLER = """\
import os


def handler(payload, context):
    total = 0
    for number in range(payload["to"]):
        total += number
    left = context.get_remaining_time_in_millis()
    return [total, left, [name for name in os.environ if "DEBUG" in name or "PYDEV" in name]]
"""
FILE = "jobs/factorial.py"
linux = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


class Table:
    """A bench whose workers are open to debuggers."""

    def __init__(self, one: Bench, debugger: PythonDebugger, place: Workplace) -> None:
        self.bench = one
        self.debugger = debugger
        self.place = place

    @property
    def configuration(self) -> Any:
        return self.debugger.configuration()

    @property
    def file(self) -> Path:
        return self.bench.root / FILE

    def forks(self, worker: Worker) -> bool:
        """Whether the worker is a fork of the zygote."""
        return self.bench.said.of("modules", worker.id)[0].zygote is not None


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def place(tmp_path: Path, said: list[str]) -> Workplace:
    root = tmp_path / "app"
    root.mkdir()
    return workplace(root, said.append, debug=True, debug_port=tmp_path / "debug-port")


@pytest.fixture(autouse=True)
def no_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["fresh", pytest.param("forked", marks=linux)])
async def table(
    request: pytest.FixtureRequest, tmp_path: Path, place: Workplace
) -> AsyncIterator[Table]:
    def launcher() -> Launcher:
        if request.param == "forked":
            return Python().launcher(place)
        return DebugLauncher(FreshLauncher(), debugpy_folder(place.python))

    debugger = PythonDebugger(place)
    async with bench(place.root, launcher, debugger=debugger) as one:
        one.debug = tmp_path / "halted"
        yield Table(one, debugger, place)


@pytest.fixture
async def debugger(place: Workplace) -> AsyncIterator[PythonDebugger]:
    """One without workers."""
    made = PythonDebugger(place)
    await made.start()
    yield made
    await made.close()


async def test_a_run_that_no_debugger_is_attached_to_goes_on_by_itself(
    table: Table, said: list[str], request: pytest.FixtureRequest
) -> None:
    worker = await table.bench.launch(HANDLER)
    await worker.run(b'{"to": 4}')
    total, left, variables = json.loads(await worker.result())
    assert (total, variables) == (6, ["PYDEVD_DISABLE_FILE_VALIDATION"])
    assert 0 < left <= 60_000
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == ""
    assert table.bench.said.of("halted", worker.id) == [True, False]
    assert said == [f"Debugger 127.0.0.1:{table.debugger.port}"]
    assert table.forks(worker) == ("forked" in request.node.name)
    told = table.bench.said.of("modules", worker.id)
    assert not [name for each in told for name in each.third_party if "debugpy" in name]


async def test_a_debugger_stops_a_run_and_sees_its_variables(table: Table) -> None:
    with await asyncio.to_thread(attached, table.configuration) as session:
        worker = await table.bench.launch(HANDLER)
        await worker.run(b'{"to": 4}')

        def debug() -> None:
            process = session.next_process()
            assert process.configuration["name"] == worker.id
            process.attach({table.file: [8]})
            stop = process.stopped()
            assert (stop.place, stop.locals["total"]) == ((table.file, 8), "6")
            assert stop.step().place == (table.file, 9)
            stop.go_on()
            process.event("terminated")

        await asyncio.to_thread(debug)
        assert json.loads(await worker.result())[0] == 6
        assert await worker.exit() == Exit(code=0)
        assert await worker.output() == ""
    assert table.bench.said.of("paused", worker.id) == [f"{FILE}:8", None]
    halted = table.bench.said.of("halted", worker.id)
    assert halted == [True, False] * (len(halted) // 2)
    assert table.bench.said.of("lingers", worker.id) == []


class attached:  # noqa: N801 - a context manager
    """A debugger that is attached to the session."""

    def __init__(self, configuration: Any) -> None:
        self.debugger = Debugger(configuration)
        self.debugger.attach()

    def __enter__(self) -> Debugger:
        return self.debugger

    def __exit__(self, *_: object) -> None:
        self.debugger.close()


async def test_a_step_out_of_the_handler_ends_in_nothing_of_devbridges(table: Table) -> None:
    with await asyncio.to_thread(attached, table.configuration) as session:
        worker = await table.bench.launch(HANDLER)
        await worker.run(b'{"to": 4}')

        def debug() -> None:
            process = session.next_process()
            process.attach({table.file: [8]})
            process("stepOut", threadId=process.stopped().thread)
            process.event("terminated")

        await asyncio.to_thread(debug)
        assert json.loads(await worker.result())[0] == 6


async def test_processes_of_a_run_are_debugged_too_and_its_time_waits_for_them(
    table: Table,
) -> None:
    table.bench.write("jobs/child.py", "number = 5\nprint(number)\n")
    child = table.bench.root / "jobs/child.py"
    worker = await table.bench.launch(
        f"""
        import subprocess, sys
        def handler(payload, context):
            return subprocess.check_output([sys.executable, {str(child)!r}], text=True)
        """
    )
    with await asyncio.to_thread(attached, table.configuration) as session:
        await worker.run()

        def debug() -> None:
            process = session.next_process()
            process.attach()
            below = process.next_process()
            below.attach({child: [2]})
            stop = below.stopped()
            assert stop.place == (child, 2)
            stop.go_on()

        await asyncio.to_thread(debug)
        assert json.loads(await worker.result()) == "5\n"
    assert "jobs/child.py:2" in table.bench.said.of("paused", worker.id)


async def test_what_a_run_starts_in_python_prints_what_it_does_without_a_debugger(
    table: Table,
) -> None:
    worker = await table.bench.launch(
        """
        import subprocess, sys
        def handler(payload, context):
            command = [sys.executable, "-c", "print(5)"]
            return subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)
        """
    )
    await worker.run()
    assert json.loads(await worker.result()) == "5\n"
    assert await worker.output() == ""


async def test_what_debugpy_changes_in_python_is_no_fault_of_the_job(table: Table) -> None:
    launcher = table.bench.launcher
    assert isinstance(launcher, DebugLauncher)
    if isinstance(launcher._launcher, ZygoteLauncher):
        await launcher._launcher.preload(["boto3"])
    for _ in range(2):
        worker = await table.bench.launch(
            """
            def handler(payload, context):
                import subprocess, threading
                import boto3
                return boto3.__name__
            """
        )
        await worker.run()
        assert json.loads(await worker.result()) == "boto3"
        assert await worker.exit() == Exit(code=0)
        told = table.bench.said.of("modules", worker.id)
        assert [each.problem for each in told] == [None] * len(told)
        assert [each.stale for each in told] == [None] * len(told)


async def test_an_adapter_that_has_ended_is_started_anew(table: Table, said: list[str]) -> None:
    adapter = table.debugger._adapter
    assert adapter is not None
    assert adapter._process is not None
    os.kill(adapter._process.pid, 9)
    await adapter._process.wait()
    worker = await table.bench.launch(HANDLER)
    await worker.run(b'{"to": 4}')
    assert json.loads(await worker.result())[0] == 6
    assert table.debugger._adapter is not adapter
    assert said == [f"Debugger 127.0.0.1:{table.debugger.port}"]


# --- who may speak to it ----------------------------------------------------------------------


def answer_to(port: int, data: bytes) -> bytes:
    """What comes back until the other end hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while chunk := connection.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


BODY = json.dumps(
    {"seq": 1, "type": "request", "command": "initialize", "arguments": {"adapterID": "debugpy"}}
).encode()


async def test_a_page_in_the_browser_is_refused(debugger: PythonDebugger) -> None:
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\n"
    given = head % debugger.port + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    assert await asyncio.to_thread(answer_to, debugger.port, given) == b""
    # One that begins well, and then goes on otherwise.
    given = b"Content-Length: %d\r\n\r\n%sGET / HTTP/1.1\r\n\r\n" % (len(BODY), BODY)
    await asyncio.to_thread(answer_to, debugger.port, given)


async def test_another_users_process_is_refused(
    debugger: PythonDebugger, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    monkeypatch.setattr(module, "user_of", lambda *_: os.getuid() + 1)
    assert await asyncio.to_thread(answer_to, debugger.port, given) == b""


async def test_who_connects_and_says_nothing_is_hung_up_on(
    debugger: PythonDebugger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GREETING", 0.05)
    assert await asyncio.to_thread(answer_to, debugger.port, b"Content-Len") == b""


async def test_who_has_not_the_token_is_no_worker(debugger: PythonDebugger) -> None:
    adapter = debugger._adapter
    assert adapter is not None
    assert adapter._process is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", adapter.place["port"])
    asked = await dap.read(reader)
    assert asked is not None
    assert asked["command"] == "pydevdAuthorize"
    told = {"seq": 1, "type": "response", "request_seq": asked["seq"], "success": True}
    told |= {"command": "pydevdAuthorize", "body": {"clientAccessToken": "guessed"}}
    writer.write(dap.encode(told))
    assert await dap.read(reader) is None
    writer.close()
    command = psutil.Process(adapter._process.pid).cmdline()
    assert adapter.place["token"] not in " ".join(command)


# --- where it is ------------------------------------------------------------------------------


async def test_the_next_session_is_at_the_same_port_if_that_is_free(place: Workplace) -> None:
    first = PythonDebugger(place)
    await first.start()
    port = first.port
    await first.close()
    second, third = PythonDebugger(place), PythonDebugger(place)
    try:
        await second.start()
        assert second.port == port
        await third.start()
        assert third.port != port
    finally:
        await second.close()
        await third.close()


async def test_an_editor_in_whose_terminal_it_is_attaches_by_itself(
    place: Workplace, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, told in ((module.ENDPOINTS[0], "first"), (module.ENDPOINTS[1], "second")):
        endpoints = tmp_path / told
        endpoints.write_text("of an earlier session")
        old = endpoints.stat().st_ino, endpoints.stat().st_mtime_ns
        monkeypatch.setenv(name, str(endpoints))
        one = PythonDebugger(place)
        await one.start()
        found = json.loads(endpoints.read_text())
        assert found == {"client": {"host": "127.0.0.1", "port": one.port}}
        assert (endpoints.stat().st_ino, endpoints.stat().st_mtime_ns) != old
        assert said[-1] == f"Debugger 127.0.0.1:{one.port}: VS Code attaches by itself"
        await one.close()
        await one.close()
        assert not endpoints.exists()
        monkeypatch.delenv(name)


async def test_an_editors_file_that_cannot_be_written_is_said(
    place: Workplace, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.ENDPOINTS[0], str(tmp_path / "none/endpoints"))
    one = PythonDebugger(place)
    await one.start()
    assert "cannot be written, so VS Code does not attach" in said[0]
    assert said[1] == f"Debugger 127.0.0.1:{one.port}"
    await one.close()


# --- what goes wrong --------------------------------------------------------------------------


async def test_a_debugpy_that_does_not_start_is_one_clear_error(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "debugpy"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setattr("devbridge.languages.python.adapter.debugpy_folder", lambda _: broken)
    one = PythonDebugger(place)
    with pytest.raises(InterpreterError, match="does not start") as raised:
        await one.start()
    await one.close()
    assert str(broken) in str(raised.value)


async def test_what_a_worker_says_is_checked_and_a_problem_of_its_own_is_said(
    debugger: PythonDebugger, said: list[str]
) -> None:
    heard = Said()
    worker = Debuggee("count-1", heard)
    for report in ({}, {"connected": 1}, {"connected": True, "problem": 5}, {"pid": "1"}):
        with pytest.raises(ValueError, match="needed"):
            await debugger.reported(worker, report)
    place = await debugger.reported(worker, {"pid": 42})
    assert {*place} == {"port", "token", "parent"}
    assert await debugger.reported(worker, {"connected": False, "problem": "no socket"}) == {}
    assert said[-1] == "count-1 cannot be debugged: no socket"
    assert heard.of("halted", "count-1") == [True, False]
    debugger.forget(worker)
    assert debugger.debuggee(42) is None


async def test_a_debugger_that_goes_while_it_has_stopped_a_run_lets_it_go_on(table: Table) -> None:
    session = await asyncio.to_thread(attached, table.configuration)
    worker = await table.bench.launch(HANDLER)
    await worker.run(b'{"to": 4}')

    def debug() -> None:
        process = session.debugger.next_process()
        process.attach({table.file: [8]})
        process.stopped()
        process.close()
        session.debugger.close()

    await asyncio.to_thread(debug)
    assert json.loads(await worker.result())[0] == 6
    await soon(lambda: table.bench.said.of("paused", worker.id) == [f"{FILE}:8", None])


async def test_a_debugger_that_is_killed_before_it_has_a_run_lets_it_go_on(table: Table) -> None:
    with await asyncio.to_thread(attached, table.configuration) as session:
        worker = await table.bench.launch(HANDLER)
        await worker.run(b'{"to": 4}')
        await asyncio.to_thread(session.event, "debugpyAttach")
    assert json.loads(await worker.result())[0] == 6
    assert table.bench.said.of("halted", worker.id) == [True, False]
    with await asyncio.to_thread(attached, table.configuration) as another:
        worker = await table.bench.launch(HANDLER)
        await worker.run(b'{"to": 5}')

        def debug() -> None:
            process = another.next_process()
            process("initialize", adapterID="debugpy")
            process.ask("attach", process.configuration)
            process.event("initialized")
            process.close()

        await asyncio.to_thread(debug)
        assert json.loads(await worker.result())[0] == 10


async def test_a_run_does_not_wait_without_end_for_a_debugger_that_does_not_attach(
    table: Table, said: list[str]
) -> None:
    table.debugger.waiting = Waiting(table.debugger.release, patience=0.5)
    with await asyncio.to_thread(attached, table.configuration) as session:
        worker = await table.bench.launch(HANDLER)
        await worker.run(b'{"to": 4}')
        await asyncio.to_thread(session.event, "debugpyAttach")
        assert json.loads(await worker.result())[0] == 6
    assert said[-1].startswith(f"{worker.id} goes on: no debugger has attached to it in ")
