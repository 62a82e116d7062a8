from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from devbridge.config import Config
from devbridge.daemon.life import Task, live
from devbridge.deploy import Deployed
from devbridge.errors import EXIT_INTERRUPTED, AlreadyRunning, CloudError, DevbridgeError
from devbridge.live import develop as module
from devbridge.live.broken import Broken
from devbridge.live.compose import Composed
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.develop import develop, serve
from devbridge.live.ready import CLOUD_STAYS
from devbridge.live.redeployer import Good
from devbridge.live.unloaded import Unloaded
from devbridge.runs.find import is_deployed
from devbridge.runs.lock import only_one
from devbridge.runs.model import JobSpec
from tests.unit.live.voices import Developer

DEADLINE = 30.0
NOTHING: Any = None
SPEC = JobSpec("a", "a.handler", 60, 3072, "arn:aws:iam::1:role/job", {})


class Desk:
    """The steps of `devbridge dev`, of which only the order is real."""

    def __init__(self, root: Path) -> None:
        (root / "app.py").write_text('from devbridge import App\n\napp = App("demo")\n')
        self.root = root
        self.developer = Developer()
        self.steps: list[str] = []
        self.options: dict[str, Any] = {"local": True}
        self.error: DevbridgeError | None = None

    @property
    def config(self) -> Config:
        return Config(root=self.root, python=Path(sys.executable), stage="ann", **self.options)

    def run(self, *, yes: bool = False) -> list[str]:
        develop(self.config, self.developer.voice, yes=yes)
        return self.developer.said

    # --- the steps

    def verify(self, python: Path) -> None:
        assert python == Path(sys.executable)

    @contextlib.contextmanager
    def schemas(self, *_: object, unloaded: object) -> Iterator[Future[dict[str, Any]]]:
        known: Future[dict[str, Any]] = Future()
        known.set_result({"a": {}})
        yield known

    @contextlib.contextmanager
    def embedded_cloud(self, *_: object) -> Iterator[Any]:
        self.steps.append("cloud")
        try:
            yield SimpleNamespace(running=SimpleNamespace(endpoint_url="http://127.0.0.1:1"))
        finally:
            self.steps.append("cloud ends")

    def connect(self, config: Config, endpoint: str | None) -> Any:
        self.steps.append(f"connect {endpoint}")

    def ask_first(self, *_: object, yes: bool) -> None:
        self.steps.append(f"ask yes={yes}")

    def deploy(self, deployer: Deployer, app: Any, schemas: Any) -> Deployed:
        self.steps.append(f"deploy {app.name} {schemas}")
        assert not deployer.consent.running, "it may ask"
        if self.error is not None:
            raise self.error
        return Deployed({}, [SPEC], True)

    async def serve(
        self,
        deployer: Deployer,
        good: Good,
        began: float,
        embedded: object | None,
        on_ready: Callable[[], None],
    ) -> None:
        self.steps.append(f"serve embedded={embedded is not None}")
        assert deployer.consent.running, "nothing may wait for an answer any more"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    monkeypatch.setattr(module, "verify_interpreter", desk.verify)
    monkeypatch.setattr(module, "payload_schemas", desk.schemas)
    monkeypatch.setattr(module, "embedded_cloud", desk.embedded_cloud)
    monkeypatch.setattr(module, "attach", lambda _: None)
    monkeypatch.setattr(module, "connect", desk.connect)
    monkeypatch.setattr(module, "ask_first", desk.ask_first)
    monkeypatch.setattr(module, "serve", desk.serve)

    def deploy(deployer: Deployer, app: Any, schemas: Any) -> Deployed:
        return desk.deploy(deployer, app, schemas)

    monkeypatch.setattr(Deployer, "deploy", deploy)
    return desk


# --- from the first line to the last ------------------------------------------------------------


def test_it_deploys_then_serves_and_ends_the_cloud_that_it_has_started(desk: Desk) -> None:
    said = desk.run()
    assert desk.steps == [
        "cloud",
        "connect http://127.0.0.1:1",
        "ask yes=False",
        "deploy demo {'a': {}}",
        "serve embedded=True",
        "cloud ends",
    ]
    assert said[0].endswith(": app demo, stage ann, on the embedded cloud")
    assert said[1:] == ["Stopped"]
    desk.config.ledger.touch()
    assert not is_deployed(desk.config)


