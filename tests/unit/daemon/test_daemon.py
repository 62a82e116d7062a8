"""The daemon over fakes: a broker in memory, workers that do what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.daemon.daemon import Daemon
from devbridge.daemon.hearing import Hearing
from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.daemon.keeper import Keeper, keep
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.daemon.settings import Connection, Settings, Workshop
from devbridge.daemon.told import Broken, Ended, Interrupted, NeverStarted, Said, Told
from devbridge.errors import AppError, BrokerUnreachable, FolderError
from devbridge.protocol import codec
from devbridge.protocol.messages import Presence, Topics
from devbridge.runs.ledger import Change, NewRun
from devbridge.runs.model import Exit, JobSpec, State
from devbridge.testing import MemoryBroker, MemoryObjects, MemoryTransport
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules
from runner.invocation import Invocation
from runner.outcome import Failure

DEADLINE = 30.0
FAILURE = Failure("SyntaxError", "invalid syntax")


def job(name: str, **options: Any) -> JobSpec:
    given: dict[str, Any] = {"environment": {}, **options}
    return JobSpec(name, f"{name}.handler", 60, 3072, "arn:aws:iam::1:role/job", **given)


class Process:
    """A worker's process; SIGKILL ends it, and SIGTERM if it is `polite`."""

    pid = 1

    def __init__(self, polite: bool) -> None:
        self.signals: list[signal.Signals] = []
        self.polite = polite
        self.end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    async def wait(self) -> Exit:
        return await self.end

    def signal_group(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if (number == signal.SIGKILL or self.polite) and not self.end.done():
            self.end.set_result(Exit(signal=number))


class Api:
    """The Runtime API; the test speaks for the workers. The last one made is that of jobs."""

    made: Api

    def __init__(
        self, listener: Hearing, credentials: object, debuggers: object, **_: object
    ) -> None:
        Api.made = self
        self.listener = listener
        self.debuggers = debuggers
        self.steps: list[str] = []
        self.ready: set[str] = set()
        self.given: dict[str, Invocation] = {}

    async def start(self) -> None:
        self.steps.append("start")

    async def close(self) -> None:
        self.steps.append("close")

    def add_worker(self, worker_id: str, role_arn: str | None, runtime: str = "") -> WorkerAddress:
        return WorkerAddress("", "", "")

    def remove_worker(self, worker_id: str) -> None: ...

    def is_ready(self, worker_id: str) -> bool:
        return worker_id in self.ready

    def invoke(self, worker_id: str, invocation: Invocation) -> None:
        self.given[worker_id] = invocation


class Desk:
    """A daemon with jobs a and b. Its workers load at once, unless their job is `broken`."""

    def __init__(self, root: Path, keeper: Keeper) -> None:
        self.root = root
        self.keeper = keeper
        self.broker = MemoryBroker()
        self.told: list[Told] = []
        self.news = asyncio.Event()
        self.broken: set[str] = set()
        self.polite = True
        self.processes: dict[str, Process] = {}
        self.steps: list[str] = []
        self.deployments: asyncio.Queue[Deployment | Exception] = asyncio.Queue()
        self.jobs = Jobs([job("a"), job("b")])
        self.options: dict[str, Any] = {}
        self.debuggers: Any = None
        self.stop = asyncio.Event()
        self.daemon: Daemon

    def make(self) -> Daemon:
        there: Any = self
        presence = Presence(
            online=True,
            daemon_id=codec.new_id(),
            host="here",
            user="me",
            pid=1,
            since=1.0,
            session_expiry=60,
        )
        self.daemon = Daemon(
            Settings(
                **{
                    "root": self.root,
                    "python": Path(sys.executable),
                    "logs": self.root / "logs",
                    "concurrency": 2,
                    "grace": 5.0,
                    **self.options,
                }
            ),
            Deployment(self.jobs, frozenset({self.root / "app.py"})),
            redeploys=there,
            connection=Connection(Topics("app", "stage"), presence, self._transport),
            workshop=Workshop(
                there, lambda spec, address: {}, None, self.debuggers, objects=MemoryObjects()
            ),
            ledger=self.keeper,
            narrator=Narrator([there]),
        )
        return self.daemon

    def _transport(self, client_id: str, clean: bool) -> MemoryTransport:
        return MemoryTransport(self.broker, client_id, clean=clean)

    # --- a listener

    def on(self, event: Told) -> None:
        self.told.append(event)
        self.news.set()

    def of(self, kind: type[Told]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.of(Said)]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - each turn of the loop
                await asyncio.sleep(0)

    # --- a launcher

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        process = self.processes[spec.worker_id] = Process(self.polite)
        listener = Api.made.listener
        loop = asyncio.get_running_loop()
        if spec.job in self.broken:
            loop.call_soon(listener.worker_init_failed, spec.worker_id, FAILURE)
        else:
            Api.made.ready.add(spec.worker_id)
            loop.call_soon(listener.worker_ready, spec.worker_id)
        return process

    async def prepare(self, jobs: Iterable[JobSpec], vouched: Iterable[str]) -> None:
        self.steps.append(f"prepare {list(vouched)}")

    def reported(self, name: str, modules: Modules) -> bool:
        return False

    async def close(self) -> None:
        self.steps.append("launcher closed")

    # --- redeployments

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        answer = await self.deployments.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def outdated(self) -> bool:
        return False

    # --- runs

    async def given(self, job_id: str) -> str:
        """The worker that has the run."""

        def found() -> str:
            given = Api.made.given.items()
            return next((worker for worker, each in given if each.job_id == job_id), "")

        await self.until(found)
        return found()

    async def finish(self, job_id: str, result: bytes = b"1") -> None:
        worker = await self.given(job_id)
        Api.made.listener.worker_responded(worker, job_id, result)
        self.processes[worker].end.set_result(Exit(code=0))
        await self.until(lambda: self.closed(job_id))

    def closed(self, job_id: str) -> bool:
        entry = self.keeper.get(job_id)
        return entry is not None and entry.closed

    def state(self, job_id: str) -> State | None:
        entry = self.keeper.get(job_id)
        return None if entry is None else entry.state


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made, _ = keep(tmp_path / "ledger.sqlite")
    yield made
    made.close()


@pytest.fixture
async def desk(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("devbridge.daemon.settings.RuntimeApi", Api)
    (tmp_path / "app.py").write_text("")
    desk = Desk(tmp_path, keeper)
    monkeypatch.setattr(keeper, "close", lambda: desk.steps.append("ledger closed"))
    return desk


@contextlib.asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Daemon]:
    daemon = desk.make()
    task = asyncio.create_task(daemon.run(desk.stop))
    try:
        await asyncio.wait_for(daemon.wait_until_ready(), DEADLINE)
        yield daemon
    finally:
        desk.stop.set()
        await asyncio.wait_for(task, DEADLINE)


# --- runs ---------------------------------------------------------------------------------------


async def test_a_run_is_given_to_the_standby_of_its_job_and_closed_when_its_worker_is_gone(
    desk: Desk,
) -> None:
    async with running(desk) as daemon:
        job_id = daemon.submit("a", b'{"num": 1}')
        worker = await desk.given(job_id)
        assert worker == "a-1"
        assert Api.made.given[worker].payload == b'{"num": 1}'
        Api.made.listener.worker_responded(worker, job_id, b"1")
        assert desk.state(job_id) is State.SUCCEEDED
        assert not desk.closed(job_id), "its worker may still print"
        desk.processes[worker].end.set_result(Exit(code=0))
        await desk.until(lambda: desk.closed(job_id))
        (ended,) = desk.of(Ended)
        assert ended.run.result == b"1"


async def test_a_job_that_cannot_be_loaded_is_told_and_keeps_nobody_from_being_ready(
    desk: Desk,
) -> None:
    desk.broken = {"a"}
    async with running(desk) as daemon:
        assert [(each.job, each.failure) for each in desk.of(Broken)] == [("a", FAILURE)]
        job_id = daemon.submit("a", b"1")
        await desk.until(lambda: desk.closed(job_id))
        assert desk.state(job_id) is State.FAILED
        assert [event.run.job_id for event in desk.of(NeverStarted)] == [job_id]


async def test_without_standbys_it_is_ready_as_soon_as_it_is_connected(desk: Desk) -> None:
    desk.options["standbys"] = False
    async with running(desk) as daemon:
        assert desk.processes == {}
        await desk.finish(daemon.submit("b", b"1"))


async def test_what_an_earlier_daemon_has_left_is_told_and_taken_on(
    desk: Desk, keeper: Keeper
) -> None:
    for job_id, state in (("crashed", State.RUNNING), ("waiting", None)):
        with keeper.transaction():
            keeper.add(NewRun(job_id=job_id, job="a", payload=b"1", created_at=1.0, log_path=""))
            if state is not None:
                keeper.record(Change(job_id=job_id, state=state, at=2.0))
    async with running(desk):
        assert desk.said[0] == "1 run was waiting"
        assert [event.run.job_id for event in desk.of(Interrupted)] == ["crashed"]
        assert desk.state("crashed") is State.CRASHED
        await desk.finish("waiting")


# --- jobs ---------------------------------------------------------------------------------------


async def test_jobs_that_a_deployment_added_are_known_at_once_and_those_it_took_are_gone(
    desk: Desk,
) -> None:
    async with running(desk) as daemon:
        desk.deployments.put_nowait(Deployment(Jobs([job("b"), job("c")])))
        daemon._reloading._app_saved.set()
        await desk.until(lambda: "c-3" in desk.processes)
        await desk.finish(daemon.submit("c", b"1"))
        await desk.until(lambda: desk.processes["a-1"].signals == [signal.SIGTERM])


async def test_a_job_that_a_deployment_took_away_keeps_nobody_from_being_ready(
    desk: Desk,
) -> None:
    daemon = desk.make()
    daemon._undecided.add("slow")  # it is still being imported
    daemon._jobs = Jobs([*desk.jobs.values(), job("slow")])
    task = asyncio.create_task(daemon.run(desk.stop))
    ready = asyncio.create_task(daemon.wait_until_ready())
    await desk.until(lambda: len(Api.made.ready) == 2)
    assert not ready.done()
    daemon._reloading._app_saved.set()
    desk.deployments.put_nowait(Deployment(desk.jobs))
    await asyncio.wait_for(ready, DEADLINE)
    desk.stop.set()
    await asyncio.wait_for(task, DEADLINE)


async def test_an_app_that_breaks_leaves_the_jobs_as_they_are(desk: Desk) -> None:
    async with running(desk) as daemon:
        desk.deployments.put_nowait(AppError("app.py does not parse"))
        daemon._reloading._app_saved.set()
        await desk.until(desk.deployments.empty)
        await desk.finish(daemon.submit("a", b"1"))


# --- the end ------------------------------------------------------------------------------------


async def test_it_ends_in_order_and_each_worker_before_the_rest(desk: Desk) -> None:
    async with running(desk) as daemon:
        job_id = daemon.submit("a", b"1")
        worker = await desk.given(job_id)
    assert desk.said[-1] == (
        "Stopping: 1 run gets up to 10 s; Ctrl-C again ends everything at once"
    )
    assert desk.processes[worker].signals == [signal.SIGTERM]
    assert all(process.end.done() for process in desk.processes.values())
    assert desk.state(job_id) is State.CANCELLED
    assert desk.steps[0] == "prepare []"
    assert desk.steps[1:] == ["launcher closed", "ledger closed"]
    assert Api.made.steps == ["start", "close"]


async def test_a_second_ctrl_c_kills_every_worker(desk: Desk) -> None:
    desk.polite = False
    async with running(desk) as daemon:
        daemon.kill()
        desk.polite = True  # those that come in their place
        assert {tuple(each.signals) for each in desk.processes.values()} == {(signal.SIGKILL,)}


async def test_what_fails_beside_it_ends_it_in_order_and_is_raised(desk: Desk) -> None:
    failing = asyncio.Event()

    async def fail() -> None:
        await failing.wait()
        raise FolderError("the folder has gone")

    daemon = desk.make()
    task = asyncio.create_task(daemon.run(desk.stop, {"folder": fail}))
    await asyncio.wait_for(daemon.wait_until_ready(), DEADLINE)
    failing.set()
    with pytest.raises(FolderError, match="the folder has gone"):
        await asyncio.wait_for(task, DEADLINE)
    assert desk.steps[-1] == "ledger closed"
    assert all(process.end.done() for process in desk.processes.values())


async def test_without_a_broker_it_does_not_begin(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(self: object, **_: object) -> None:
        raise BrokerUnreachable("no broker")

    monkeypatch.setattr(MemoryTransport, "connect", unreachable)
    with pytest.raises(BrokerUnreachable):
        await asyncio.wait_for(desk.make().run(desk.stop), DEADLINE)
    assert desk.steps[-1] == "ledger closed"


@pytest.mark.parametrize(("number", "passed_on"), [(errno.EMFILE, 0), (errno.EPIPE, 1)])
async def test_a_connection_that_there_is_no_descriptor_for_is_no_error_of_the_loop(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int, passed_on: int
) -> None:
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    monkeypatch.setattr(loop, "default_exception_handler", errors.append)
    async with running(desk):
        loop.call_exception_handler({"message": "", "exception": OSError(number, "")})
    loop.set_exception_handler(None)
    assert len(errors) == passed_on


class Debuggers:
    """Those of all languages."""

    wanted = True

    def __init__(self) -> None:
        self.steps: list[object] = []

    def of(self, listener: object) -> object:
        return listener

    async def start(self, runtimes: Iterable[str]) -> None:
        self.steps.append([*runtimes])

    async def close(self) -> None:
        self.steps.append("close")


async def test_runs_can_be_debugged_only_where_that_is_wanted(desk: Desk) -> None:
    desk.make()
    assert Api.made.debuggers is None
    desk.debuggers = Debuggers()
    async with running(desk):
        assert Api.made.debuggers is Api.made.listener
    assert desk.debuggers.steps == [["", ""], "close"]
