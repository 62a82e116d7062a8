"""One attempt of a run: a worker process, from its start to the end of its process group.

The rules, and the words, are those of the daemon's supervisor. Times are seconds since the epoch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import Empty, SimpleQueue
from types import FrameType

from runner import languages, outcome, process
from runner.invocation import Invocation
from runner.keeper import Keeper
from runner.outcome import CANCELLED, CRASHED, FAILED, INTERRUPTED, SUCCEEDED, TIMED_OUT, End
from runner.runtime_api import (
    Event,
    InitFailed,
    Lingers,
    Reached,
    Responded,
    RuntimeApi,
    Started,
    Stopped,
)

_IMPORTS = 3
"""How often the import may be killed from outside before the run fails."""


class Inbox:
    """What happens to the build, in order; that it was told to stop (SIGTERM) is remembered."""

    def __init__(self) -> None:
        self.terminated = False
        self._queue: SimpleQueue[tuple[object, Event | int] | None] = SimpleQueue()

    def listen(self) -> None:
        """Take SIGTERM from now on. In the main thread only."""
        signal.signal(signal.SIGTERM, self._terminate)

    def put(self, attempt: object, event: Event | int) -> None:
        """Tell of an attempt's event, or of its worker's exit status. From any thread."""
        self._queue.put((attempt, event))

    def get(self, attempt: object, timeout: float | None) -> Event | int | None:
        """The next event of an attempt; None when there is something else to look at."""
        try:
            item = self._queue.get(timeout=timeout)
        except Empty:
            return None
        return item[1] if item is not None and item[0] is attempt else None

    def pause(self, seconds: float) -> bool:
        """Sleep; False when the build is to stop."""
        until = time.monotonic() + seconds
        while not self.terminated and (left := until - time.monotonic()) > 0:
            self.get(None, left)
        return not self.terminated

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self.terminated = True
        self._queue.put(None)


class Output:
    """Standard output, shared line by line by the workers and the runner's own words."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._at_start = True

    def line(self, text: str) -> None:
        """Write a line of its own."""
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        self._write(data, new_line=True)

    def copy(self, source: int, last: outcome.LastWords | None = None) -> None:
        """Write all that comes out of a pipe, and close it; `last` is told, too."""
        with contextlib.closing(os.fdopen(source, "rb", buffering=0)) as pipe:
            while data := pipe.read(1 << 16):
                self._write(data)
                if last is not None:
                    last.add(data)

    def _write(self, data: bytes, *, new_line: bool = False) -> None:
        with self._lock:
            if new_line and not self._at_start:
                data = b"\n" + data
            self._at_start = data.endswith(b"\n")
            while data:
                data = data[os.write(self._descriptor, data) :]


def run(
    api: RuntimeApi,
    invocation: Invocation,
    environment: Mapping[str, str],
    *,
    root: str,
    inbox: Inbox,
    output: Output,
    timeout: float,
    grace: float,
    checkpoint: bytes | None = None,
    keep: Callable[[bytes], object] | None = None,
    stop_at: float | None = None,
    interruptible: bool = False,
) -> End:
    """Run the handler once; return when all that it has started in its process group is gone, and
    its last checkpoint is kept.

    Args:
        environment: the worker's; the address of the Runtime API is added.
        root: the app's folder, in which the worker runs.
        timeout: seconds that the handler has, from when it gets the payload.
        grace: seconds between SIGTERM and SIGKILL.
        checkpoint: where it begins, a JSON text; without one, or with null, at the beginning.
        keep: stores a checkpoint; called by one thread. What it raises is said, and ends nothing.
        stop_at: when the next checkpoint is the last: the attempt then ends as INTERRUPTED.
        interruptible: SIGTERM says that the place is taken away: unless the handler answers in
            time, the attempt ends as INTERRUPTED. Else that is CANCELLED.
    """
    invocation = replace(invocation, checkpoint=checkpoint, stop_at=stop_at)
    keeper = Keeper(keep or _forget, lambda text: output.line(f"{outcome.NOTE}{text}"))
    stop = INTERRUPTED if interruptible else CANCELLED
    for _ in range(_IMPORTS):
        attempt = _Attempt(api, invocation, inbox, output, timeout, grace, keeper, stop)
        end = attempt.run(environment, root)
        # SIGKILL comes from outside (a short of memory), not from the code.
        if attempt.started or attempt.status != -signal.SIGKILL or end.state == stop:
            break
    keeper.close()
    return end


def _forget(_checkpoint: bytes) -> None:
    """Nobody wants to go on there."""