@pytest.mark.parametrize(
    ("options", "endpoint", "where"),
    [
        ({"local": False}, None, "AWS"),
        ({"local": False, "endpoint": "http://x"}, "http://x", "http://x"),
        ({"local": True, "endpoint": "http://x"}, "http://x", "the embedded cloud"),
    ],
)
def test_a_cloud_that_is_there_is_not_started(
    desk: Desk, options: dict[str, Any], endpoint: str | None, where: str
) -> None:
    desk.options = options
    said = desk.run(yes=True)
    assert desk.steps[0] == f"connect {endpoint}"
    assert desk.steps[1] == "ask yes=True"
    assert desk.steps[-1] == "serve embedded=False"
    assert said[0].endswith(f", on {where}")


def test_a_deployment_that_fails_is_not_served_and_leaves_no_cloud_behind(desk: Desk) -> None:
    desk.error = CloudError("no such bucket")
    with pytest.raises(CloudError):
        desk.run()
    assert desk.steps[-1] == "cloud ends"
    assert "Stopped" not in desk.developer.said
    with only_one(desk.config.lock, "ann"):
        pass  # nobody holds the stage


def test_a_stage_that_somebody_else_runs_is_left_alone(desk: Desk) -> None:
    desk.config.make_dirs()
    with (
        only_one(desk.config.lock, "ann"),
        pytest.raises(AlreadyRunning),
    ):
        desk.run()
    assert desk.steps == []


@pytest.mark.parametrize("detached", [True, False])
def test_a_cloud_that_goes_on_is_said_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, detached: bool
) -> None:
    monkeypatch.setattr(module, "attach", lambda _: SimpleNamespace(detached=detached))
    assert (CLOUD_STAYS in desk.run()) == detached


def test_variables_that_the_shell_does_not_have_are_warned_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", "1")
    desk.options["env"] = ("THERE", "NOT_THERE", "GIVEN=1")
    warnings = [line for line in desk.run() if "your shell has no" in line]
    assert len(warnings) == 1
    assert "--env NOT_THERE: your shell has no NOT_THERE" in warnings[0]


def test_with_verbose_all_that_is_logged_meanwhile_goes_to_a_private_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("devbridge.somewhere")

    async def serving(*_: object) -> None:
        log.warning("something is odd")

    monkeypatch.setattr(module, "serve", serving)
    desk.options["verbose"] = True
    path = desk.config.stage_dir / "debug.log"
    assert f"debug log: {path}" in desk.run()
    log.warning("too late")
    text = path.read_text()
    assert "something is odd" in text
    assert "too late" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- while the daemon runs ----------------------------------------------------------------------


