"""Workers' processes and pipes, whatever they are for: started, read, signalled, and let go of.

One task a worker: start it, read its output, wait for its end. Everything that a worker holds
(process, pipe, token) is released at the end of its task. What it prints is told as it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from devbridge.daemon.capture import Capture
from devbridge.daemon.halts import Halts
from devbridge.daemon.memory import OomKills
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.notes import HALTED, IMPORT, note
from devbridge.daemon.runtime_api import RuntimeApi
from devbridge.daemon.settings import Settings, Workshop
from devbridge.daemon.told import Mood, Printed, Remarked, Who
from devbridge.errors import BundleError, DevbridgeError
from devbridge.runs.model import CodeSpec, Exit
from devbridge.workers.base import Process, WorkerSpec
from devbridge.workers.modules import Modules, that_mend
from devbridge.workers.rlimits import is_short, require_room
from runner import outcome, stuck
from runner.outcome import OUTPUT_AFTER_EXIT, Failure

log = logging.getLogger(__name__)

IMPORT_NOTICE: Final = stuck.NOTICES[0]
"""Seconds after which the terminal says that a handler is still being imported. It may take as
long as it wants."""


@dataclass(slots=True)
class Launched:
    """One live worker."""

    id: str
    job: str
    """What it is for: the job's or the function's name."""
    launched_at: float
    """Seconds since the epoch."""
    job_id: str = ""
    """The run, or the request, that it was given."""
    process: Process | None = None
    pending: signal.Signals | None = None
    """What it is to be sent once there is a process."""
    killed: bool = False
    """We have sent it SIGKILL."""
    untaken: bool = False
    """It has ended, and has not asked for what it was given."""
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    capture: Capture = field(init=False, repr=False)
    last: outcome.LastWords = field(default_factory=outcome.LastWords, repr=False)
    halts: Halts | None = None
    """Debuggers may halt it."""
    muted: re.Pattern[bytes] | None = None
    """What it prints that is not of its code."""

    @property
    def who(self) -> Who:
        """Whose words are its own, now."""
        return Who(self.id, self.job, self.job_id)

    def signal(self, number: signal.Signals) -> None:
        """Signal its process group, as soon as there is one."""
        if self.process is None:
            self.pending = number
        else:
            self.killed = self.killed or number == signal.SIGKILL
            self.process.signal_group(number)

    def mute(self, beginnings: Sequence[str]) -> None:
        """From now on, lines with these beginnings are none of its code's."""
        if beginnings:
            begun = b"|".join(re.escape(each.encode()) for each in beginnings)
            self.muted = re.compile(rb"(?:" + begun + rb")[^\n]*\n")

    def halted(self, halted: bool) -> None:
        """A debugger has halted it, or it goes on."""
        if self.halts is not None:
            self.halts.add(halted, time.time())


