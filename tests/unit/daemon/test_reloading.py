from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devbridge.daemon import reloading as module
from devbridge.daemon.events import CancelRequested, Event, JobsChanged, SourcesChanged
from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.reloading import Reloading
from devbridge.daemon.rerun import Rerun
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.daemon.told import Reloaded, Told
from devbridge.errors import AppError
from devbridge.resources import variable
from devbridge.runs.model import FunctionSpec, JobSpec
from devbridge.testing import FakeClock
from devbridge.workers.modules import Modules
from tests.integration.functions import function

DEADLINE = 30.0
LONG_AGO = 1_000_000_000.0
SECRET = {variable("Secret", "parameterName", "key"): "/demo/key"}


def job(name: str, **options: Any) -> JobSpec:
    given: dict[str, Any] = {"environment": {}, **options}
    return JobSpec(name, f"jobs/{name}.handler", 60, 3072, "arn:aws:iam::1:role/job", **given)


class Board:
    """A terminal that only keeps its lines."""

    colour = False

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        self.lines.append(text)

    def hold(self, texts: Sequence[str], *, hang: int = 0) -> int:
        self.lines += texts
        return 0

    def take_back(self, number: int) -> bool:
        return False

    def release(self) -> None: ...


class Watcher:
    """Bursts of saves, as the test tells them."""

    def __init__(self) -> None:
        self.directories: frozenset[Path] = frozenset()
        self.told: asyncio.Queue[frozenset[Path]] = asyncio.Queue()

    def watch(self, directories: frozenset[Path]) -> None:
        self.directories = directories

    async def bursts(self) -> AsyncIterator[frozenset[Path]]:
        while True:
            yield await self.told.get()


class Redeploys:
    """Deploys what the test says, when it says so."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self.answers: asyncio.Queue[Deployment | Exception] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.stale: bool | Exception = False

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        self.calls.put_nowait(again)
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def outdated(self) -> bool:
        self.asked.set()
        if isinstance(self.stale, Exception):
            raise self.stale
        return self.stale


class LastRuns:
    """What `Rerun` is asked for."""

    def __init__(self) -> None:
        self.saved_: set[str] = set()
        self.again: list[str] = []
        self.ended_: list[str] = []
        self.forgotten: set[str] = set()

    def saved(self, jobs: frozenset[str]) -> None:
        self.saved_ |= jobs

    def reloaded(self, name: str) -> list[Event]:
        self.again.append(name)
        return [CancelRequested(f"last of {name}")]

    def ended(self, name: str, job_id: str) -> None:
        self.ended_.append(job_id)

    def forget(self, jobs: set[str]) -> None:
        self.forgotten |= jobs


class Pool:
    """Who has the workers of live functions."""

    def __init__(self) -> None:
        self.saved_: list[frozenset[str]] = []
        self.adopted: list[Mapping[str, FunctionSpec]] = []

    def adopt(self, functions: Mapping[str, FunctionSpec]) -> None:
        self.adopted.append(functions)

    def saved(self, keys: frozenset[str]) -> None:
        self.saved_.append(keys)


class Desk:
    """An app of two jobs, deployed, and what hot reload makes of its saves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = LONG_AGO
        self.clock = FakeClock()
        self.app = self.save("app.py")
        self.files = {name: self.save(f"jobs/{name}.py") for name in ("a", "b")}
        self.jobs = Jobs([job("a"), job("b")])
        self.board = Board()
        self.redeploys = Redeploys()
        self.posted: list[Event] = []
        self.news = asyncio.Event()
        self.ours = True
        self.runs: LastRuns | None = None
        self.mark: Path | None = None
        self.whole = True
        self.functions: dict[str, FunctionSpec] = {}
        self.pool = Pool()
        self.reloading: Reloading
        self.told: list[Told] = []

    def on(self, event: Told) -> None:
        self.told.append(event)

    def save(self, name: str) -> Path:
        self.now += 10
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {self.now}\n")
        os.utime(path, (self.now, self.now))
        return path

    def deployment(self, jobs: Jobs | None = None, *files: Path, whole: bool = True) -> Deployment:
        chosen = self.jobs if jobs is None else jobs
        return Deployment(
            chosen,
            frozenset({self.app, *files}),
            self.now + 1,
            whole,
            functions=dict(self.functions),
        )

    def start(self) -> Reloading:
        self.reloading = Reloading(
            self.root,
            self.deployment(whole=self.whole),
            self.redeploys,
            Narrator([TerminalListener(cast(Terminal, self.board), self.root, self.root), self]),
            post=self._post,
            may_deploy=lambda: self.ours,
            rerun=cast(Rerun, self.runs) if self.runs is not None else None,
            secrets_mark=self.mark,
        )
        self.reloading.functions = self.pool
        for name in self.jobs:
            assert self.reloading.launched(name)
            assert not self.imported(name)
        return self.reloading

    def imported(self, name: str, *installed: Path, at: float | None = None) -> bool:
        modules = Modules(
            frozenset({self.files[name]}), (), installed=frozenset(installed), recorded=True
        )
        return self.reloading.imported(name, modules, self.now + 1 if at is None else at)

    def _post(self, events: Sequence[Event]) -> None:
        self.posted += events
        self.news.set()

    async def event(self) -> list[Event]:
        """What is posted next."""
        await asyncio.wait_for(self.news.wait(), DEADLINE)
        self.news.clear()
        posted, self.posted = self.posted, []
        return posted

    async def deployed(self) -> Callable[[], None]:
        """A redeployment begins."""
        return await asyncio.wait_for(self.redeploys.calls.get(), DEADLINE)

    async def said(self, count: int) -> list[str]:
        async with asyncio.timeout(DEADLINE):
            while len(self.board.lines) < count:  # noqa: ASYNC110 - each turn of the loop
                await asyncio.sleep(0)
        return self.board.lines

    def tell(self, *paths: Path) -> None:
        watcher = cast(Watcher, self.reloading._watcher)
        watcher.told.put_nowait(frozenset(paths))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "Watcher", Watcher)
    monkeypatch.setattr(module, "SETTLED", 0.0)
    desk = Desk(tmp_path)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=desk.clock, monotonic=desk.clock))
    return desk