class Daemon:
    """A daemon that is ready, and ends, when it is told to."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.killed = False
        self.broken: list[str] = []
        self.undeployed: list[str] = []
        self.act: Task | None = None

    async def wait_until_ready(self) -> None:
        await self.ready.wait()

    def kill(self) -> None:
        self.killed = True

    async def leave(self, error: Exception | None) -> None:
        if self.act is not None:
            await self.act()

    async def run(self, stop: asyncio.Event, beside: Mapping[str, Task]) -> None:
        await live({"stop": stop.wait}, beside, self.leave)


class Serving:
    """`serve`, over that daemon, and what is on the terminal."""

    def __init__(self, desk: Desk, screen: Path) -> None:
        self.daemon = Daemon()
        self.screen = screen
        self.developer = desk.developer
        voice = desk.developer.voice
        app: Any = SimpleNamespace(of_type=lambda _: [])
        self.good = Good(app, {}, Deployed({"MainUrl": "http://x"}, [SPEC], True))
        self.deployer = Deployer(
            desk.config,
            NOTHING,
            voice,
            Consent(NOTHING, voice, yes=False),
            Broken(voice, unloaded := Unloaded()),
            unloaded,
        )
        self.embedded: Any = None

    def __call__(self) -> asyncio.Task[None]:
        return asyncio.create_task(serve(self.deployer, self.good, 0.0, self.embedded))

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while text not in self.screen.read_text():  # noqa: ASYNC110 - a thread writes it
                await asyncio.sleep(0.001)


NO_DEBUGGERS: Any = SimpleNamespace(configurations=[])


@pytest.fixture
async def serving(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Serving]:
    screen = tmp_path / "screen"
    with screen.open("wb", buffering=0) as out:
        monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=out))
        monkeypatch.setattr(module, "serve", serve)
        made = Serving(desk, screen)
        there: Any = made.daemon
        monkeypatch.setattr(module, "compose", lambda *_: Composed(there, {}, NO_DEBUGGERS))
        yield made


async def test_when_all_is_ready_the_terminal_says_what_there_is(serving: Serving) -> None:
    task = serving()
    serving.daemon.ready.set()
    await serving.shows("MainUrl      http://x\nReady in ")
    await serving.shows("s: a.\n")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)


async def test_so_it_does_of_functions_that_are_live(serving: Serving) -> None:
    serving.good = replace(
        serving.good, deployed=replace(serving.good.deployed, functions={"b": Mock(), "c": Mock()})
    )
    serving.daemon.broken = ["c"]
    task = serving()
    serving.daemon.ready.set()
    await serving.shows("s: a, b. Broken: c.\n")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (None, True),
        (SimpleNamespace(detached=True), True),
        (SimpleNamespace(detached=False), False),
    ],
)
async def test_where_older_code_stands_in_from_now_on_that_is_said(
    cloud: Any, said: bool, serving: Serving
) -> None:
    if cloud is not None:
        serving.embedded = SimpleNamespace(failure=lambda: None, running=cloud)
    serving.daemon.undeployed = ["api-start"]
    task = serving()
    serving.daemon.ready.set()
    await serving.shows("Ready in ")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)
    assert ("older than your last saves: api-start;" in serving.screen.read_text()) == said


async def test_jobs_that_cannot_be_loaded_are_not_ready(serving: Serving) -> None:
    serving.daemon.broken = ["a"]
    serving.deployer.unloaded("a", lambda: pytest.fail("the daemon has said it"))
    task = serving()
    serving.daemon.ready.set()
    await serving.shows("s. Broken: a.\n")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)


async def test_the_voice_has_the_terminal_only_while_there_is_one(serving: Serving) -> None:
    task = serving()
    await asyncio.sleep(0)
    voice = serving.developer.voice
    voice("meanwhile")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, DEADLINE)
    voice("afterwards")
    assert serving.screen.read_text() == "meanwhile\n"
    assert serving.developer.said == ["afterwards"]


async def test_a_signal_that_nohup_has_ignored_ends_nothing_and_the_jobs_have_it_as_usual(
    serving: Serving,
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        task = serving()
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        # A handler is not inherited by what is executed, to be ignored would be.
        assert callable(signal.getsignal(signal.SIGHUP))
        serving.daemon.ready.set()
        await serving.shows("s: a.")
        assert not task.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, DEADLINE)
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_second_signal_ends_all_at_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []

    async def is_slow() -> None:
        assert not serving.daemon.killed
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(DEADLINE):
            while not codes:  # noqa: ASYNC110 - a signal
                await asyncio.sleep(0.001)

    monkeypatch.setattr(os, "_exit", codes.append)
    serving.daemon.act = is_slow
    task = serving()
    serving.daemon.ready.set()
    await serving.shows("Ready in ")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)
    assert serving.daemon.killed
    assert codes == [EXIT_INTERRUPTED]
    assert "stopped at once" in serving.screen.read_text()


async def test_without_the_cloud_that_was_started_for_it_the_daemon_ends(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOUD_LOOK", 0.0)
    failures = iter([None, CloudError("the embedded cloud has ended")])
    serving.embedded = SimpleNamespace(failure=lambda: next(failures))
    with pytest.raises(CloudError, match="has ended"):
        await asyncio.wait_for(serving(), DEADLINE)
    assert serving.developer.voice.say == serving.developer.said.append


class Console:
    """Listens, or cannot."""

    link = "http://127.0.0.1:1/?token=t"

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.closed = False

    async def start(self) -> None:
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("console", "said"),
    [
        (Console(), "Console      http://127.0.0.1:1/?token=t\nMainUrl "),
        (Console(OSError(24, "Too many open files")), "there is no console: Too many open files"),
    ],
)
async def test_the_consoles_link_is_a_line_and_one_that_cannot_listen_ends_nothing(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, console: Any, said: str
) -> None:
    there: Any = serving.daemon
    monkeypatch.setattr(module, "compose", lambda *_: Composed(there, {}, NO_DEBUGGERS, console))
    task = serving()
    serving.daemon.ready.set()
    await serving.shows(said)
    await serving.shows("Ready in ")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE)
    assert console.closed is (console.error is None)
