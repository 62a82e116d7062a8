"""A daemon with everything real below it, in this process: ledger, watcher, workers. Runs are asked
for in Python, so a case takes milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import textwrap
import time
import venv
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from devbridge.daemon.daemon import Daemon
from devbridge.daemon.environment import worker_environment
from devbridge.daemon.jobs import Deployment, Jobs, Redeploys
from devbridge.daemon.keeper import Keeper, keep
from devbridge.daemon.log_files import MAX_LOG
from devbridge.daemon.log_listener import LogListener
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.settings import Connection, Settings, Workshop
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.protocol import codec
from devbridge.protocol.messages import Presence, Topics
from devbridge.runs.base import RunRecord
from devbridge.runs.model import JobSpec
from devbridge.testing import MemoryBroker, MemoryObjects, MemoryTransport
from devbridge.workers.base import FreshLauncher, Launcher

DEADLINE = 30.0
T = TypeVar("T")


def job(name: str, handler: str, **options: Any) -> JobSpec:
    given: dict[str, Any] = {"environment": {}, **options}
    return JobSpec(name, handler, 60, 3072, "arn:aws:iam::1:role/job", **given)


class App:
    """An app's folder, and an environment of its own whose packages can be changed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "app"
        self.root.mkdir()
        self.outside = folder
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        (self.site,) = (folder / "venv" / "lib").glob("python*/site-packages")

    def write(self, path: str | Path, text: str) -> Path:
        """Write a file below the app's folder, or wherever `path` is, as an editor does."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_text(textwrap.dedent(text))
        draft.replace(file)
        return file


async def _eventually(condition: Callable[[], T | None]) -> T:
    async with asyncio.timeout(DEADLINE):
        while (found := condition()) is None:  # noqa: ASYNC110 - of files that others write
            await asyncio.sleep(0.002)
    return found


class Live:
    """A daemon that runs."""

    def __init__(self, daemon: Daemon, ledger: Keeper, screen: Path) -> None:
        self.daemon = daemon
        self._ledger = ledger
        self._screen = screen

    async def ready(self) -> None:
        await asyncio.wait_for(self.daemon.wait_until_ready(), DEADLINE)

    def start(self, name: str, payload: bytes = b"1") -> str:
        return self.daemon.submit(name, payload)

    async def end(self, job_id: str) -> RunRecord:
        def ended() -> RunRecord | None:
            entry = self._ledger.get(job_id)
            return entry if entry is not None and entry.state.final else None

        return await _eventually(ended)

    async def gone(self, job_id: str) -> None:
        """Return when the run's process has ended, too."""
        await _eventually(lambda: ((each := self._ledger.get(job_id)) and each.closed) or None)

    async def run(self, name: str, payload: bytes = b"1") -> RunRecord:
        return await self.end(self.start(name, payload))

    async def result(self, name: str, payload: bytes = b"1") -> str:
        """What a run returns, as JSON; or its error, as one line."""
        entry = await self.run(name, payload)
        if entry.failure is not None:
            return f"{entry.failure.type}: {entry.failure.message}"
        return (entry.result or b"").decode()

    async def standby(self, name: str) -> None:
        """Return when a worker of the job has loaded it and waits."""
        supervisor = self.daemon._supervisor
        jobs, workers = supervisor._jobs, supervisor._standbys.workers
        await _eventually(lambda: any(workers[w].ready for w in jobs[name].waiting) or None)

    async def exists(self, file: Path) -> None:
        await _eventually(lambda: file.exists() or None)

    def said(self) -> str:
        return self._screen.read_text()

    @property
    def mark(self) -> int:
        return len(self.said())

    async def line(self, pattern: str, after: int = 0) -> re.Match[str]:
        return await _eventually(lambda: re.search(pattern, self.said()[after:], re.MULTILINE))


def launcher(kind: str, app: App) -> Launcher:
    own = ("AWS_", "DEVBRIDGE_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return FreshLauncher() if kind == "fresh" else ZygoteLauncher(app.python, environment)


class NoRedeployment:
    """The app stays as it is."""

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        raise NotImplementedError

    async def outdated(self) -> bool:
        return False


@contextlib.asynccontextmanager
async def live(
    app: App,
    kind: str,
    *jobs: JobSpec,
    redeploys: Redeploys | None = None,
    app_files: Iterable[Path] = (),
    **settings: Any,
) -> AsyncIterator[Live]:
    """A daemon with these jobs, from its start to its end; `kind`: "fresh" or "zygote"."""
    state = app.outside / "state"
    state.mkdir(exist_ok=True)
    ledger, _ = keep(state / "ledger.sqlite")
    screen = state / "screen"
    descriptor = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    terminal = Terminal(descriptor, colour=False)
    narrator = Narrator(when_drained=terminal.when_drained)
    narrator.add(LogListener(state / "logs", MAX_LOG, narrator.tell))
    narrator.add(TerminalListener(terminal, app.root, state / "logs"))
    broker = MemoryBroker()
    daemon = Daemon(
        Settings(
            root=app.root,
            python=app.python,
            logs=state / "logs",
            **{"concurrency": 4, "grace": 1.0, **settings},
        ),
        Deployment(Jobs(jobs), frozenset(app_files)),
        redeploys=redeploys or NoRedeployment(),
        connection=Connection(
            Topics("app", "stage"),
            Presence(
                online=True,
                daemon_id=codec.new_id(),
                host="here",
                user="me",
                pid=os.getpid(),
                since=time.time(),
                session_expiry=60,
            ),
            lambda client_id, clean: MemoryTransport(broker, client_id, clean=clean),
        ),
        workshop=Workshop(
            launcher(kind, app),
            lambda spec, address: worker_environment(
                os.environ, spec, address, root=app.root, region="eu-west-1"
            ),
            objects=MemoryObjects(),
        ),
        ledger=ledger,
        narrator=narrator,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(daemon.run(stop))
    one = Live(daemon, ledger, screen)
    try:
        await one.ready()
        yield one
    finally:
        stop.set()
        await asyncio.wait_for(running, DEADLINE)
        terminal.close()
        os.close(descriptor)