@contextlib.asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Reloading]:
    reloading = desk.start()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(task)
            for task in (
                reloading.watch(),
                reloading.redeploy_on_save(),
                reloading.redeploy_on_reload(),
            )
        ]
        yield reloading
        for task in tasks:
            task.cancel()
    reloading.close()


@pytest.fixture
def mark(desk: Desk) -> Path:
    desk.mark = desk.save("secrets.mark")
    return desk.mark


# --- jobs ---------------------------------------------------------------------------------------


async def test_a_save_replaces_the_standbys_of_those_who_read_it_and_is_said_once_loaded(
    desk: Desk,
) -> None:
    async with running(desk) as reloading:
        desk.tell(desk.save("jobs/a.py"))
        assert await desk.event() == [SourcesChanged(frozenset({"a"}))]
        assert desk.board.lines == []
        reloading.ready("a")
        reloading.ready("a")
        reloading.ready("b")
    assert desk.board.lines == ["Reloaded a in 0ms"]


async def test_who_is_loaded_again_first_says_whether_others_follow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []
    reloading = desk.start()
    monkeypatch.setattr(
        "devbridge.daemon.reloading.Narrator.tell",
        lambda _, event: told.append((event.job, event.more)),
    )
    for job in ("a", "b"):
        desk.save(f"jobs/{job}.py")
    reloading.look(["a", "b"])
    reloading.ready("b")
    reloading.ready("a")
    assert told == [("b", True), ("a", False)]


async def test_the_time_of_a_reload_counts_from_the_first_of_several_saves(
    desk: Desk,
) -> None:
    reloading = desk.start()
    for _ in range(2):
        desk.clock.advance(2)
        desk.save("jobs/a.py")
        reloading.look(["a"])
    desk.clock.advance(3)
    reloading.ready("a")
    assert desk.board.lines == ["Reloaded a in 5.00s"]


async def test_a_run_that_is_asked_for_finds_a_save_that_nobody_has_told_of(desk: Desk) -> None:
    reloading = desk.start()
    desk.save("jobs/a.py")
    assert reloading.look(["b"]) == []
    assert reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]
    assert desk.posted == [], "who asks decides with it"


async def test_a_worker_of_a_file_that_was_saved_since_is_out_of_date(desk: Desk) -> None:
    reloading = desk.start()
    started = desk.now + 1
    desk.files["a"] = desk.save("jobs/other.py")
    assert desk.imported("a", at=started)
    reloading.renew("a")
    assert desk.posted == [SourcesChanged(frozenset({"a"}))]
    assert reloading.launched("a"), "the next one records what it reads"


