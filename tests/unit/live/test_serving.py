from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from devbridge.daemon.life import Task, live
from devbridge.deploy import Deployed
from devbridge.errors import EXIT_INTERRUPTED, CloudError
from devbridge.live import serving as module
from devbridge.live.broken import Broken
from devbridge.live.compose import Composed
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.redeployer import Good
from devbridge.live.serving import serve
from devbridge.live.unloaded import Unloaded

from .desk import SPEC, Desk, desk_in

DEADLINE = 30.0
NOTHING: Any = None


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_in(tmp_path, monkeypatch)


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

    async def is_interrupted_when_it_shows(self, *texts: str) -> None:
        task = self()
        self.daemon.ready.set()
        for text in texts:
            await self.shows(text)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(task, DEADLINE)

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
    await serving.is_interrupted_when_it_shows("MainUrl      http://x\nReady in ", "s: a.\n")


async def test_so_it_does_of_functions_that_are_live(serving: Serving) -> None:
    serving.good = replace(
        serving.good, deployed=replace(serving.good.deployed, functions={"b": Mock(), "c": Mock()})
    )
    serving.daemon.broken = ["c"]
    await serving.is_interrupted_when_it_shows("s: a, b. Broken: c.\n")


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
    await serving.is_interrupted_when_it_shows("Ready in ")
    assert ("older than your last saves: api-start;" in serving.screen.read_text()) == said


async def test_jobs_that_cannot_be_loaded_are_not_ready(serving: Serving) -> None:
    serving.daemon.broken = ["a"]
    serving.deployer.unloaded("a", lambda: pytest.fail("the daemon has said it"))
    await serving.is_interrupted_when_it_shows("s. Broken: a.\n")


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
    await serving.is_interrupted_when_it_shows("Ready in ")
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
    await serving.is_interrupted_when_it_shows(said, "Ready in ")
    assert console.closed is (console.error is None)
