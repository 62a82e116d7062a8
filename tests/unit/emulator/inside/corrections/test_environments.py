from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from devbridge.emulator.inside.corrections import environments
from devbridge.emulator.inside.corrections.environments import log_group, log_stream, members
from devbridge.emulator.inside.machines.processes import Process, processes
from tests.unit.emulator.inside.conftest import MakeModule

ALL = [
    Process(1, 0, 1, ""),
    Process(10, 1, 1, "A=1\0OWN=x\0"),
    Process(11, 10, 1, ""),
    Process(12, 1, 1, "OWN=x\0"),
    Process(13, 12, 1, "OWN=y\0"),
    Process(20, 1, 1, "OWN=y\0"),
    Process(21, 20, 1, ""),
]


@pytest.mark.parametrize(
    ("first", "found"),
    [(None, {10, 11, 12, 13}), (20, {10, 11, 12, 13, 20, 21}), (99, {10, 11, 12, 13})],
)
def test_an_environment_is_who_has_its_mark_and_who_descends(
    first: int | None, found: set[int]
) -> None:
    assert members(ALL, "OWN=x", first) == found


def test_a_stream_has_the_functions_name_where_the_group_is_shared() -> None:
    own = {"FunctionName": "f", "LoggingConfig": {"LogGroup": "/aws/lambda/f"}}
    assert (log_group(own), log_stream(own, "k", 0)) == (
        "/aws/lambda/f",
        "1970/01/01/[$LATEST]k",
    )
    shared = {"FunctionName": "f", "LoggingConfig": {"LogGroup": "/all"}, "Version": "3"}
    assert (log_group(shared), log_stream(shared, "k", 0)) == ("/all", "1970/01/01/f[3]k")
    assert log_group({"FunctionName": "f"}) == "/aws/lambda/f"


@pytest.mark.parametrize("name", ["python3.12", "nodejs24.x"])
def test_a_function_that_does_not_start_is_ended_when_its_time_is_over(
    ministack: MakeModule, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Worker:
        config: ClassVar = {"FunctionName": "f", "Runtime": name, "Timeout": 0.1}
        _proc: Any = None

        def _spawn(self) -> None:
            script = [sys.executable, "-c", "import time; time.sleep(60)"]
            popen = runtime.subprocess.Popen
            self._proc = popen(script, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
            if not self._proc.stdout.readline():
                raise RuntimeError("it has ended")

        def invoke(self) -> None: ...

    runtime: Any = ministack(
        "core.lambda_runtime", Worker=Worker, _signal=None, reset=None, kill_workers=None
    )
    ministack("services.lambda_svc", get_state=None)
    monkeypatch.setattr(environments, "INIT", 0.1)
    environments.isolate()
    worker = Worker()
    with pytest.raises(environments.Late, match=r"^Task timed out after 0\.10 seconds$"):
        worker._spawn()
    assert worker._proc.wait() == -signal.SIGKILL


def test_many_environments_end_together_for_one_look_at_all_processes(
    ministack: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Worker:
        def _spawn(self) -> None: ...
        def invoke(self) -> None: ...

    killed: list[Any] = []
    runtime: Any = ministack(
        "core.lambda_runtime", Worker=Worker, _signal=None, reset=None, kill_workers=killed.extend
    )
    ministack("services.lambda_svc", get_state=None)
    environments.isolate()
    looks: list[bool] = []

    def look(*, environments: bool) -> Iterable[Process]:
        looks.append(environments)
        return processes(environments=environments)

    monkeypatch.setattr(environments, "processes", look)
    script = [sys.executable, "-c", "import time; time.sleep(60)"]
    made = [runtime.subprocess.Popen(script, env=dict(os.environ)) for _ in range(3)]
    workers = [SimpleNamespace(_proc=each) for each in (*made, None)]
    runtime.kill_workers([*workers, None])
    assert [each.wait() for each in made] == [-signal.SIGKILL] * 3
    assert killed == workers
    assert len(looks) <= environments._ROUNDS
    before = len(looks)
    made[0].end()
    assert len(looks) == before, "it has ended"
