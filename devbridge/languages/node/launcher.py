"""Workers in Node: each gets a bundle of its job's code as it is now.

On Linux a job that has been launched before has a blank (`devbridge.languages.node.blank`), which
becomes its worker in milliseconds. Whatever a blank cannot be sure to do as a fresh process would
(it has printed, it has begun something, another environment, other packages, a package that was
installed anew), a fresh process does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from devbridge.languages.node.blank import ENDED, OF_ONE_WORKER, Blank, Files, Kit, kit
from devbridge.languages.node.checking import Checks
from devbridge.runs.model import CodeSpec
from devbridge.workers.base import FreshProcess, Process, WorkerSpec
from devbridge.workers.modules import Modules
from devbridge.workers.rlimits import runner_command
from runner import debugging, languages

log = logging.getLogger(__name__)

MAX_BLANKS: Final = 4
"""Blanks at the same time: those of the jobs that were launched last."""
REFILL: Final = 1.0
"""Seconds after a launch in which the worker should have told of its modules: until then the
processor is its own, and there is no new blank."""
REFILL_SOON: Final = 0.05
"""The same after it has told: it waits for its run, and the run may wait for it."""


class Bundle(Protocol):
    """A job's code in one file."""

    @property
    def file(self) -> Path:
        """The bundle, which nobody changes."""

    @property
    def modules(self) -> Path:
        """The body of what the worker posts to ``/devbridge/modules``."""

    @property
    def preload(self) -> tuple[Path, ...]:
        """Files of installed packages that the bundle imports, in the order in which it does."""


class Bundler(Protocol):
    """Makes bundles. It is called in threads."""

    def bundle(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str,
        install: Sequence[str],
    ) -> Bundle:
        """The bundle of a handler's code as it is now.

        Raises:
            DevbridgeError: it cannot be bundled; `failure` has the place.
        """

    def check(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str,
        install: Sequence[str],
    ) -> Sequence[str]:
        """Bundle as `devbridge deploy` does; what is to be warned of.

        Raises:
            DevbridgeError: as `bundle`.
        """

    def close(self) -> None:
        """End what it has started. Idempotent."""


