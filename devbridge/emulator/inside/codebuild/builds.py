"""Builds under way: who runs, who waits, and how each one ends exactly once."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..machines.failure import Ended, Failure
from ..machines.group import Group
from ..machines.pace import minute
from . import records
from .records import Json

GRACE: Final = 10.0
"""Seconds from SIGTERM to SIGKILL when a build is stopped or takes too long."""


class Build:
    """One build: its record, which changes under its lock, and what has to be ended with it."""

    def __init__(self, record: Json, *, now: Callable[[], float] = time.time) -> None:
        self.record = record
        self.ended = threading.Event()
        self.wake = threading.Event()
        """Set when the build may run, or has ended."""
        self._lock = threading.RLock()
        self._now = now
        self.tell: Callable[[], object] = lambda: None
        """Called when the build has begun to wait, and when it has ended."""
        self.group: Group | None = None
        """The processes of its commands, while there are any."""
        self.grace = GRACE
        """Seconds that the build's processes have when it is ended from outside."""
        self._on_end: list[Callable[[], object]] = []

    def snapshot(self) -> Json:
        """A copy of the record as it is now."""
        with self._lock:
            return copy.deepcopy(self.record)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Json]:
        """The record, to change it.

        Raises:
            Ended: nothing may be changed any more.
        """
        with self._lock:
            if self.ended.is_set():
                raise Ended
            yield self.record

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """The build's next phase; a `Failure` inside is its context, and goes on."""
        with self.changing() as record:
            records.enter(record, name, self._now())
        try:
            yield
        except Failure as failure:
            self.leave(records.FAILED, failure.code, failure.message)
            raise
        self.leave(records.SUCCEEDED)

    def leave(self, status: str, code: str = "", message: str = "") -> None:
        """End the current phase. Raises Ended as `changing`."""
        with self.changing() as record:
            records.leave(record, status, self._now(), code, message)

    def on_end(self, call: Callable[[], object]) -> None:
        """Call when the build is ended from outside; at once if it was already."""
        with self._lock:
            if not self.ended.is_set():
                self._on_end.append(call)
                return
        call()

    def complete(self, status: str) -> None:
        """The build has come to its own end. Nothing when it was ended before."""
        with self._lock:
            if self.ended.is_set():
                return
            records.complete(self.record, status, self._now())
            self.ended.set()
        self.tell()

    def end(self, status: str, code: str = "", message: str = "") -> bool:
        """End the build from outside, within whatever phase it is; False when it had ended."""
        with self._lock:
            if self.ended.is_set():
                return False
            if "endTime" not in self.record["phases"][-1]:
                records.leave(self.record, status, self._now(), code, message)
            records.complete(self.record, status, self._now())
            self.ended.set()
            calls, self._on_end = self._on_end, []
        self.wake.set()
        for call in calls:
            call()
        self.tell()
        return True


class Queue:
    """Runs builds in the order they came, `slots` at a time, each in a thread of its own."""

    def __init__(self, run: Callable[[Build], Any], slots: int) -> None:
        self._run = run
        self._slots = slots
        self._lock = threading.Lock()
        self._waiting: deque[Build] = deque()
        self._running = 0
        self._live: dict[str, Build] = {}

    def get(self, build_id: str) -> Build | None:
        """The build if it has not ended, or is just being cleaned up."""
        with self._lock:
            return self._live.get(build_id)

    def live(self) -> list[Build]:
        """The builds that have not ended, or are just being cleaned up."""
        with self._lock:
            return list(self._live.values())

    def submit(self, build: Build, call: Callable[..., Any]) -> None:
        """Run the build when its turn comes. `call` calls in the context of the request."""
        with self._lock:
            self._live[build.record["id"]] = build
            self._waiting.append(build)
        self._admit()
        threading.Thread(
            target=call, args=(self._live_of, build), name="codebuild", daemon=True
        ).start()

    def end_all(self, status: str, message: str) -> None:
        """End every build, and its processes at once."""
        for build in self.live():
            build.grace = 0.0
            build.end(status, "BUILD_ENDED", message)

    def _live_of(self, build: Build) -> None:
        """A build's life, in its own thread."""
        limit = build.record["queuedTimeoutInMinutes"] * minute()
        if not build.wake.wait(limit):
            build.end(records.TIMED_OUT, "BUILD_QUEUED_TIMED_OUT", "Build has timed out in queue.")
        with self._lock:
            waiting = build in self._waiting
            if waiting:
                self._waiting.remove(build)
        try:
            if not waiting:
                self._timed(build)
        finally:
            with self._lock:
                del self._live[build.record["id"]]
                self._running -= 0 if waiting else 1
            self._admit()

    def _timed(self, build: Build) -> None:
        limit = build.record["timeoutInMinutes"] * minute()
        timer = threading.Timer(
            limit, build.end, (records.TIMED_OUT, "BUILD_TIMED_OUT", "Build has timed out. ")
        )
        timer.daemon = True
        timer.start()
        try:
            self._run(build)
        finally:
            timer.cancel()

    def _admit(self) -> None:
        with self._lock:
            while self._waiting and self._running < self._slots:
                self._running += 1
                self._waiting.popleft().wake.set()
