"""Workers forked from a zygote: an interpreter that has the AWS SDK imported already.

Linux only. One zygote serves; when more is to be preloaded, or what was has changed on the disk, a
new one takes over and the old one ends with its last worker. Whatever a fork cannot do (another
interpreter, an environment that only a fresh interpreter reads, a job whose imports change what was
preloaded, a zygote that does not start), a fresh process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.errors import InterpreterError
from devbridge.folders import private_file
from devbridge.languages.python import preload
from devbridge.languages.python.preload import SDK
from devbridge.languages.python.zygote_process import Zygote, ZygoteEnded
from devbridge.runs.model import CodeSpec
from devbridge.workers.base import (
    FreshLauncher,
    Process,
    WorkerSpec,
)
from devbridge.workers.modules import Modules
from runner.warm import PREFIX as DATA

log = logging.getLogger(__name__)

MAX_UNSAFE: Final = 8
"""After so many modules that start threads nothing is preloaded any more."""
_AT_START: Final = (
    *("PYTHON", "HOME", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "LANG", "LC_"),
    *("OPENSSL_", "SSL_"),
)
"""Variables that an interpreter, or a library that it is linked with, reads when it starts."""
_OURS: Final = ("AWS_", "DEVBRIDGE_", "LAMBDA_", "_", "TZ")
"""Variables of the SDK and the runner, which the zygote has not, and the time zone, which a fork
reads anew."""


class ZygoteLauncher:
    """A Launcher whose workers are forks. Use it from one event loop, in a thread that stays."""

    def __init__(
        self,
        python: Path,
        environment: Mapping[str, str],
        *,
        root: Path = Path("/"),
        say: Callable[[str], None] = log.info,
        details: Callable[[str], None] = log.info,
        record: Path | None = None,
        debugger: Path | None = None,
    ) -> None:
        """
        Args:
            environment: what the zygote itself gets: what all jobs have, without credentials.
            root: the app's folder.
            say: takes a line for the developer.
            details: takes a line for a developer who wants to know more.
            record: where to keep, as JSON, which jobs get fresh interpreters, and why.
            debugger: the folder of debugpy, if workers are to be open to debuggers.
        """
        self._python = python
        self._environment = dict(environment)
        self._root = root
        self._say = say
        self._details = details
        self._record = record
        self._debugger = debugger
        self._fresh = FreshLauncher()
        self._current: Zygote | None = None
        self._zygotes: set[Zygote] = set()
        self._names: list[str] = []
        self._unsafe: list[str] = []
        self._told: set[str] = set()
        self._distrusted: dict[str, str] = {}
        self._imports: dict[str, frozenset[str]] = {}
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._keep_record()

    @property
    def unsafe(self) -> tuple[str, ...]:
        """Modules that are not preloaded because importing them leaves threads running."""
        return tuple(self._unsafe)

    @property
    def distrusted(self) -> Mapping[str, str]:
        """The jobs that get fresh interpreters, and why."""
        return dict(self._distrusted)

    @property
    def pid(self) -> int | None:
        """The pid of the zygote that serves now."""
        return self._current.pid if self._current is not None else None

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """Fork a worker, or start one afresh where a fork is not right: see `Launcher.launch`."""
        if (
            spec.python != self._python
            or spec.job in self._distrusted
            or self._differs_at_start(spec.environment)
        ):
            return await self._fresh.launch(spec, output_fd)
        try:
            if self._current is None or self._current.ended.done():
                await self._renew(lambda: self._current is None or self._current.ended.done())
            assert self._current is not None  # noqa: S101 - `_renew` raises otherwise
            if not (self._current.site and self._differs_at_start(spec.environment, site=True)):
                return await self._current.fork(spec, output_fd)
        except (ZygoteEnded, InterpreterError) as error:
            log.warning("starting worker %s without a zygote: %s", spec.worker_id, error)
        return await self._fresh.launch(spec, output_fd)

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """Import the SDK if a handler speaks of it, and `vouched`: see `Launcher.prepare`."""
        await self.preload(preload.names(self._root, [job.handler for job in jobs], vouched))

    async def preload(self, names: Iterable[str]) -> None:
        """Import `names` and what was asked for before in a zygote; returns when it serves.

        Names that cannot be imported, or leave a thread running, are left out, which is said once.
        Running workers are not touched.
        """
        new = [name for name in dict.fromkeys(names) if name not in self._names]
        self._names += new
        if not new and self._current is not None:
            return
        wanted = len(self._names)
        try:
            await self._renew(lambda: self._current is None or self._current.loaded < wanted)
        except (ZygoteEnded, InterpreterError) as error:
            log.warning("nothing can be preloaded: %s", error)

    def reported(self, job: str, modules: Modules) -> bool:
        """A worker of `job` has imported these: see `Launcher.reported`."""
        if modules.problem is not None and job not in self._distrusted:
            self._distrusted[job] = modules.problem
            self._imports.pop(job, None)
            self._keep_record()
            self._details(f"{job} gets a fresh interpreter for each run: {modules.problem}")
            return True
        if modules.zygote is None and job in self._distrusted:
            self._reconsider(job, modules)
        zygote, imported = self._current, modules.third_party
        if zygote is not None and modules.zygote == zygote.pid:
            if modules.stale is not None:
                self._say(f"{modules.stale} has changed: what is preloaded is imported again")
                self._later(self._renew(lambda: self._current is zygote))
            elif not zygote.failed.keys().isdisjoint(imported):  # it can be imported now
                self._later(self._renew(lambda: self._current is zygote))
        if job not in self._distrusted:
            news = [SDK for name in imported if name == "botocore"]
            news += [name for name in imported if name.startswith(DATA)]
            if not set(news) <= set(self._names):
                self._later(self.preload(news))
        return False

    def _reconsider(self, job: str, modules: Modules) -> None:
        """A fresh worker imports something else than it did: it may go well with a fork again."""
        imports = frozenset(modules.third_party)
        if self._imports.setdefault(job, imports) != imports:
            del self._distrusted[job], self._imports[job]
            self._keep_record()

    def _keep_record(self) -> None:
        if self._record is not None:
            with contextlib.suppress(OSError), os.fdopen(private_file(self._record), "w") as file:
                json.dump(self._distrusted, file)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="preload")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def settled(self) -> None:
        """Return when what workers have reported is preloaded."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"workers start without a zygote: {error}")

    async def close(self) -> None:
        """End every zygote, and every worker with it. Idempotent."""
        self._closed = True
        await self.settled()
        async with self._renewing:
            await asyncio.gather(*(zygote.close() for zygote in list(self._zygotes)))
        await self._fresh.close()

    def _differs_at_start(self, environment: Mapping[str, str], *, site: bool = False) -> bool:
        """Of variables that an interpreter reads; with `site`, of all that an app can set."""
        ours, theirs = (
            {
                key: value
                for key, value in one.items()
                if key.startswith(_AT_START) or (site and not key.startswith(_OURS))
            }
            for one in (self._environment, environment)
        )
        return ours != theirs

    async def _renew(self, needed: Callable[[], bool]) -> None:
        async with self._renewing:
            if self._closed or not needed():
                return
            zygote = await self._start()
            old, self._current = self._current, zygote
            if old is not None:
                old.retire()

    async def _start(self) -> Zygote:
        while True:
            loaded = len(self._names)
            names = [name for name in self._names if not self._is_unsafe(name)]
            zygote = Zygote(self._python, self._environment, loaded, self._root)
            self._zygotes.add(zygote)
            zygote.ended.add_done_callback(functools.partial(self._forget, zygote))
            try:
                some = names if len(self._unsafe) < MAX_UNSAFE else []
                unsafe = await zygote.preload(some, self._debugger)
            except BaseException:
                await zygote.close()
                raise
            if unsafe is None:
                for name, why in zygote.failed.items():
                    self._tell(name, f"not preloaded: {name}: {why}")
                return zygote
            self._unsafe.append(unsafe)
            self._tell(unsafe, f"not preloaded: {unsafe}: its import leaves a thread running")
            await zygote.close()

    def _tell(self, name: str, text: str) -> None:
        if name not in self._told:
            self._told.add(name)
            (self._details if name == SDK or name.startswith(DATA) else self._say)(text)

    def _forget(self, zygote: Zygote, _: object) -> None:
        self._zygotes.discard(zygote)

    def _is_unsafe(self, name: str) -> bool:
        return any(name == bad or name.startswith(f"{bad}.") for bad in self._unsafe)