async def test_what_a_worker_has_not_recorded_is_what_the_one_before_it_has_read(
    desk: Desk,
) -> None:
    reloading = desk.start()
    modules = Modules(frozenset({desk.save("lib/other.py")}), (), recorded=False)
    assert not reloading.imported("a", modules, desk.now + 1)
    desk.save("jobs/a.py")
    assert reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]


async def test_a_job_that_was_broken_is_said_to_be_loaded_again_though_nothing_was_saved(
    desk: Desk,
) -> None:
    reloading = desk.start()
    reloading.broke("a")
    reloading.launched("a")
    reloading.ready("a")
    assert desk.board.lines == ["Reloaded a in 0ms"]
    reloading.launched("a")
    reloading.ready("a")
    assert len(desk.board.lines) == 1


async def test_any_file_may_mend_a_broken_job(desk: Desk) -> None:
    async with running(desk) as reloading:
        reloading.broke("a")
        desk.tell(desk.save("lib/new.py"))
        assert await desk.event() == [SourcesChanged(frozenset({"a"}))]


async def test_installed_packages_are_imported_anew_once_they_have_settled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INSTALLED", 0.001)
    package = desk.save("venv/site-packages/acme/__init__.py")
    async with running(desk):
        desk.imported("a", package)
        desk.imported("b", package)
        desk.tell(desk.save("venv/site-packages/acme/__init__.py"))
        assert await desk.event() == [SourcesChanged(frozenset({"a", "b"}))]


async def test_a_run_does_not_wait_for_packages_to_settle_and_a_closed_reload_does_not_either(
    desk: Desk,
) -> None:
    package = desk.save("venv/site-packages/acme/__init__.py")
    async with running(desk) as reloading:
        desk.imported("a", package)
        desk.tell(desk.save("venv/site-packages/acme/__init__.py"))
        async with asyncio.timeout(DEADLINE):
            while reloading._settled is None:  # noqa: ASYNC110 - each turn of the loop
                await asyncio.sleep(0)
        assert reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]
    assert reloading._settled is not None
    assert reloading._settled.cancelled()


async def test_what_an_import_reads_and_somebody_changes_again_and_again_is_said(
    desk: Desk,
) -> None:
    reloading = desk.start()
    desk.files["a"] = desk.save("cache.json")
    desk.imported("a")
    for _ in range(10):
        desk.save("cache.json")
        reloading.look(["a"])
    (line,) = desk.board.lines
    assert line.startswith("Notice  a: ")
    assert "cache.json, which its import reads, changes again and again" in line


async def test_a_new_value_of_a_secret_replaces_the_workers_of_those_who_bind_one(
    desk: Desk, mark: Path
) -> None:
    desk.jobs = Jobs([job("a", environment=SECRET), job("b")])
    reloading = desk.start()
    desk.save("secrets.mark")
    assert reloading.look(["a", "b"]) == [SourcesChanged(frozenset({"a"}))]


async def test_without_watches_hot_reload_is_off_and_all_else_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(self: object) -> AsyncIterator[frozenset[Path]]:
        raise OSError("no space left on device")
        yield frozenset()

    monkeypatch.setattr(Watcher, "bursts", none)
    async with running(desk) as reloading:
        assert await desk.said(1) == ["hot reload is off: no space left on device"]
        desk.save("jobs/a.py")
        assert reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]


# --- --rerun-on-save ----------------------------------------------------------------------------


async def test_with_rerun_a_save_ends_the_last_run_once_it_was_loaded(
    desk: Desk,
) -> None:
    desk.runs = LastRuns()
    reloading = desk.start()
    desk.save("jobs/a.py")
    assert reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]
    assert (desk.runs.saved_, desk.runs.again) == ({"a"}, [])
    reloading.ready("a")
    assert desk.runs.again == ["a"]
    assert await desk.event() == [CancelRequested("last of a")]


async def test_what_ends_may_be_run_again_while_the_stage_is_ours(desk: Desk) -> None:
    desk.runs = LastRuns()
    reloading = desk.start()
    reloading.ended("a", "a1")
    desk.ours = False
    reloading.ended("a", "a2")
    desk.ours = True
    reloading.leave()
    reloading.ended("a", "a3")
    assert desk.runs.ended_ == ["a1"]


