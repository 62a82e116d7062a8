from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from devbridge.daemon import launching as launching_module
from devbridge.daemon.events import (
    Event,
    Exited,
    Give,
    NotStarted,
    Raised,
    StandbyFailed,
)
from devbridge.daemon.memory import OomKills
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.processes import COUNTDOWN, Processes, Worker
from devbridge.daemon.runtime_api import RuntimeApi, WorkerAddress
from devbridge.daemon.settings import Settings, Workshop
from devbridge.daemon.told import (
    Began,
    Ended,
    Gone,
    Mood,
    Noted,
    Printed,
    Remarked,
    Stopping,
    Told,
    Who,
)
from devbridge.errors import BundleError
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import CodeSpec, Exit, JobSpec, State
from devbridge.testing import MemoryObjects
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules, that_mend
from devbridge.workers.rlimits import HEADROOM
from runner.outcome import Failure
from tests.integration.workers import DEADLINE, Said

SPEC = JobSpec(
    "factorial", "jobs/factorial.handler", 60, 3072, "arn:aws:iam::1:role/r", {}, max_attempts=3
)
STANDBY = Who("w1", "factorial")
RUN = Who("w1", "factorial", "job-1")
DONE = Change(job_id="job-1", state=State.SUCCEEDED, at=2.0)
RECORD = RunRecord(job_id="job-1", job="factorial", state=State.SUCCEEDED, created_at=1.0)


class FakeProcess:
    """A process that ends, or breaks, when it is told to."""

    def __init__(self) -> None:
        self.pid = 1
        self.signals: list[signal.Signals] = []
        self.end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.signalled = asyncio.Event()

    async def wait(self) -> Exit:
        return await self.end

    def signal_group(self, number: signal.Signals) -> None:
        self.signals.append(number)
        self.signalled.set()


class FakeLauncher:
    """Launches one fake process, and keeps its end of the worker's pipe."""

    def __init__(self) -> None:
        self.process: FakeProcess | None = None
        self.error: Exception | None = None
        self.specs: list[WorkerSpec] = []
        self.launched = asyncio.Event()
        self.free = asyncio.Event()
        """Launching takes until this is set."""
        self.free.set()
        self._output = -1

    async def launch(self, spec: WorkerSpec, output_fd: int) -> FakeProcess:
        self.specs.append(spec)
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self._output = os.dup(output_fd)
        self.process = FakeProcess()
        self.launched.set()
        return self.process

    def print(self, data: bytes) -> None:
        os.write(self._output, data)

    def hang_up(self) -> None:
        """The process closes its end of the pipe."""
        if self._output >= 0:
            os.close(self._output)
            self._output = -1

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None: ...

    def reported(self, job: str, modules: Modules) -> bool:
        return False

    async def close(self) -> None: ...


