"""When a worker is a fork, and when it is a fresh process: over zygotes that are made up."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import InterpreterError
from devbridge.languages.python import zygote as module
from devbridge.languages.python.preload import SDK
from devbridge.languages.python.zygote import MAX_UNSAFE, ZygoteLauncher
from devbridge.languages.python.zygote_process import ZygoteEnded
from devbridge.runs.model import Exit
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules
from runner.warm import PREFIX as DATA

PYTHON = Path("/venv/bin/python")
SHARED = {"PATH": "/bin", "HOME": "/home/ada", "LANG": "C.UTF-8"}


class FakeProcess:
    def __init__(self, made_by: str) -> None:
        self.pid = 1
        self.made_by = made_by

    async def wait(self) -> Exit:
        return Exit(code=0)

    def signal_group(self, number: signal.Signals) -> None: ...


class World:
    """What a zygote would find: modules that cannot be imported, or leave threads running."""

    def __init__(self) -> None:
        self.zygotes: list[FakeZygote] = []
        self.missing: dict[str, str] = {}
        self.unsafe: set[str] = set()
        self.site = False
        self.error: Exception | None = None
        self.fresh: list[str] = []
        self.said: list[str] = []
        self.details: list[str] = []

    def make(
        self, python: Path, environment: Mapping[str, str], loaded: int, root: Path
    ) -> FakeZygote:
        if self.error is not None:
            raise self.error
        self.zygotes.append(FakeZygote(self, loaded))
        return self.zygotes[-1]

    async def launch(self, spec: WorkerSpec, output_fd: int) -> FakeProcess:
        self.fresh.append(spec.worker_id)
        return FakeProcess("fresh")


class FakeZygote:
    def __init__(self, world: World, loaded: int) -> None:
        self.world = world
        self.loaded = loaded
        self.pid = 101 + len(world.zygotes)
        self.names: list[str] = []
        self.failed: dict[str, str] = {}
        self.site = world.site
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.retired = False
        self.closed = False

    async def preload(self, names: Iterable[str], debugger: Path | None = None) -> str | None:
        self.debugger = debugger
        self.names = list(names)
        self.failed = {n: why for n, why in self.world.missing.items() if n in self.names}
        return next((name for name in self.names if name in self.world.unsafe), None)

    async def fork(self, spec: WorkerSpec, output_fd: int) -> FakeProcess:
        if self.ended.done():
            raise ZygoteEnded("it has ended")
        return FakeProcess(f"zygote {self.pid}")

    def retire(self) -> None:
        self.retired = True

    async def close(self) -> None:
        self.closed = True
        self.end()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(module, "Zygote", made.make)
    return made


@pytest.fixture
async def launcher(world: World, tmp_path: Path) -> AsyncIterator[ZygoteLauncher]:
    made = ZygoteLauncher(
        PYTHON,
        SHARED,
        root=tmp_path,
        say=world.said.append,
        details=world.details.append,
        record=tmp_path / "fresh.json",
    )
    made._fresh.launch = world.launch  # type: ignore[method-assign]
    yield made
    await made.close()


def spec(environment: Mapping[str, str] = SHARED, **given: Any) -> WorkerSpec:
    return WorkerSpec(
        "w1", Path("/app"), "jobs/a.handler", given.pop("python", PYTHON), environment, job="a"
    )


async def made_by(launcher: ZygoteLauncher, one: WorkerSpec) -> str:
    process = await launcher.launch(one, 1)
    assert isinstance(process, FakeProcess)
    return process.made_by


def modules(*third_party: str, zygote: int | None = 101, **known: Any) -> Modules:
    return Modules(frozenset(), third_party, zygote=zygote, **known)


# --- fork or fresh ------------------------------------------------------------------------------


async def test_workers_are_forks_of_one_zygote(launcher: ZygoteLauncher, world: World) -> None:
    assert launcher.pid is None
    assert [await made_by(launcher, spec()) for _ in range(3)] == ["zygote 101"] * 3
    assert launcher.pid == 101
    assert len(world.zygotes) == 1


@pytest.mark.parametrize("folder", [None, Path("/lib/debugpy")])
async def test_the_zygote_has_debugpy_where_workers_are_open_to_debuggers(
    world: World, folder: Path | None
) -> None:
    launcher = ZygoteLauncher(PYTHON, SHARED, debugger=folder)
    await launcher.launch(spec(), 1)
    assert [zygote.debugger for zygote in world.zygotes] == [folder]
    await launcher.close()


async def test_several_at_once_wait_for_the_same_zygote(
    launcher: ZygoteLauncher, world: World
) -> None:
    await asyncio.gather(*(launcher.launch(spec(), 1) for _ in range(5)))
    assert len(world.zygotes) == 1


async def test_another_interpreter_is_started_fresh(launcher: ZygoteLauncher) -> None:
    assert await made_by(launcher, spec(python=Path("/usr/bin/python3"))) == "fresh"


@pytest.mark.parametrize(
    "name",
    ["PYTHONHASHSEED", "HOME", "LD_PRELOAD", "MALLOC_ARENA_MAX", "LANG", "LC_ALL", "SSL_CERT_DIR"],
)
async def test_what_an_interpreter_reads_when_it_starts_asks_for_a_fresh_one(
    launcher: ZygoteLauncher, name: str
) -> None:
    assert await made_by(launcher, spec({**SHARED, name: "other"})) == "fresh"


@pytest.mark.parametrize(
    "name", ["AWS_REGION", "DEVBRIDGE_Job_name_a", "LAMBDA_X", "_HANDLER", "TZ"]
)
async def test_what_only_the_app_reads_does_not(
    launcher: ZygoteLauncher, world: World, name: str
) -> None:
    world.site = True
    assert await made_by(launcher, spec({**SHARED, name: "other"})) == "zygote 101"


@pytest.mark.parametrize(("site", "maker"), [(False, "zygote 101"), (True, "fresh")])
async def test_where_the_site_runs_code_any_variable_of_the_app_may_matter(
    launcher: ZygoteLauncher, world: World, site: bool, maker: str
) -> None:
    world.site = site
    assert await made_by(launcher, spec({**SHARED, "MY_SETTING": "1"})) == maker


async def test_a_zygote_that_cannot_be_started_is_done_without(
    launcher: ZygoteLauncher, world: World
) -> None:
    world.error = InterpreterError("it does not start")
    assert await made_by(launcher, spec()) == "fresh"
    world.error = None
    assert await made_by(launcher, spec()) == "zygote 101"


async def test_a_zygote_that_has_ended_is_replaced(launcher: ZygoteLauncher, world: World) -> None:
    await launcher.launch(spec(), 1)
    world.zygotes[0].end()
    assert await made_by(launcher, spec()) == "zygote 102"


async def test_one_that_ends_at_that_moment_is_done_without(
    launcher: ZygoteLauncher, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await launcher.launch(spec(), 1)

    async def gone(spec: WorkerSpec, output_fd: int) -> FakeProcess:
        raise ZygoteEnded("it cannot fork")

    monkeypatch.setattr(world.zygotes[0], "fork", gone)
    assert await made_by(launcher, spec()) == "fresh"


# --- preloading ---------------------------------------------------------------------------------


async def test_more_names_are_for_a_new_zygote_and_the_old_one_goes(
    launcher: ZygoteLauncher, world: World
) -> None:
    await launcher.preload(["numpy"])
    await launcher.preload(["numpy"])
    assert len(world.zygotes) == 1
    await launcher.preload(["pandas", "numpy"])
    assert [zygote.names for zygote in world.zygotes] == [["numpy"], ["numpy", "pandas"]]
    assert [zygote.retired for zygote in world.zygotes] == [True, False]
    assert launcher.pid == 102


async def test_a_module_that_leaves_a_thread_running_is_left_out_and_named(
    launcher: ZygoteLauncher, world: World
) -> None:
    world.unsafe = {"threads"}
    await launcher.preload(["threads", "threads.more", "numpy"])
    assert launcher.unsafe == ("threads",)
    assert world.zygotes[0].closed
    assert world.zygotes[-1].names == ["numpy"]
    assert world.said == ["not preloaded: threads: its import leaves a thread running"]


async def test_after_many_such_modules_nothing_is_preloaded(
    launcher: ZygoteLauncher, world: World
) -> None:
    names = [f"threads{number}" for number in range(MAX_UNSAFE + 2)]
    world.unsafe = set(names)
    await launcher.preload([*names, "numpy"])
    assert len(launcher.unsafe) == MAX_UNSAFE
    assert world.zygotes[-1].names == []


async def test_what_cannot_be_imported_is_said_once_the_sdk_only_to_who_wants_to_know(
    launcher: ZygoteLauncher, world: World
) -> None:
    world.missing = {"nothing": "no such module", SDK: "not installed"}
    await launcher.preload(["nothing", SDK])
    await launcher.preload(["numpy"])
    assert world.said == ["not preloaded: nothing: no such module"]
    assert world.details == [f"not preloaded: {SDK}: not installed"]


async def test_nothing_is_preloaded_where_no_zygote_starts(
    launcher: ZygoteLauncher, world: World
) -> None:
    world.error = InterpreterError("it does not start")
    await launcher.preload(["numpy"])
    assert launcher.pid is None


# --- what workers report ------------------------------------------------------------------------


async def test_a_job_that_was_not_as_it_would_be_alone_gets_fresh_interpreters(
    launcher: ZygoteLauncher, world: World, tmp_path: Path
) -> None:
    await launcher.launch(spec(), 1)
    assert launcher.reported("a", modules(problem="it changes json"))
    assert not launcher.reported("a", modules(problem="it changes json"))
    assert launcher.distrusted == {"a": "it changes json"}
    assert json.loads((tmp_path / "fresh.json").read_text()) == {"a": "it changes json"}
    assert world.details == ["a gets a fresh interpreter for each run: it changes json"]
    assert await made_by(launcher, spec()) == "fresh"


async def test_it_is_tried_with_a_fork_again_when_it_imports_something_else(
    launcher: ZygoteLauncher, tmp_path: Path
) -> None:
    await launcher.launch(spec(), 1)
    launcher.reported("a", modules(problem="it changes json"))
    launcher.reported("a", modules("one", zygote=None))
    launcher.reported("a", modules("one", zygote=None))
    assert launcher.distrusted
    assert not launcher.reported("a", modules("two", zygote=None))
    assert not launcher.distrusted
    assert json.loads((tmp_path / "fresh.json").read_text()) == {}
    assert await made_by(launcher, spec()) == "zygote 101"


async def test_an_installed_file_that_has_changed_renews_the_zygote(
    launcher: ZygoteLauncher, world: World
) -> None:
    await launcher.launch(spec(), 1)
    assert not launcher.reported("a", modules(stale="/site/numpy/core.py"))
    await launcher.settled()
    assert launcher.pid == 102
    assert world.said == ["/site/numpy/core.py has changed: what is preloaded is imported again"]
    launcher.reported("a", modules(stale="/site/numpy/core.py"))  # of the old zygote
    await launcher.settled()
    assert launcher.pid == 102


async def test_what_can_be_imported_now_renews_it_too(
    launcher: ZygoteLauncher, world: World
) -> None:
    world.missing = {"numpy": "no such module"}
    await launcher.preload(["numpy"])
    world.missing = {}
    launcher.reported("a", modules("numpy"))
    await launcher.settled()
    assert launcher.pid == 102
    assert world.zygotes[-1].failed == {}


async def test_the_sdk_and_its_data_are_preloaded_once_a_job_imports_them(
    launcher: ZygoteLauncher, world: World
) -> None:
    await launcher.launch(spec(), 1)
    launcher.reported("a", modules("six", "botocore", f"{DATA}s3"))
    await launcher.settled()
    assert world.zygotes[-1].names == [SDK, f"{DATA}s3"]
    launcher.reported("a", modules("botocore", zygote=102))
    await launcher.settled()
    assert len(world.zygotes) == 2


async def test_a_job_with_fresh_interpreters_preloads_nothing(
    launcher: ZygoteLauncher, world: World
) -> None:
    await launcher.launch(spec(), 1)
    launcher.reported("a", modules("botocore", problem="it changes json"))
    await launcher.settled()
    assert len(world.zygotes) == 1


async def test_a_renewal_that_fails_is_said(launcher: ZygoteLauncher, world: World) -> None:
    await launcher.launch(spec(), 1)
    world.error = InterpreterError("it does not start")
    launcher.reported("a", modules(stale="/site/a.py"))
    await launcher.settled()
    assert world.said[-1].startswith("workers start without a zygote: it does not start")


async def test_closing_ends_every_zygote_and_no_new_one_is_made(
    launcher: ZygoteLauncher, world: World
) -> None:
    await launcher.preload(["numpy"])
    await launcher.preload(["pandas"])
    await launcher.close()
    assert all(zygote.closed for zygote in world.zygotes)
    await launcher.preload(["six"])
    assert len(world.zygotes) == 2
