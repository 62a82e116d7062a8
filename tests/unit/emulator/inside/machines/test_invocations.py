from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines.invocations import Invocations
from tests.unit.emulator.inside.conftest import MakeModule
from tests.waiting import eventually


class Worker:
    """One of ministack's, whose process runs until it is killed."""

    def __init__(self, process: Any) -> None:
        self._proc = process
        self.config = {"FunctionName": "f"}

    def invoke(self, event: Any, request_id: str, *, trace_id: str = "") -> str:
        self._proc.wait()
        return f"{request_id}{trace_id}"


@pytest.fixture
def here(ministack: MakeModule) -> Invocations:
    ministack("core.lambda_runtime", Worker=type("Own", (Worker,), {}))
    made = Invocations()
    made.plug_in()
    return made


def begin(ministack: MakeModule, process: Any, event: Any) -> Callable[[], None]:
    """Invoke in a thread; what waits until that has ended."""
    worker = ministack("core.lambda_runtime").Worker(process)
    thread = threading.Thread(target=worker.invoke, args=(event, "id"), kwargs={"trace_id": "t"})
    thread.start()
    return lambda: thread.join(30)


def test_a_function_s_process_is_killed_and_the_invocation_ends(
    here: Invocations, ministack: MakeModule
) -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        wait = begin(ministack, process, {"devbridge": 1, "run": "p:1"})
        (machine,) = eventually(lambda: list(here.machines()))
        assert (machine.id, machine.run, list(machine.names)) == ("id", "p:1", ["f"])
        assert list(machine.pids) == [process.pid]
        machine.interrupt(False)
        wait()
        assert process.returncode == -9
    assert list(here.machines()) == []


def test_an_environment_ends_with_all_that_it_has_started(
    here: Invocations, ministack: MakeModule
) -> None:
    ended = threading.Event()
    process = SimpleNamespace(pid=1, poll=lambda: None, wait=ended.wait, end=ended.set)
    wait = begin(ministack, process, ["no", "devbridge"])
    (machine,) = eventually(lambda: list(here.machines()))
    assert machine.run == ""
    machine.interrupt(True)
    wait()
    assert ended.is_set()
