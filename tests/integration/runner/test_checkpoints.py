"""Handlers that yield, in real worker processes, forked, fresh and as a build has them; and what
signals do to them."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.runs.model import Exit
from devbridge.workers.base import FreshLauncher, Launcher
from runner import attempt
from runner.attempt import Inbox, Output
from runner.invocation import Invocation
from runner.outcome import CANCELLED, CRASHED, FAILED, INTERRUPTED, SUCCEEDED, End
from runner.runtime_api import RuntimeApi
from tests.integration.workers import DEADLINE, PYTHON, Bench, Worker, bench, developer

_LAUNCHERS = [
    "fresh",
    pytest.param("zygote", marks=pytest.mark.skipif(sys.platform != "linux", reason="linux only")),
]
NEVER: Any = {"DEVBRIDGE_CHECKPOINT_SECONDS": "3600"}
COUNT = """
    def handler(payload, context):
        for i in range(context.checkpoint or 0, payload["n"]):
            if i == payload.get("fails"):
                raise KeyError(i)
            yield i + 1
        return f"{context.checkpoint} to {payload['n']}"
"""
UNTIL_SIGTERM = """
    import time
    def handler(payload, context):
        i = context.checkpoint or 0
        while True:
            i += 1
            yield i
            if i == 5:
                print("five", flush=True)
                time.sleep(60)
"""
LOOKS = """
    import time
    def handler(payload, context):
        i, first = 0, context.interrupted
        try:
            while True:
                i += 1
                yield [i, first]
                if i == 5:
                    print("five", flush=True)
                while i == 5 and not context.interrupted:
                    time.sleep(0.01)
        finally:
            print("closed", i, context.interrupted)