class Timers:
    """Takes what is to be called later, and calls it when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[tuple[float, Callable[[], object]]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def _call_later(self, delay: float, call: Callable[..., object], *args: object) -> Mock:
        self.waiting.append((delay, lambda: call(*args)))
        return Mock()

    def next(self) -> float:
        """Let time pass until the next call; how long that took."""
        delay, call = self.waiting.pop(0)
        call()
        return delay


class Stage:
    """The processes, with one worker, `w1`, and what it told the daemon and the narrator."""

    def __init__(self, root: Path, api: RuntimeApi) -> None:
        self.root = root
        self.events: list[Event] = []
        self.told: list[Told] = []
        self.heard = asyncio.Event()
        """Something was told."""
        self.mending: list[tuple[str, Modules]] = []
        self.closed: list[str] = []
        self.known = False
        """Whether the worker was still known when the last event was posted."""
        self.launcher = FakeLauncher()
        self.debuggers = Mock(wanted=False)
        workshop = Workshop(
            self.launcher, self._environment, debuggers=self.debuggers, objects=MemoryObjects()
        )
        self.api = api
        self.processes = Processes(
            Settings(root=root, python=Path(sys.executable), logs=root, concurrency=1, grace=1),
            workshop,
            api,
            Narrator([self]),
            post=self._post,
            closed=self._closed,
            heard=lambda worker_id, modules: self.mending.append((worker_id, modules)),
        )

    def _environment(self, spec: CodeSpec, address: WorkerAddress) -> dict[str, str]:
        return {"JOB": spec.name, "API": address.runtime_api}

    def _post(self, event: Event) -> None:
        self.events.append(event)
        self.known = self.processes.worker("w1") is not None

    def _closed(self, job_id: str) -> None:
        assert self.told[-1] == Gone(Who("w1", "factorial", job_id))
        self.closed.append(job_id)

    def on(self, event: Told) -> None:
        self.told.append(event)
        self.heard.set()

    @property
    def left(self) -> list[float]:
        """Seconds that a stopping run was told to have left."""
        return [event.seconds for event in self.told if isinstance(event, Stopping)]

    @property
    def worker(self) -> Worker:
        found = self.processes.worker("w1")
        assert found is not None
        return found

    async def launch(self) -> FakeProcess:
        self.processes.launch("w1", SPEC)
        return await self.running()

    async def running(self) -> FakeProcess:
        async with asyncio.timeout(DEADLINE):
            await self.launcher.launched.wait()
        assert self.launcher.process is not None
        return self.launcher.process

    async def exit(self, end: Exit = Exit(code=0)) -> None:  # noqa: B008 - frozen
        """The process ends, and its worker with it."""
        assert self.launcher.process is not None
        self.launcher.hang_up()
        self.launcher.process.end.set_result(end)
        await self.processes.close()

    def give(self, payload: bytes = b"null", checkpoint: bytes | None = None) -> None:
        self.processes.give(Give("w1", "factorial", "job-1", 1, 2e9), SPEC, payload, checkpoint)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    api = RuntimeApi(Said())
    await api.start()
    made = Stage(tmp_path, api)
    yield made
    made.launcher.error = OSError("the test is over")
    made.launcher.free.set()
    made.launcher.hang_up()
    process = made.launcher.process
    if process is not None and not process.end.done():
        process.end.set_result(Exit(code=0))
    await made.processes.close()
    await api.close()


# --- a worker's life ----------------------------------------------------------------------------


async def test_a_worker_is_launched_with_its_jobs_environment_and_its_own_address(
    stage: Stage,
) -> None:
    await stage.launch()
    [spec] = stage.launcher.specs
    assert (spec.worker_id, spec.job, spec.handler) == ("w1", "factorial", SPEC.handler)
    assert (spec.root, spec.python) == (stage.root, Path(sys.executable))
    assert spec.environment["JOB"] == "factorial"
    assert spec.environment["API"].startswith(f"127.0.0.1:{stage.api.port}/")
    note = stage.root / ".devbridge" / f"import-{os.getpid()}-w1"
    assert spec.environment["DEVBRIDGE_NOTE"] == str(note)
    assert spec.environment.keys() == {"JOB", "API", "DEVBRIDGE_NOTE"}
    assert len(stage.processes) == 1


async def test_a_worker_is_asked_to_record_what_it_reads_where_that_is_wanted(
    stage: Stage,
) -> None:
    stage.processes.launch("w1", SPEC, record=True)
    await stage.running()
    assert stage.launcher.specs[0].environment["DEVBRIDGE_RECORD"] == "1"


async def test_a_run_is_told_from_its_beginning_to_its_end_and_its_output_between(
    stage: Stage,
) -> None:
    await stage.launch()
    stage.launcher.print(b"importing")
    stage.give()
    stage.launcher.print(b"running")
    stage.processes.ended("w1", DONE, RECORD)
    await stage.exit()
    assert stage.told == [
        Printed(STANDBY, b"importing"),
        Began(RUN, 1, 3, b"null"),
        Printed(RUN, b"running"),
        Ended(RUN, DONE, RECORD),
        Gone(RUN),
    ]
    assert stage.closed == ["job-1"]


async def test_of_a_later_attempt_is_told_when_it_began_and_not_when_the_run_did(
    stage: Stage,
) -> None:
    await stage.launch()
    stage.give()
    stage.processes.ended("w1", DONE, replace(RECORD, attempt=2, started_at=1.5))
    await stage.exit()
    (ended,) = (event for event in stage.told if isinstance(event, Ended))
    assert ended.run.started_at is not None
    assert ended.run.started_at > 1.5


async def test_what_a_process_leaves_behind_may_hold_the_pipe_and_the_run_still_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching_module, "OUTPUT_AFTER_EXIT", 0.01)
    process = await stage.launch()
    stage.give()
    stage.launcher.print(b"running")
    process.end.set_result(Exit(code=0))
    await stage.processes.close()
    assert stage.told[-2:] == [Printed(RUN, b"running"), Gone(RUN)]


async def test_a_standby_that_goes_closes_no_run(stage: Stage) -> None:
    await stage.launch()
    await stage.exit()
    assert stage.told == [Gone(STANDBY)]
    assert stage.closed == []


async def test_the_end_of_a_worker_is_posted_before_it_is_forgotten(stage: Stage) -> None:
    await stage.launch()
    stage.give()
    stage.processes.signal("w1", signal.SIGTERM, 60.0)
    worker = stage.worker
    await stage.exit(Exit(code=7))

    assert stage.events == [Exited("w1", Exit(code=7))]
    assert stage.known
    assert stage.processes.worker("w1") is None
    assert worker.countdown is not None
    assert worker.countdown.cancelled()


async def test_the_address_of_a_worker_that_has_gone_is_nobodys(stage: Stage) -> None:
    await stage.launch()
    await stage.exit()
    stage.api.add_worker("w1")  # else it would be known already


async def test_what_a_worker_has_printed_until_now_is_told_when_that_is_asked_for(
    stage: Stage,
) -> None:
    await stage.launch()
    stage.launcher.print(b"importing")
    stage.processes.drain("w1")
    stage.processes.drain("nobody")
    assert stage.told == [Printed(STANDBY, b"importing")]


async def test_what_a_workers_inspector_prints_is_told_nobody(stage: Stage) -> None:
    await stage.launch()
    stage.launcher.print(b"Debugger attached.\n")
    stage.processes.drain("w1")
    stage.worker.mute([])
    stage.worker.mute(["Debugger attached.", "Debugger listening on ws://"])
    stage.launcher.print(b"one, Debugger attached.\ntwo\nDebugger listening on ws://1/2\n")
    stage.processes.drain("w1")
    stage.launcher.print(b"Debugger attached.\n")
    stage.processes.drain("w1")
    assert stage.told == [
        Printed(STANDBY, b"Debugger attached.\n"),
        Printed(STANDBY, b"one, two\n"),
    ]


@pytest.mark.parametrize("debug", [True, False])
async def test_a_worker_that_may_be_halted_finds_how_long_it_was(
    tmp_path: Path, stage: Stage, debug: bool
) -> None:
    (tmp_path / ".devbridge").mkdir()
    stage.debuggers.wanted = debug
    await stage.launch()
    note = stage.launcher.specs[0].debug
    stage.worker.halted(True)
    assert (note is not None and note.exists()) == debug
    await stage.exit()
    assert list((tmp_path / ".devbridge").iterdir()) == []


async def test_the_end_of_a_run_is_told_though_its_worker_goes_on_and_then_what_goes_on(
    stage: Stage,
) -> None:
    await stage.launch()
    stage.give()
    stage.launcher.print(b"out\n")
    stage.processes.ended("w1", DONE, RECORD)
    stage.processes.goes_on("nobody", ["its thread"], 9.0)
    stage.processes.goes_on("w1", ["its thread 'a'"], 9.4)
    note = "the handler has ended, but its thread 'a' goes on: it is ended in 9s"
    assert stage.told[-3:] == [Printed(RUN, b"out\n"), Ended(RUN, DONE, RECORD), Noted(RUN, note)]

    stage.launcher.print(b"late\n")
    for _ in range(2):
        stage.processes.signal("w1", signal.SIGKILL)
    assert stage.told[-2:] == [Printed(RUN, b"late\n"), Noted(RUN, "ended: its thread 'a'")]


async def test_that_a_worker_which_has_answered_is_killed_is_told_though_it_has_said_nothing(
    stage: Stage,
) -> None:
    await stage.launch()
    stage.give()
    stage.processes.ended("w1", DONE, RECORD)
    stage.processes.signal("w1", signal.SIGKILL)
    note = "ended: the process, which was still there"
    assert stage.told[-2:] == [Ended(RUN, DONE, RECORD), Noted(RUN, note)]


async def test_how_a_run_of_nobody_has_ended_is_not_told(stage: Stage) -> None:
    stage.processes.ended("w1", DONE, RECORD)
    assert stage.told == []


async def test_a_slow_import_is_said_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching_module, "IMPORT_NOTICE", 0.0)
    await stage.launch()
    async with asyncio.timeout(DEADLINE):
        await stage.heard.wait()
    await stage.exit()
    assert stage.told == [
        Remarked(STANDBY, "the handler is still being imported after 0 s", Mood.WARN),
        Gone(STANDBY),
    ]


async def test_a_worker_is_gone_though_the_folder_of_notes_is(stage: Stage) -> None:
    (stage.root / ".devbridge").write_text("no folder")
    await stage.launch()
    await stage.exit()
    assert stage.told == [Gone(STANDBY)]


@pytest.mark.parametrize("ready", [True, False])
async def test_an_import_is_slow_only_while_it_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    await stage.launch()
    monkeypatch.setattr(stage.api, "is_ready", lambda worker_id: ready)
    stage.processes._launching._still_importing(stage.worker)
    assert bool(stage.told) is not ready


async def test_an_import_is_not_slow_before_there_is_a_process(stage: Stage) -> None:
    stage.launcher.free.clear()
    stage.processes.launch("w1", SPEC)
    stage.processes._launching._still_importing(stage.worker)
    assert stage.told == []


async def test_a_run_whose_payload_is_lost_fails_and_its_worker_is_killed(stage: Stage) -> None:
    process = await stage.launch()
    stage.give(b"")
    assert stage.events == []  # the supervisor is still deciding
    await asyncio.sleep(0)
    lost = Failure("PayloadLost", "the run's payload was lost with a damaged ledger")
    assert stage.events == [Raised("w1", "job-1", lost)]
    assert process.signals == [signal.SIGKILL]
    assert stage.told == []


# --- signals ------------------------------------------------------------------------------------


async def test_a_signal_to_a_worker_that_is_being_launched_comes_once_it_runs(
    stage: Stage,
) -> None:
    stage.launcher.free.clear()
    stage.processes.launch("w1", SPEC)
    stage.processes.signal("w1", signal.SIGTERM)
    stage.launcher.free.set()
    process = await stage.running()
    async with asyncio.timeout(DEADLINE):
        await process.signalled.wait()
    assert process.signals == [signal.SIGTERM]


async def test_of_several_early_signals_the_last_one_counts(stage: Stage) -> None:
    stage.launcher.free.clear()
    stage.processes.launch("w1", SPEC)
    stage.processes.signal("w1", signal.SIGTERM)
    stage.processes.kill()
    stage.launcher.free.set()
    process = await stage.running()
    async with asyncio.timeout(DEADLINE):
        await process.signalled.wait()
    assert process.signals == [signal.SIGKILL]


async def test_a_signal_to_nobody_is_no_error(stage: Stage) -> None:
    stage.processes.signal("w1", signal.SIGTERM, 5.0)


async def test_a_run_that_is_stopped_is_told_how_long_it_has_and_again_at_each_mark(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await stage.launch()
    stage.give()
    timers = Timers(monkeypatch)
    stage.processes.signal("w1", signal.SIGTERM, 12.0)
    assert process.signals == [signal.SIGTERM]
    assert stage.left == [12]
    assert timers.next() == 2
    assert stage.left == [12, 10]
    assert timers.next() == 5
    assert stage.left == [12, 10, 5]
    assert not timers.waiting


@pytest.mark.parametrize(
    ("grace", "told"),
    [(5.0, [5.0]), (6.0, [6.0, 5]), (60.0, [60.0, 30, 10, 5]), (601.0, [601.0, *COUNTDOWN])],
)
async def test_only_marks_that_are_still_to_come_are_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, grace: float, told: list[float]
) -> None:
    await stage.launch()
    stage.give()
    timers = Timers(monkeypatch)
    stage.processes.signal("w1", signal.SIGTERM, grace)
    while timers.waiting:
        timers.next()
    assert stage.left == told


async def test_no_time_is_counted_down_for_a_worker_without_a_run(stage: Stage) -> None:
    process = await stage.launch()
    stage.processes.signal("w1", signal.SIGTERM, 10.0)
    assert process.signals == [signal.SIGTERM]
    assert stage.worker.countdown is None
    assert stage.told == []


async def test_nor_for_a_signal_that_leaves_no_time(stage: Stage) -> None:
    await stage.launch()
    stage.give()
    stage.processes.signal("w1", signal.SIGKILL)
    assert stage.left == []


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [False, True])
async def test_only_a_kill_that_was_not_ours_may_be_the_kernels(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    monkeypatch.setattr(OomKills, "claim", lambda self: True)
    await stage.launch()
    stage.give()
    stage.processes.signal("w1", signal.SIGTERM)
    if ours:
        stage.processes.kill()
        stage.processes.signal("w1", signal.SIGTERM)
    await stage.exit(Exit(signal=signal.SIGKILL))
    assert stage.events == [Exited("w1", Exit(signal=signal.SIGKILL), out_of_memory=not ours)]


async def test_another_end_is_not_asked_about_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OomKills, "claim", lambda self: True)
    await stage.launch()
    await stage.exit(Exit(signal=signal.SIGSEGV))
    assert stage.events == [Exited("w1", Exit(signal=signal.SIGSEGV))]


async def test_what_was_killed_before_a_run_began_was_not_its_worker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = Mock()
    monkeypatch.setattr(OomKills, "forget", forgotten)
    await stage.launch()
    forgotten.assert_not_called()
    stage.give()
    forgotten.assert_called_once()


# --- defects ------------------------------------------------------------------------------------


async def test_a_run_whose_process_cannot_be_watched_any_more_is_ended_and_says_why(
    stage: Stage,
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
    assert stage.closed == ["job-1"]
    assert len(stage.processes) == 0
    assert Remarked(RUN, what, Mood.BAD) in stage.told


async def test_a_launcher_that_breaks_fails_the_standby(stage: Stage) -> None:
    stage.launcher.error = RuntimeError("no zygote")
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()

    assert [type(event) for event in stage.events] == [StandbyFailed, Exited]
    assert len(stage.processes) == 0


async def test_a_standby_that_was_ready_when_it_was_lost_has_not_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await stage.launch()
    monkeypatch.setattr(stage.api, "is_ready", lambda worker_id: True)
    process.end.set_exception(RuntimeError("broken"))
    await stage.processes.close()
    assert stage.events == [Exited("w1", Exit(signal=signal.SIGKILL))]


async def test_a_process_that_cannot_even_be_signalled_still_ends_its_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await stage.launch()
    stage.give()
    monkeypatch.delattr(FakeProcess, "signal_group")
    process.end.set_exception(RuntimeError("broken"))
    await stage.processes.close()

    assert stage.events[-1] == Exited("w1", Exit(signal=signal.SIGKILL))
    assert stage.closed == ["job-1"]


async def test_a_daemon_that_breaks_over_an_end_still_lets_the_worker_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.launch()
    monkeypatch.setattr(stage.processes, "_post", Mock(side_effect=RuntimeError))
    await stage.exit()
    assert len(stage.processes) == 0
    assert stage.told == [Gone(STANDBY)]


async def test_a_worker_holds_no_descriptor_after_a_defect(stage: Stage) -> None:
    stage.launcher.error = RuntimeError("no zygote")
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for _ in range(5):
        stage.processes.launch("w1", SPEC)
        await stage.processes.close()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


async def test_an_error_of_the_users_code_that_the_launcher_finds_has_its_frames(
    stage: Stage,
) -> None:
    broken = Failure("SyntaxError", "Unexpected token", ("jobs/a.ts:1:2",))
    file = str(stage.root / "a.ts")
    stage.launcher.error = BundleError(broken, files=[file, str(stage.root)])
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()
    assert stage.events == [StandbyFailed("w1", broken), Exited("w1", Exit(code=1))]
    assert stage.mending == [("w1", that_mend([file, str(stage.root)]))]


async def test_a_heap_that_was_full_is_memory_that_ran_out(stage: Stage) -> None:
    await stage.launch()
    stage.launcher.print(b"FATAL ERROR: Reached heap limit - JavaScript heap out of memory\n")
    await stage.exit(Exit(signal=signal.SIGABRT))
    assert stage.events[-1] == Exited("w1", Exit(signal=signal.SIGABRT), True)


# --- shortage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
async def test_a_worker_that_the_system_cannot_start_now_is_no_failure_of_its_job(
    stage: Stage, number: int
) -> None:
    stage.launcher.error = OSError(number, os.strerror(number))
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()
    assert stage.events == [NotStarted("w1", os.strerror(number)), Exited("w1", Exit(code=1))]


async def test_another_error_of_the_system_is_one(stage: Stage) -> None:
    stage.launcher.error = OSError(errno.EACCES, "Permission denied")
    stage.processes.launch("w1", SPEC)
    await stage.processes.close()
    denied = Failure("PermissionError", f"[Errno {errno.EACCES}] Permission denied")
    assert stage.events == [StandbyFailed("w1", denied), Exited("w1", Exit(code=1))]


async def test_a_worker_is_not_started_with_the_last_descriptors(stage: Stage) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + HEADROOM // 2, hard))
    try:
        stage.processes.launch("w1", SPEC)
        await asyncio.sleep(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert stage.events == [NotStarted("w1", os.strerror(errno.EMFILE))]
    assert stage.processes.worker("w1") is None
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


async def test_room_is_kept_for_the_workers_that_have_no_run_yet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.launch()
    starting: list[int] = []

    def full(_descriptor: int, count: int) -> None:
        starting.append(count)
        raise OSError(errno.EMFILE, "full")

    monkeypatch.setattr(launching_module, "require_room", full)
    stage.processes.launch("w2", SPEC)
    stage.give()
    stage.processes.launch("w3", SPEC)
    assert starting == [1, 0]
    await stage.exit()