class _Attempt:
    def __init__(
        self,
        api: RuntimeApi,
        invocation: Invocation,
        inbox: Inbox,
        output: Output,
        timeout: float,
        grace: float,
        keeper: Keeper,
        stop: str,
    ) -> None:
        self._api = api
        self._invocation = invocation
        self._inbox = inbox
        self._output = output
        self._timeout = timeout
        self._grace = grace
        self._keeper = keeper
        self._stop = stop
        """How it ends when the build is to stop."""
        self._answer: End | None = None
        self._answered_at = 0.0
        self._stopping: str | None = None
        self._kill_at: float | None = None
        self._killed = False
        self._left: tuple[str, ...] = ()
        self.started: float | None = None
        self.status: int | None = None
        """How the process ended: its exit code, or the negative number of a signal."""

    def run(self, environment: Mapping[str, str], root: str) -> End:
        address = self._api.expect(
            self._invocation, self._timeout, lambda event: self._inbox.put(self, event)
        )
        oom_kills, began = outcome.oom_kills(), time.time()
        reader, writer = os.pipe()
        with open(writer, "wb", buffering=0) as end_of_worker:
            worker = subprocess.Popen(
                [
                    *(sys.executable, os.path.dirname(__file__), "die-with", str(os.getpid())),
                    *languages.command(environment),
                ],
                stdin=subprocess.DEVNULL,
                stdout=end_of_worker,
                stderr=end_of_worker,
                cwd=root,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": address},
                start_new_session=True,
            )
        last = outcome.LastWords()
        copy = _thread(lambda: self._output.copy(reader, last))
        _thread(lambda: self._inbox.put(self, worker.wait()))
        while self.status is None:
            event = self._inbox.get(self, self._patience())
            if event is not None:
                self._take(event)
            if self.status is None:
                self._tick(worker.pid)
        ended = self._answered_at or time.time()
        process.end_group(worker.pid, outcome.LINGER)
        copy.join(outcome.OUTPUT_AFTER_EXIT)
        out_of_memory = not self._killed and outcome.oom_kills() > oom_kills
        out_of_memory = out_of_memory or last.heap_was_full(self.status)
        return self._end(out_of_memory, ended - (self.started or began))

    def _take(self, event: Event | int) -> None:
        if isinstance(event, int):
            self.status = event
        elif isinstance(event, Started):
            self.started = event.at
        elif isinstance(event, Reached):
            self._keeper.add(event.checkpoint)
        elif isinstance(event, Lingers):
            if self._answer is not None and self._kill_at is not None and event.left:
                self._left = event.left
                self._note(outcome.goes_on(event.left, self._kill_at - time.time()))
        elif self._answer is None:
            self._answered_at = time.time()
            if isinstance(event, Responded):
                self._answer = End(SUCCEEDED, event.result)
            elif isinstance(event, Stopped):
                self._answer = End(INTERRUPTED)
            else:
                init = isinstance(event, InitFailed)
                self._answer = End(FAILED, failure=event.failure, final=init)
            self._kill_at = self._kill_at or time.time() + outcome.LINGER

    def _tick(self, pid: int) -> None:
        now = time.time()
        if self._stopping is None and self._answer is None:
            if self._inbox.terminated:
                self._stopping = self._stop
            elif self.started is not None and now >= self.started + self._timeout:
                self._stopping = TIMED_OUT
            if self._stopping:
                self._kill_at = now + self._grace
                self._api.interrupt()
                process.signal_group(pid, signal.SIGTERM)
        if self._kill_at is not None and now >= self._kill_at:
            if self._answer is not None and not self._killed:
                self._note(outcome.was_ended(self._left))
            self._kill_at = now + outcome.KILL_AGAIN
            self._killed = True
            process.signal_group(pid, signal.SIGKILL)

    def _note(self, text: str) -> None:
        self._output.line(f"{outcome.NOTE}{text}")

    def _patience(self) -> float | None:
        """Seconds until something is to be done, if nothing happens before."""
        at = self._kill_at
        if at is None and self.started is not None:
            at = self.started + self._timeout
        return None if at is None else max(0.0, at - time.time())

    def _end(self, out_of_memory: bool, took: float) -> End:
        answer, state, status = self._answer, self._stopping, self.status or 0
        if answer is None and state is None:
            if self.started is None:
                where = "while the handler was imported"
                failure = outcome.crash(status, out_of_memory=out_of_memory, where=where)
                return End(FAILED, failure=failure, final=True, took=took)
            failure = outcome.crash(status, out_of_memory=out_of_memory)
            return End(CRASHED, failure=failure, took=took)
        answer = answer or End(FAILED)
        if state == INTERRUPTED:  # but it may have come to its end
            if answer.state == SUCCEEDED:
                return End(SUCCEEDED, answer.result, took=took)
            return End(INTERRUPTED, took=took)
        final = answer.final and state is None
        return End(state or answer.state, answer.result, answer.failure, final, took)


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