W = TypeVar("W", bound=Launched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts(Generic[W]):
    """Who is told how starts of workers have failed."""

    failed: Callable[[W, Failure], None]
    """The handler cannot be loaded."""
    short: Callable[[W, str], None]
    """The system has no descriptor, process or memory for it now."""
    heard: Callable[[str, Modules], None]
    """What a worker that could not be started would have read, by the worker's id."""
    lost: Callable[[W, Failure], None]
    """A defect of ours: nobody watches the worker any more."""


class Launching(Generic[W]):
    """Starts workers, and sees them through."""

    def __init__(
        self,
        settings: Settings,
        workshop: Workshop,
        runtime_api: RuntimeApi,
        narrator: Narrator,
        starts: Starts[W],
    ) -> None:
        self._settings = settings
        self._workshop = workshop
        self._runtime_api = runtime_api
        self._narrator = narrator
        self._starts = starts
        self.oom_kills = OomKills()

    def pipe(self, starting: int) -> tuple[int, int]:
        """A pipe for a worker's output, where so many others are being started.

        Raises:
            OSError: there are too few descriptors for another worker.
        """
        reader, writer = os.pipe()
        try:
            require_room(writer, starting)
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        return reader, writer

    def begin(self, worker: W, reader: int) -> None:
        """Read what it prints."""
        if self._workshop.debug:
            worker.halts = Halts(note(self._settings.notes, HALTED, worker.id))
        worker.capture = Capture(
            reader,
            lambda data: self._printed(worker, data),
            self._narrator.when_drained,
        )

    def _printed(self, worker: W, data: bytes) -> None:
        worker.last.add(data)
        if worker.muted is not None:
            data = worker.muted.sub(b"", data)
        if data:
            self._narrator.tell(Printed(worker.who, data))

    async def see_through(
        self, worker: W, spec: CodeSpec, output_fd: int, *, record: bool = False
    ) -> Exit:
        """Start it; return when it has ended, and all that it has printed was told.

        Args:
            output_fd: the end of its pipe that it writes to, which is closed here.
            record: it is to record what it reads: see `runner.reads`.
        """
        notice = asyncio.get_running_loop().call_later(IMPORT_NOTICE, self._still_importing, worker)
        try:
            exit_ = await self._run(worker, spec, output_fd, record)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OUTPUT_AFTER_EXIT):
                    await worker.capture.ended.wait()
        except Exception as error:
            exit_ = self._lost(worker, error)
        finally:
            notice.cancel()
            with contextlib.suppress(OSError):  # its folder may be gone
                self._import_note(worker).unlink()
            worker.capture.finish()
            if worker.halts is not None:
                worker.halts.close()
            worker.untaken = self._runtime_api.remove_worker(worker.id)
        return exit_

    def was_out_of_memory(self, worker: W, exit_: Exit) -> bool:
        """Whether it has ended because memory ran out; asked once."""
        if exit_.signal is not None and worker.last.heap_was_full(-exit_.signal):
            return True
        killed_by_others = exit_.signal == signal.SIGKILL and not worker.killed
        return killed_by_others and self.oom_kills.claim()

    def _lost(self, worker: W, error: Exception) -> Exit:
        """Nobody watches the worker any more, so end it and say why."""
        log.error("worker %s is lost", worker.id, exc_info=error)
        if worker.process is not None:
            with contextlib.suppress(Exception):
                worker.process.signal_group(signal.SIGKILL)
        what = f"devbridge lost the worker: {type(error).__name__}: {error}"
        self._narrator.tell(Remarked(worker.who, what, Mood.BAD))
        self._starts.lost(worker, Failure("InternalError", what))
        return Exit(signal=signal.SIGKILL)

    def _import_note(self, worker: W) -> Path:
        """Where it notes which line it is at, if its import takes long."""
        return note(self._settings.notes, IMPORT, worker.id)

    def _still_importing(self, worker: W) -> None:
        if worker.process is not None and not self._runtime_api.is_ready(worker.id):
            what = f"the handler is still being imported after {IMPORT_NOTICE:g} s"
            if place := stuck.place(str(self._import_note(worker)), str(self._settings.root)):
                what = f"{what}, at {place}"
            self._narrator.tell(Remarked(worker.who, what, Mood.WARN))

    async def _run(self, worker: W, spec: CodeSpec, output_fd: int, record: bool) -> Exit:
        try:
            address = self._runtime_api.add_worker(worker.id, spec.role_arn, spec.runtime)
            worker.process = await self._workshop.launcher.launch(
                WorkerSpec(
                    worker_id=worker.id,
                    root=self._settings.root,
                    handler=spec.handler,
                    python=self._settings.python,
                    environment={
                        **self._workshop.environment(spec, address),
                        **({"DEVBRIDGE_RECORD": "1"} if record else {}),
                        stuck.NOTE: str(self._import_note(worker)),
                    },
                    job=spec.key,
                    runtime=spec.runtime,
                    build=spec.build,
                    debug=worker.halts.note if worker.halts else None,
                ),
                output_fd,
            )
        except BundleError as error:
            self._starts.heard(worker.id, that_mend(error.files))
            self._starts.failed(worker, error.failure)
            return Exit(code=1)
        except (OSError, DevbridgeError) as error:
            if is_short(error):
                self._starts.short(worker, getattr(error, "strerror", "") or str(error))
                return Exit(code=1)
            self._starts.failed(worker, Failure(type(error).__name__, str(error)))
            return Exit(code=1)
        finally:
            os.close(output_fd)
        if worker.pending is not None:
            worker.process.signal_group(worker.pending)
        return await worker.process.wait()