async def test_a_job_that_is_gone_is_not_run_again(desk: Desk) -> None:
    desk.runs = LastRuns()
    async with running(desk):
        desk.tell(desk.save("app.py"))
        await desk.deployed()
        desk.redeploys.answers.put_nowait(desk.deployment(Jobs([job("b")])))
        await desk.event()
    assert desk.runs.forgotten == {"a"}


# --- the app ------------------------------------------------------------------------------------


async def test_a_save_of_the_app_deploys_it_and_hands_the_new_jobs_on(desk: Desk) -> None:
    async with running(desk):
        desk.tell(desk.save("app.py"))
        await desk.deployed()
        jobs = Jobs([job("b"), job("c")])
        desk.redeploys.answers.put_nowait(desk.deployment(jobs))
        assert await desk.event() == [JobsChanged(jobs)]
        desk.tell(desk.save("jobs/a.py"), desk.save("jobs/b.py"))
        assert await desk.event() == [SourcesChanged(frozenset({"b"}))], "a is gone"


async def test_saves_while_a_deployment_goes_on_are_one_more_deployment(desk: Desk) -> None:
    async with running(desk):
        desk.tell(desk.save("app.py"))
        await desk.deployed()
        for _ in range(3):
            desk.tell(desk.save("app.py"))
        async with asyncio.timeout(DEADLINE):
            while not cast(Watcher, desk.reloading._watcher).told.empty():  # noqa: ASYNC110
                await asyncio.sleep(0)
        desk.redeploys.answers.put_nowait(desk.deployment())
        assert await desk.event() == [JobsChanged(desk.jobs)]
        await desk.deployed()
        desk.redeploys.answers.put_nowait(desk.deployment())
        assert await desk.event() == [JobsChanged(desk.jobs)]
    assert desk.redeploys.calls.empty()


async def test_an_app_that_cannot_be_deployed_is_said_once_and_any_file_may_mend_it(
    desk: Desk,
) -> None:
    async with running(desk):
        broken = AppError("app.py does not parse")
        for error in (broken, broken, OSError("cannot be read")):
            desk.tell(desk.save("lib/anything.py" if desk.board.lines else "app.py"))
            await desk.deployed()
            desk.redeploys.answers.put_nowait(error)
            await desk.said(1)
        assert await desk.said(2) == [
            "Error  app.py does not parse",
            "Error  cannot be read",
        ]
        desk.tell(desk.save("lib/data.csv"))
        await desk.deployed()
        desk.redeploys.answers.put_nowait(desk.deployment())
        assert await desk.event() == [JobsChanged(desk.jobs)]
        desk.tell(desk.save("lib/anything.py"))  # is of no interest any more
        desk.tell(desk.save("app.py"))
        await desk.deployed()
        desk.redeploys.answers.put_nowait(broken)
        assert len(await desk.said(3)) == 3, "what was mended and breaks again is said again"


async def test_an_app_that_was_deployed_in_part_is_tried_again_with_any_save(desk: Desk) -> None:
    desk.whole = False
    async with running(desk):
        desk.tell(desk.save("lib/anything.py"))
        await desk.deployed()
        desk.redeploys.answers.put_nowait(desk.deployment(whole=False))
        await desk.event()
        desk.tell(desk.save("lib/anything.py"))
        await desk.deployed()


async def test_what_waits_for_an_answer_is_deployed_again_when_it_is_given(desk: Desk) -> None:
    async with running(desk):
        desk.tell(desk.save("app.py"))
        again = await desk.deployed()
        desk.redeploys.answers.put_nowait(desk.deployment())
        await desk.event()
        again()
        await desk.deployed()


async def test_a_stage_that_a_newer_daemon_has_is_not_deployed(desk: Desk) -> None:
    async with running(desk):
        desk.ours = False
        desk.tell(desk.save("app.py"))
        desk.tell(desk.save("jobs/a.py"))
        await desk.event()
        desk.ours = True
        desk.tell(desk.save("app.py"))
        await desk.deployed()
    assert desk.redeploys.calls.empty()


async def test_after_a_reload_it_is_asked_whether_callers_must_be_deployed_again(
    desk: Desk,
) -> None:
    async with running(desk) as reloading:
        desk.redeploys.stale = True
        desk.save("jobs/a.py")
        reloading.look(["a"])
        reloading.ready("a")
        await desk.deployed()