"""


@pytest.fixture(params=_LAUNCHERS)
async def workbench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    def launcher() -> Launcher:
        if request.param == "fresh":
            return FreshLauncher()
        return ZygoteLauncher(PYTHON, inherited(developer()))

    async with bench(tmp_path, launcher) as one:
        yield one


def reached(worker: Worker) -> list[Any]:
    """The checkpoints that it has left."""
    return [json.loads(body) for _, body in worker.bench.said.of("reached", worker.id)]


async def test_what_a_generator_yields_is_kept_and_what_it_returns_is_the_result(
    workbench: Bench,
) -> None:
    worker = await workbench.launch(COUNT, DEVBRIDGE_CHECKPOINT_SECONDS="0")
    await worker.run(b'{"n": 3}')
    assert json.loads(await worker.result()) == "None to 3"
    assert reached(worker) == [1, 2, 3]
    assert await worker.exit() == Exit(code=0)


async def test_the_next_attempt_begins_where_the_last_has_failed(workbench: Bench) -> None:
    worker = await workbench.launch(COUNT, **NEVER)
    await worker.run(b'{"n": 9, "fails": 6}')
    assert (await worker.failure()).frames[0].startswith('File "jobs/factorial.py", line 5')
    assert reached(worker) == [1, 6]
    worker = await workbench.launch(COUNT, **NEVER)
    await worker.run(b'{"n": 9}', checkpoint=b"6", attempt="2")
    assert json.loads(await worker.result()) == "6 to 9"


@pytest.mark.parametrize("checkpoint", [b"0", b"false", b'""', b"[]"])
async def test_every_value_but_null_is_a_checkpoint(workbench: Bench, checkpoint: bytes) -> None:
    worker = await workbench.launch("def handler(payload, context): return [context.checkpoint]")
    await worker.run(checkpoint=checkpoint)
    assert await worker.result() == b"[" + checkpoint + b"]"


async def test_an_async_generator_leaves_checkpoints_and_has_no_result(workbench: Bench) -> None:
    worker = await workbench.launch(
        """
        import asyncio
        async def handler(payload, context):
            for i in range(3):
                await asyncio.sleep(0)
                yield {"i": i, "from": context.checkpoint}
        """,
        DEVBRIDGE_CHECKPOINT_SECONDS="0",
    )
    await worker.run(checkpoint=b'"a"')
    assert await worker.result() == b"null"
    assert reached(worker) == [{"i": i, "from": "a"} for i in range(3)]


async def test_behind_the_decorator_the_payload_and_the_checkpoint_have_their_types(
    workbench: Bench,
) -> None:
    code = """
        from collections.abc import Generator
        from dataclasses import dataclass
        from devbridge.job import JobContext, job_handler

        @dataclass
        class Work:
            n: int

        @dataclass
        class State:
            done: int

        @job_handler("factorial")
        def handler(payload: Work, context: JobContext[State]) -> Generator[State, None, str]:
            state = context.checkpoint or State(0)
            for done in range(state.done, payload.n):
                yield State(done + 1)
            return str(context.checkpoint)
    """
    worker = await workbench.launch(code, **NEVER)
    await worker.run(b'{"n": 3}', checkpoint=b'{"done": 1}')
    assert json.loads(await worker.result()) == "State(done=1)"
    assert reached(worker) == [{"done": 2}]
    worker = await workbench.launch(code, **NEVER)
    await worker.run(b'{"n": 3}', checkpoint=b'{"finished": 1}')
    failure = await worker.failure()
    assert failure.type == "CheckpointInvalid"
    assert "State" in failure.message
    assert "--fresh" in failure.message


@pytest.mark.parametrize(
    ("value", "type_", "message"),
    [
        ("{'a': object()}", "CheckpointNotJson", "checkpoint['a'] is of type object"),
        ("float('nan')", "CheckpointNotJson", "checkpoint is nan"),
        ("'x' * 300_000", "CheckpointTooLarge", "has 300,002 bytes, and at most 262,144 are kept"),
    ],
)
async def test_what_can_be_no_checkpoint_fails_the_run_where_it_is_yielded(
    workbench: Bench, value: str, type_: str, message: str
) -> None:
    worker = await workbench.launch(f"def handler(payload):\n    yield 1\n    yield {value}\n")
    await worker.run()
    failure = await worker.failure()
    assert failure.type == type_
    assert message in failure.message
    assert failure.frames == (f'File "jobs/factorial.py", line 3, in handler\n    yield {value}',)
    assert reached(worker) == [1]


async def test_sigterm_stores_what_is_pending_and_ends_the_worker(workbench: Bench) -> None:
    worker = await workbench.launch(UNTIL_SIGTERM, **NEVER)
    await worker.run()
    await worker.read_until(b"five")
    assert reached(worker) == [1]
    worker.process.signal_group(signal.SIGTERM)
    assert await worker.exit() == Exit(signal=signal.SIGTERM)
    assert reached(worker) == [1, 5]


async def test_what_is_killed_goes_on_at_what_was_stored_in_time(workbench: Bench) -> None:
    worker = await workbench.launch(UNTIL_SIGTERM, DEVBRIDGE_CHECKPOINT_SECONDS="0.05")
    await worker.run()
    await workbench.said.reached(worker.id, b"5")
    worker.process.signal_group(signal.SIGKILL)
    assert await worker.exit() == Exit(signal=signal.SIGKILL)


async def test_who_looks_whether_it_is_interrupted_ends_at_its_next_checkpoint(
    workbench: Bench,
) -> None:
    worker = await workbench.launch(LOOKS, **NEVER)
    await worker.run()
    output = await worker.read_until(b"five")
    worker.process.signal_group(signal.SIGTERM)
    assert (await worker.failure()).type == "Interrupted"
    assert reached(worker) == [[1, False], [6, False]]
    assert await worker.exit() == Exit(code=0)
    assert b"closed" not in output
    assert await worker.output() == "closed 6 True\n"


async def test_an_async_generator_is_interrupted_as_well(workbench: Bench) -> None:
    worker = await workbench.launch(
        """
        import asyncio
        async def handler(payload, context):
            i = int(context.interrupted)
            while True:
                i += 1
                yield i
                if i == 3:
                    print("three", flush=True)
                while i == 3 and not context.interrupted:
                    await asyncio.sleep(0.01)
        """,
        **NEVER,
    )
    await worker.run()
    await worker.read_until(b"three")
    worker.process.signal_group(signal.SIGTERM)
    assert (await worker.failure()).type == "Interrupted"
    assert reached(worker) == [1, 4]


async def test_processes_that_it_forks_are_ended_by_sigterm_as_ever_and_store_nothing(
    workbench: Bench,
) -> None:
    worker = await workbench.launch(
        """
        import multiprocessing, time
        def handler(payload, context):
            context.interrupted
            yield 1
            yield 2
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            child.start()
            child.terminate()
            child.join()
            return child.exitcode
        """,
        **NEVER,
    )
    await worker.run()
    assert await worker.result() == b"-15"
    assert reached(worker) == [1]


async def test_after_the_answer_sigterm_ends_what_lingers(workbench: Bench) -> None:
    worker = await workbench.launch(
        """
        import threading, time
        def handler(payload, context):
            assert not context.interrupted
            yield 1
            threading.Thread(target=time.sleep, args=(60,)).start()
        """
    )
    await worker.run()
    await worker.result()
    worker.process.signal_group(signal.SIGTERM)
    assert await worker.exit() == Exit(signal=signal.SIGTERM)


# --- as a build has them ------------------------------------------------------------------------


class Build:
    """Runs attempts in `root`, as `runner.build` does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept: list[Any] = []
        self.inbox = Inbox()
        self.api = RuntimeApi()
        # A module that is written anew within a second may be as long as it was.
        self.environment = {**os.environ, **NEVER, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, code: str, payload: str = "null", **options: Any) -> End:
        (self.root / "job.py").write_text(textwrap.dedent(code))
        reader, writer = os.pipe()
        threading.Thread(
            target=self._read, args=(reader, options.pop("at", {})), daemon=True
        ).start()
        try:
            return attempt.run(
                self.api,
                Invocation("demo_prod_job:1", payload.encode(), 0.0, "", {"job": "job"}),
                {
                    **self.environment,
                    "_HANDLER": "job.handler",
                    "LAMBDA_TASK_ROOT": str(self.root),
                },
                root=str(self.root),
                inbox=self.inbox,
                output=Output(writer),
                timeout=60,
                grace=DEADLINE,
                keep=lambda body: self.kept.append(json.loads(body)),
                **options,
            )
        finally:
            os.close(writer)

    def _read(self, reader: int, at: dict[bytes, Callable[[], None]]) -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                if react := at.get(line.strip()):
                    react()

    def terminate(self) -> None:
        """As SIGTERM does it."""
        self.inbox._terminate(signal.SIGTERM, None)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_an_attempt_goes_on_where_another_has_crashed(build: Build) -> None:
    crash = COUNT.replace("raise KeyError(i)", "__import__('os')._exit(3)")
    build.environment["DEVBRIDGE_CHECKPOINT_SECONDS"] = "0"
    assert build.run(crash, '{"n": 9, "fails": 4}').state == CRASHED
    assert build.kept[-1] == 4
    end = build.run(COUNT, '{"n": 9}', checkpoint=b"4")
    assert end == End(SUCCEEDED, b'"4 to 9"')


@pytest.mark.parametrize(("code", "last"), [(UNTIL_SIGTERM, 5), (LOOKS, [6, False])])
@pytest.mark.parametrize(("interruptible", "state"), [(True, INTERRUPTED), (False, CANCELLED)])
def test_sigterm_is_an_interruption_where_the_place_is_taken_away(
    build: Build, code: str, last: Any, interruptible: bool, state: str
) -> None:
    end = build.run(code, at={b"five": build.terminate}, interruptible=interruptible)
    assert end.state == state
    assert build.kept[-1] == last


def test_when_its_time_is_up_the_next_checkpoint_is_the_last(build: Build) -> None:
    end = build.run(COUNT, '{"n": 9}', stop_at=1.0)
    assert end == End(INTERRUPTED)
    assert build.kept == [1]


def test_without_checkpoints_everything_is_as_ever(build: Build) -> None:
    assert build.run("def handler(payload):\n    return payload", "7") == End(SUCCEEDED, b"7")
    assert build.run("def handler(payload):\n    raise KeyError").state == FAILED
    assert build.kept == []
