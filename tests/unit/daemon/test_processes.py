from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from devbridge.daemon import processes as processes_module
from devbridge.daemon.events import (
    Event,
    Exited,
    Give,
    NotStarted,
    Raised,
    StandbyFailed,
)
from devbridge.daemon.limits import HEADROOM
from devbridge.daemon.model import Modules
from devbridge.daemon.processes import Member, Processes
from devbridge.daemon.runtime_api import RuntimeApi
from devbridge.daemon.workers import WorkerSpec
from devbridge.palette import Style
from devbridge.runs.model import Exit, JobSpec
from runner.outcome import Failure
from tests.integration.workers import DEADLINE, Said
from tests.unit.daemon.screens import Screen

SPEC = JobSpec("factorial", "jobs/factorial.handler", 60, 3072, "arn:aws:iam::1:role/r", {})


class FakeProcess:
    """A process that ends, or breaks, when it is told to."""

    def __init__(self) -> None:
        self.pid = 1
        self.signals: list[signal.Signals] = []
        self.end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    async def wait(self) -> Exit:
        return await self.end

    def signal_group(self, number: signal.Signals) -> None:
        self.signals.append(number)


class FakeLauncher:
    def __init__(self) -> None:
        self.process: FakeProcess | None = None
        self.error: Exception | None = None
        self.launched = asyncio.Event()

    async def launch(self, spec: WorkerSpec, output_fd: int) -> FakeProcess:
        if self.error is not None:
            raise self.error
        self.process = FakeProcess()
        self.launched.set()
        return self.process

    async def preload(self, names: Iterable[str]) -> None: ...

    def reported(self, job: str, modules: Modules) -> bool:
        return False

    async def close(self) -> None: ...


class Stage:
    """The processes, with one worker, `w1`, and what it told the daemon."""

    def __init__(self, root: Path, screen: Screen, api: RuntimeApi) -> None:
        self.events: list[Event] = []
        self.ended: list[str] = []
        self.known = False
        """Whether the worker was still known when the last event was posted."""
        self.launcher = FakeLauncher()
        self.api = api
        self.processes = Processes(
            root=root,
            python=Path(sys.executable),
            launcher=self.launcher,
            runtime_api=api,
            environment=lambda spec, address: {},
            terminal=screen.terminal,
            style=Style(False),
            post=self._post,
            ended=self._ended,
        )

    def _post(self, event: Event) -> None:
        self.events.append(event)
        self.known = self.processes.member("w1") is not None

    def _ended(self, job_id: str, member: Member) -> None:
        self.ended.append(job_id)

    async def launch(self) -> FakeProcess:
        self.processes.launch("w1", SPEC)
        async with asyncio.timeout(DEADLINE):
            await self.launcher.launched.wait()
        assert self.launcher.process is not None
        return self.launcher.process

    def give(self) -> None:
        self.processes.give(Give("w1", "factorial", "job-1", 1, 2e9), SPEC, b"null")


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    made.look()
    yield made
    made.close()


@pytest.fixture
async def stage(tmp_path: Path, screen: Screen) -> AsyncIterator[Stage]:
    api = RuntimeApi(Said())
    await api.start()
    made = Stage(tmp_path, screen, api)
    yield made
    process = made.launcher.process
    if process is not None and not process.end.done():
        process.end.set_result(Exit(code=0))
    await made.processes.close()
    await api.close()


async def test_a_run_whose_process_cannot_be_watched_any_more_is_ended_and_says_why(
    stage: Stage, screen: Screen
) -> None:
    process = await stage.launch()
    stage.give()
    process.end.set_exception(RuntimeError("the watch broke"))
    await stage.processes.close()

    assert process.signals == [signal.SIGKILL]
    what = "devbridge lost the worker: RuntimeError: the watch broke"
    assert stage.events == [
        Raised("w1", "job-1", Failure("InternalError", what)),
        Exited("w1", Exit(signal=signal.SIGKILL)),
    ]
    assert stage.ended == ["job-1"]
    assert len(stage.processes) == 0
    await asyncio.to_thread(screen.wait_for, what.encode())


async def test_the_end_of_a_worker_is_posted_before_it_is_forgotten(stage: Stage) -> None:
    process = await stage.launch()
    stage.give()
    stage.processes.signal("w1", signal.SIGTERM, 60.0)
    member = stage.processes.member("w1")
    assert member is not None
    process.end.set_result(Exit(code=7))
    await stage.processes.close()

    assert stage.events == [Exited("w1", Exit(code=7))]
    assert stage.known
    assert stage.processes.member("w1") is None
    assert member.countdown is not None
    assert member.countdown.cancelled()


async def test_a_launcher_that_breaks_fails_the_standby(stage: Stage) -> None:
    stage.launcher.error = RuntimeError("no zygote")
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()

    assert [type(event) for event in stage.events] == [StandbyFailed, Exited]
    assert len(stage.processes) == 0


async def test_a_process_that_cannot_even_be_signalled_still_ends_its_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await stage.launch()
    stage.give()
    monkeypatch.delattr(FakeProcess, "signal_group")
    process.end.set_exception(RuntimeError("broken"))
    await stage.processes.close()

    assert stage.events[-1] == Exited("w1", Exit(signal=signal.SIGKILL))
    assert stage.ended == ["job-1"]


async def test_a_worker_holds_no_descriptor_after_a_defect(stage: Stage) -> None:
    stage.launcher.error = RuntimeError("no zygote")
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for _ in range(5):
        stage.processes.launch("w1", SPEC)
        await stage.processes.close()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


async def test_a_slow_import_is_said_once(
    stage: Stage, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_module, "IMPORT_NOTICE", 0.01)
    process = await stage.launch()
    said = b"the handler is still being imported after 0.01 s"
    await asyncio.to_thread(screen.wait_for, said)
    process.end.set_result(Exit(code=0))
    await stage.processes.close()
    assert (await asyncio.to_thread(screen.close)).count(said) == 1


async def test_a_quick_import_is_not_spoken_of(
    stage: Stage, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await stage.launch()
    process.end.set_result(Exit(code=0))
    await stage.processes.close()
    assert b"imported" not in await asyncio.to_thread(screen.close)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
async def test_a_worker_that_the_system_cannot_start_now_is_no_failure_of_its_job(
    stage: Stage, number: int
) -> None:
    stage.launcher.error = OSError(number, os.strerror(number))
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()
    assert stage.events == [NotStarted("w1", os.strerror(number)), Exited("w1", Exit(code=1))]


async def test_a_worker_is_not_started_with_the_last_descriptors(
    stage: Stage,
) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + HEADROOM // 2, hard))
    try:
        stage.processes.launch("w1", SPEC)
        await asyncio.sleep(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert stage.events == [NotStarted("w1", os.strerror(errno.EMFILE))]
    assert stage.processes.member("w1") is None
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