async def test_when_nobody_can_tell_whether_callers_are_outdated_that_is_said(desk: Desk) -> None:
    async with running(desk) as reloading:
        for error, lines in ((AppError("no interpreter"), 2), (False, 3)):
            desk.redeploys.stale = error
            desk.redeploys.asked.clear()
            desk.save("jobs/a.py")
            reloading.look(["a"])
            reloading.ready("a")
            await asyncio.wait_for(desk.redeploys.asked.wait(), DEADLINE)
            await desk.said(lines)
    assert [line for line in desk.board.lines if "Reloaded" not in line] == [
        "Error  no interpreter"
    ]
    assert desk.redeploys.calls.empty()


async def test_what_is_read_is_watched(desk: Desk) -> None:
    async with running(desk) as reloading:
        watcher = cast(Watcher, reloading._watcher)
        assert watcher.directories == {desk.root, desk.root / "jobs"}
        desk.files["a"] = desk.save("lib/other.py")
        desk.imported("a")
        assert desk.root / "lib" in watcher.directories


# --- live functions -----------------------------------------------------------------------------


@pytest.fixture
def live(desk: Desk) -> Desk:
    """The app has a live function, whose file is that of job a."""
    desk.functions = {"api": function()}
    desk.files["api()"] = desk.files["a"]
    reloading = desk.start()
    assert reloading.launched("api()")
    assert not desk.imported("api()")
    return desk


async def test_a_save_of_what_a_function_has_read_is_told_its_pool(live: Desk) -> None:
    live.save("jobs/a.py")
    assert live.reloading.look(["a"]) == [SourcesChanged(frozenset({"a"}))]
    assert live.pool.saved_ == [frozenset({"api()"})]
    live.reloading.ready("a")
    live.reloading.ready("api()")
    assert live.board.lines[-1].startswith("Reloaded api in")
    reloaded = [event for event in live.told if isinstance(event, Reloaded)]
    assert [(each.job, each.function) for each in reloaded] == [("a", False), ("api", True)]


async def test_a_function_is_looked_at_when_it_is_about_to_be_called(live: Desk) -> None:
    live.reloading.look_at("api()")
    assert (live.posted, live.pool.saved_) == ([], [])
    live.save("jobs/a.py")
    live.reloading.look_at("api()")
    assert live.posted == [SourcesChanged(frozenset({"a"}))]
    assert live.pool.saved_ == [frozenset({"api()"})]


async def test_a_function_whose_workers_are_of_no_use_is_renewed(live: Desk) -> None:
    live.reloading.renew("api()")
    assert (live.posted, live.pool.saved_) == ([], [frozenset({"api()"})])


async def test_all_are_renewed_when_workers_are_to_be_started_otherwise(live: Desk) -> None:
    live.reloading.renew_all()
    assert live.posted == [SourcesChanged(frozenset({"a", "b"}))]
    assert live.pool.saved_ == [frozenset({"api()"})]


async def test_it_is_known_whose_stand_in_is_older_than_what_was_saved(live: Desk) -> None:
    live.functions = {name: function(name, stands_in=name == "api") for name in ("api", "alone")}
    live.reloading._deployed(live.deployment())
    live.reloading.launched("alone()")
    assert live.reloading.undeployed == []
    live.reloading._saved(frozenset({"api()", "alone()"}))
    assert live.reloading.undeployed == ["api"]
    live.ours = False
    assert live.reloading.undeployed == [], "the newer daemon has deployed it"
    live.ours = True
    before, after = (replace(live.deployment(), loaded=live.clock() + s) for s in (-1, 1))
    live.reloading._deployed(before)
    assert live.reloading.undeployed == ["api"], "it was loaded before the save"
    live.reloading._deployed(after)
    assert live.reloading.undeployed == []


async def test_a_broken_function_is_mended_by_its_file(live: Desk) -> None:
    live.functions["api"] = function(handler="api/start.handler")
    live.reloading.broke("api()")
    live.save("api/start.py")
    live.reloading.look_at("api()")
    assert live.pool.saved_ == [frozenset({"api()"})]


async def test_a_deployment_tells_which_functions_there_are(live: Desk) -> None:
    live.functions = {}
    live.reloading._deployed(live.deployment())
    assert live.pool.adopted == [{}]
