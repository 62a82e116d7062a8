"""A workbench for worker processes: an app's folder, a Runtime API, and what workers said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from devbridge.daemon.environment import worker_environment
from devbridge.daemon.runtime_api import RuntimeApi
from devbridge.environment import inherited
from devbridge.languages.base import Workplace
from devbridge.languages.debuggers import WorkersDebuggers
from devbridge.runs.model import Exit, JobSpec
from devbridge.workers.base import Launcher, Process, WorkerSpec
from devbridge.workers.debugging import Debugger
from devbridge.workers.modules import Modules
from runner.invocation import Invocation
from runner.outcome import Failure

PYTHON = Path(sys.executable)
DEADLINE = 30.0


def developer() -> dict[str, str]:
    """The environment of a developer who has credentials of his own."""
    return {**os.environ, "AWS_ACCESS_KEY_ID": "AKIADEVELOPER", "AWS_SECRET_ACCESS_KEY": "theirs"}


def workplace(root: Path, say: Callable[[str], None] = print, **changes: Any) -> Workplace:
    """Where the workers of an app are whose folder this is."""
    beside = root.parent
    place = Workplace(
        root=root,
        python=PYTHON,
        environment=inherited(os.environ),
        bundles=beside / "bundles",
        cache=beside / "cache",
        say=say,
        details=say,
        fresh_jobs=beside / "fresh.json",
    )
    return replace(place, **changes)


class Said:
    """A WorkerListener that keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Any]] = []
        self._changed = asyncio.Event()

    def worker_ready(self, worker_id: str) -> None:
        self._add("ready", worker_id, None)

    def worker_modules(self, worker_id: str, modules: Modules) -> None:
        self._add("modules", worker_id, modules)

    def worker_reached(self, worker_id: str, job_id: str, checkpoint: bytes) -> None:
        self._add("reached", worker_id, (job_id, checkpoint))

    def worker_responded(self, worker_id: str, job_id: str, body: bytes) -> None:
        self._add("responded", worker_id, (job_id, body))

    def worker_failed(self, worker_id: str, job_id: str, failure: Failure) -> None:
        self._add("failed", worker_id, (job_id, failure))

    def worker_init_failed(self, worker_id: str, failure: Failure) -> None:
        self._add("init_failed", worker_id, failure)

    def worker_lingers(self, worker_id: str, left: Sequence[str]) -> None:
        self._add("lingers", worker_id, left)

    def worker_missed(self, worker_id: str, name: str) -> None:
        self._add("missed", worker_id, name)

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None:
        self._add("mutes", worker_id, beginnings)

    def worker_debugs(self, worker_id: str, url: str) -> None:
        self._add("debugs", worker_id, url)

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        self._add("halted", worker_id, halted)

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        self._add("paused", worker_id, where)

    def credentials_failed(self, worker_id: str, message: str) -> None:
        self._add("credentials_failed", worker_id, message)

    def of(self, kind: str, worker_id: str) -> list[Any]:
        return [what for one, who, what in self.events if (one, who) == (kind, worker_id)]

    async def loaded(self, worker_id: str) -> Modules | None:
        """What a worker says that it has imported, once it is ready or has failed to load."""
        async with asyncio.timeout(DEADLINE):
            while not (self.of("ready", worker_id) or self.of("init_failed", worker_id)):
                self._changed.clear()
                await self._changed.wait()
        told: list[Modules] = self.of("modules", worker_id)
        return told[-1] if told else None

    async def wait(self, kind: str, worker_id: str) -> Any:
        """The first event of a kind from a worker."""
        async with asyncio.timeout(DEADLINE):
            while not (found := self.of(kind, worker_id)):
                self._changed.clear()
                await self._changed.wait()
        return found[0]

    async def reached(self, worker_id: str, checkpoint: bytes) -> None:
        """Return when the worker has left this checkpoint."""
        async with asyncio.timeout(DEADLINE):
            while checkpoint not in [body for _, body in self.of("reached", worker_id)]:
                self._changed.clear()
                await self._changed.wait()

    def _add(self, kind: str, worker_id: str, what: Any) -> None:
        self.events.append((kind, worker_id, what))
        self._changed.set()