class NodeLauncher:
    """A Launcher of Node's workers. Use it from one event loop, in a thread that stays."""

    def __init__(
        self,
        bundler: Bundler,
        node: Callable[[str], Path],
        *,
        python: Path = Path(sys.executable),
        say: Callable[[str], None] = log.warning,
        details: Callable[[str], None] = log.info,
        blanks: bool = sys.platform == "linux",
    ) -> None:
        """
        Args:
            node: the Node that runs a runtime (``nodejs24.x``), or an error's raise. It is called
                in threads.
            python: what runs the runner until it becomes Node.
            say: takes what is to be said of code, one or more lines.
            details: takes a line for a developer who wants to know more.
            blanks: whether there are any. They need /proc.
        """
        self._bundler = bundler
        self._node = node
        self._python = python
        self._details = details
        self._checks = Checks(lambda spec: bundler.check(spec.root, *_asked(spec)), say)
        self._uses_blanks = blanks
        self._live: set[FreshProcess] = set()
        self._blanks: dict[str, Blank] = {}
        self._wanted: dict[str, tuple[Kit, Bundle, frozenset[str]]] = {}
        """What each job's next blank is to be, the job that was launched last at the end."""
        self._unfit: dict[str, tuple[Kit, Files]] = {}
        """What was no good as a blank: it would not be the next time, either."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def blanks(self) -> Mapping[str, int]:
        """The jobs that have blanks which wait, and their process ids."""
        return {job: blank.process.pid for job, blank in self._blanks.items() if blank.waits}

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """Bundle the job's code, and start a worker of it.

        Raises:
            DevbridgeError: the code cannot be bundled, or there is no Node.
            OSError: the system has no process to give.
        """
        blank = self._blanks.pop(spec.job, None)
        current = asyncio.create_task(asyncio.to_thread(_is_current, blank))
        try:
            bundle, node = await asyncio.to_thread(self._prepare, spec)
        except BaseException:
            if blank is not None:  # the code is mended soon
                self._keep(spec.job, blank)
            raise
        finally:
            is_current = await current
        environment = {
            **spec.environment,
            "DEVBRIDGE_BUNDLE": os.fspath(bundle.file),
            "DEVBRIDGE_MODULES": os.fspath(bundle.modules),
            **({debugging.DEBUGGER: os.fspath(spec.debug)} if spec.debug else {}),
        }
        wanted = kit(self._starter(), node, spec.root, environment, bundle.preload)
        process = None
        if blank is not None:
            process = await self._worker_of(blank, wanted, is_current, environment, output_fd)
        if process is None:
            process = self._fresh(node, spec, environment, output_fd)
        self._checks.later(spec)
        if self._uses_blanks:
            self._wanted.pop(spec.job, None)
            self._wanted[spec.job] = wanted, bundle, OF_ONE_WORKER & environment.keys()
            self._refill_later(spec.job)
        return process

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """Nothing yet: what blanks import is what a bundle says, and the first launch makes it."""

    def reported(self, job: str, modules: Modules) -> bool:  # noqa: ARG002
        """A worker has loaded its handler: now its job's next blank has the processor."""
        if job in self._timers:
            self._refill_later(job, REFILL_SOON)
        return False

    async def settled(self) -> None:
        """Return when all blanks that are to be there wait."""
        for job in list(self._timers):
            self._refill(job)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """End every worker and blank that is left, and the bundler. Idempotent."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._tasks:
            for blank in self._blanks.values():
                blank.end()
            await asyncio.wait(self._tasks)
        for blank in self._blanks.values():
            blank.end()
        self._blanks.clear()
        live = list(self._live)
        for process in live:
            process.signal_group(signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in live))
        await self._checks.close()
        await asyncio.to_thread(self._bundler.close)

    # --- workers ----------------------------------------------------------------------------

    def _prepare(self, spec: WorkerSpec) -> tuple[Bundle, Path]:
        node = self._node(spec.runtime)
        return self._bundler.bundle(spec.root, *_asked(spec)), node

    def _starter(self) -> list[str]:
        # Isolated, and without site-packages: it is Node after some milliseconds.
        return [*runner_command(self._python, "-I", "-S"), "exec"]

    async def _worker_of(
        self,
        blank: Blank,
        wanted: Kit,
        is_current: bool,
        environment: Mapping[str, str],
        output_fd: int,
    ) -> FreshProcess | None:
        """The blank as a worker, if it is one that is as good as a fresh process."""
        became = False
        try:
            if is_current and blank.waits and blank.kit.serves(wanted):
                became = await blank.become(environment, output_fd)
        finally:
            if not became:  # also when nobody waits for it any more
                blank.end()
        return blank.process if became else None

    def _fresh(
        self, node: Path, spec: WorkerSpec, environment: Mapping[str, str], output_fd: int
    ) -> FreshProcess:
        command = languages.node_command(os.fspath(node), "worker.mjs", environment)
        return self._remember(
            FreshProcess(
                subprocess.Popen(
                    [*self._starter(), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output_fd,
                    stderr=output_fd,
                    cwd=spec.root,
                    env=dict(environment),
                    start_new_session=True,
                )
            )
        )

    def _remember(self, process: FreshProcess) -> FreshProcess:
        self._live.add(process)
        process.ended.add_done_callback(lambda _: self._live.discard(process))
        return process

    # --- blanks -----------------------------------------------------------------------------

    def _refill_later(self, job: str, seconds: float = REFILL) -> None:
        if (earlier := self._timers.pop(job, None)) is not None:
            earlier.cancel()
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._timers[job] = loop.call_later(seconds, self._refill, job)

    def _refill(self, job: str) -> None:
        self._timers.pop(job).cancel()
        if job not in self._blanks and not self._closed:
            self._later(self._make(job))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="blank")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("there is no blank: %s", error)

    async def _make(self, job: str) -> None:
        wanted, bundle, later = self._wanted[job]
        if await asyncio.to_thread(self._is_unfit, job, wanted):
            return
        files = await asyncio.to_thread(Files, wanted.preload, bundle.modules)
        if self._closed or job in self._blanks or self._wanted[job][0] != wanted:
            return
        blank = Blank(wanted, files, later)
        self._remember(blank.process)
        self._keep(job, blank)
        why = await blank.settled
        if not why and blank.has_printed:
            why = "its packages print when they are imported"
        if not why or self._blanks.get(job) is not blank:  # it is good, or was not waited for
            return
        del self._blanks[job]
        blank.end()
        if why != ENDED:
            self._unfit[job] = wanted, files
            self._details(f"{job} gets a fresh Node process for each run: {why}")

    def _is_unfit(self, job: str, wanted: Kit) -> bool:
        kit, files = self._unfit.get(job, (None, None))
        return files is not None and kit == wanted and files.are_current()

    def _keep(self, job: str, blank: Blank) -> None:
        """Have it wait for its job; the jobs that were launched longest ago have none then."""
        if self._closed or job in self._blanks:
            blank.end()
            return
        self._blanks[job] = blank
        recent = [each for each in self._wanted if each in self._blanks]
        for each in recent[:-MAX_BLANKS]:
            self._blanks.pop(each).end()


def _asked(spec: WorkerSpec) -> tuple[str, Mapping[str, Any], str, Sequence[str]]:
    """What a bundler is told of a job."""
    build = spec.build
    return spec.handler, build.get("esbuild", {}), spec.runtime, build.get("install", ())


def _is_current(blank: Blank | None) -> bool:
    return blank is not None and blank.files.are_current()