@dataclass
class Worker:
    """A worker that was launched, and the end of its output's pipe."""

    id: str
    process: Process
    output_fd: int
    bench: Bench = field(repr=False)

    async def run(
        self, payload: bytes = b"null", checkpoint: bytes | None = None, **context: str
    ) -> None:
        """Wait until it is ready, and hand it an invocation."""
        await self.bench.said.wait("ready", self.id)
        self.bench.api.invoke(
            self.id,
            Invocation(
                job_id=f"job-of-{self.id}",
                payload=payload,
                deadline=time.time() + 60,
                function_arn="arn:aws:codebuild:eu-west-1:1:project/p",
                context={"job": "factorial", "attempt": "1", "max_attempts": "1", **context},
                checkpoint=checkpoint,
            ),
        )

    async def result(self) -> bytes:
        body: bytes = (await self.bench.said.wait("responded", self.id))[1]
        return body

    async def failure(self) -> Failure:
        failure: Failure = (await self.bench.said.wait("failed", self.id))[1]
        return failure

    async def init_failure(self) -> Failure:
        failure: Failure = await self.bench.said.wait("init_failed", self.id)
        return failure

    async def exit(self) -> Exit:
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()

    async def read_until(self, wanted: bytes) -> bytes:
        """Read output until it has `wanted` in it."""
        output = b""
        async with asyncio.timeout(DEADLINE):
            while wanted not in output:
                data = await asyncio.to_thread(os.read, self.output_fd, 65536)
                assert data, output
                output += data
        return output

    async def output(self) -> str:
        """All that it printed; returns when nobody holds the pipe any more."""
        data = b""
        async with asyncio.timeout(DEADLINE):
            while chunk := await asyncio.to_thread(os.read, self.output_fd, 65536):
                data += chunk
        return data.decode()


class Bench:
    """Launches workers of an app in `root`."""

    def __init__(self, root: Path, launcher: Launcher, api: RuntimeApi, said: Said) -> None:
        self.root = root
        self.launcher = launcher
        self.api = api
        self.said = said
        self.environment = developer()
        """What the developer's shell has."""
        self.given: Sequence[str] = ()
        """What jobs get of it with `--env`."""
        self.python = PYTHON
        self.debug: Path | None = None
        """The file in which workers find how long debuggers have halted them, if any may."""
        self._count = 0
        self._fds: list[int] = []

    def write(self, path: str, code: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = textwrap.dedent(code)
        # An earlier worker may be reading it.
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        return file

    async def launch(
        self,
        code: str | None = None,
        handler: str = "jobs/factorial.handler",
        environment: Mapping[str, str] | None = None,
        *,
        job_name: str = "factorial",
        **job_environment: str,
    ) -> Worker:
        """Start a worker; `code` is written into jobs/factorial.py first."""
        if code is not None:
            self.write("jobs/factorial.py", code)
        self._count += 1
        worker_id = f"w{self._count}"
        job = JobSpec(job_name, handler, 60, 3072, "arn:aws:iam::1:role/job", job_environment)
        address = self.api.add_worker(worker_id, job.role_arn)
        spec = WorkerSpec(
            worker_id=worker_id,
            root=self.root,
            handler=handler,
            python=self.python,
            job=job.name,
            environment=worker_environment(
                self.environment if environment is None else environment,
                job,
                address,
                root=self.root,
                region="eu-west-1",
                given=self.given,
            ),
            debug=self.debug,
        )
        reader, writer = os.pipe()
        self._fds.append(reader)
        try:
            process = await self.launcher.launch(spec, writer)
        finally:
            os.close(writer)
        return Worker(worker_id, process, reader, self)

    def release(self) -> None:
        for descriptor in self._fds:
            os.close(descriptor)


@contextlib.asynccontextmanager
async def bench(
    root: Path,
    make_launcher: Callable[[], Launcher],
    credentials: Any = None,
    debugger: Debugger | None = None,
) -> AsyncIterator[Bench]:
    said = Said()
    debuggers = None
    if debugger is not None:
        debuggers = WorkersDebuggers(lambda _: asyncio.sleep(0, debugger), said)
        await debugger.start()
    api = RuntimeApi(said, credentials, debuggers)
    await api.start()
    launcher = make_launcher()
    one = Bench(root, launcher, api, said)
    try:
        yield one
    finally:
        await launcher.close()
        await api.close()
        if debugger is not None:
            await debugger.close()
        one.release()
