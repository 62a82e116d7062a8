"""Checkpoints: what a handler that is a generator yields, from where its next attempt goes on.

The first one is stored at once, each further one DEVBRIDGE_CHECKPOINT_SECONDS after the last was
stored: until then it is pending, and what is yielded after it takes its place. What is pending is
stored when its time has come, whether the handler yields again or not, and when it ends without a
result.

SIGTERM ends the worker as it ends any process, once what is pending is stored. Where the handler
has looked at `context.interrupted`, that is true from then on, and the next checkpoint is the last.
"""

from __future__ import annotations

import contextlib
import os
import signal
from _thread import allocate_lock as _lock  # gevent replaces those of `threading` and `time`
from _thread import get_ident as _thread
from _thread import start_new_thread as _start
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from json import JSONEncoder, loads
from select import POLLIN
from select import poll as _poll
from time import monotonic, sleep, time
from types import FrameType
from typing import Any, Final, Protocol

from runner import digits, results
from runner.failure import ResultNotJson

MAX_CHECKPOINT: Final = 256 * 1024
"""Bytes. As `runner.outcome.MAX_CHECKPOINT`, which a worker does not load."""
SECONDS: Final = 2.0
"""Between two checkpoints that are stored, if nothing else is set."""
AGAIN: Final = 0.05
"""Seconds after which the main thread is told again of SIGTERM, should it still sleep."""
VARIABLE: Final = "DEVBRIDGE_CHECKPOINT_SECONDS"

_write = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class CheckpointNotJson(Exception):
    """A checkpoint cannot be written as JSON."""


class CheckpointTooLarge(Exception):
    """A checkpoint has too many bytes."""


class Interrupted(Exception):
    """The handler was ended at a checkpoint, which is stored: somebody else goes on there."""


def encode(value: object) -> bytes:
    """A checkpoint as JSON, whatever becomes of the value afterwards.

    Raises:
        CheckpointNotJson: naming the type of the value and its path inside the checkpoint.
        CheckpointTooLarge: it has more than `MAX_CHECKPOINT` bytes.
    """
    try:
        text = _write(value)
        body = text.encode() if len(text) <= digits.MAX_DIGITS else _encode(value)
    except (TypeError, ValueError, RecursionError):  # classes of the user's, and mistakes
        body = _encode(value)
    if len(body) > MAX_CHECKPOINT:
        raise CheckpointTooLarge(
            f"the checkpoint has {len(body):,} bytes, and at most {MAX_CHECKPOINT:,} are kept: put"
            " what is large into a file or into S3, and yield where it is"
        )
    return body


def _encode(value: object) -> bytes:
    try:
        return results.encode(value, "checkpoint")
    except ResultNotJson as error:
        raise CheckpointNotJson(str(error)) from None


class Store(Protocol):
    """Who keeps checkpoints: the Runtime API's client."""

    def checkpoint(self) -> bytes | None:
        """The one that the attempt begins at."""

    def keep_checkpoint(self, body: bytes) -> object:
        """Keep another one."""


class Checkpoints:
    """Those of one invocation. `keep`, `drive` and `close` are for the process's main thread."""

    def __init__(
        self,
        connect: Callable[[], Store],
        headers: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        signals: bool = True,
    ) -> None:
        """
        Args:
            connect: to who keeps them; not before there is something to be kept or asked.
            headers: the invocation's, in lower case.
            signals: SIGTERM is meant for the handler.
        """
        told = loads(headers.get("lambda-runtime-client-context") or "{}")
        custom: Mapping[str, str] = told.get("custom") or {}
        self._connect = connect
        self._client: Store | None = None
        self._signals = signals
        self._there = bool(custom.get("checkpoint"))
        self._stop_at = float(custom["stop_at"]) if custom.get("stop_at") else float("inf")
        self._interval = _seconds(environment.get(VARIABLE))
        self._due = 0.0
        self._pending: deque[bytes] = deque(maxlen=1)
        self._lock = _lock()
        self._main = _thread()
        self._busy = False
        """The main thread talks to the Runtime API: the signal's handler must not wait for it."""
        self._scheduled = False
        self._signalled = False
        self._watched = False
        """The handler has looked at `interrupted`."""
        self._driven = False
        """The handler is a generator."""
        self._pid = os.getpid()
        self._pipe: tuple[int, int] | None = None
        """What wakes the helping thread."""
        self._closed = False
        self._before: Any = None
        """What SIGTERM did before; None where it still does that."""
        self._masks: dict[int, set[Any]] = {}
        """The signals that each thread that forks now has blocked before."""

    # --- what the context has ---------------------------------------------------------------

    def first(self) -> bytes | None:
        """The checkpoint that the attempt begins at, if there is one.

        Raises:
            RuntimeApiGone: nobody is there to tell it.
        """
        if not self._there:
            return None
        with self._talking():
            body = self._connected().checkpoint()
        return None if body is None or body.strip() == b"null" else body

    @property
    def interrupted(self) -> bool:
        """Whether the place that it runs in is about to be taken away. From the first look on,
        SIGTERM says that and no more."""
        self._watched = True
        self._listen()
        return self._signalled or time() >= self._stop_at

    def raise_if_interrupted(self) -> None:
        """
        Raises:
            Interrupted: the handler has seen that it was, and has not yielded to the end.
        """
        if self._watched and self._signalled and not self._driven:
            raise Interrupted

    # --- the generator ----------------------------------------------------------------------

    def drive(self, generator: Generator[Any, None, Any]) -> Any:
        """Take what a generator yields; what it returns.

        Raises:
            Interrupted: it was closed at its last checkpoint.
            CheckpointNotJson, CheckpointTooLarge: it has yielded such a one.
            BaseException: whatever it raises.
        """
        self._driven = True
        self._listen()
        resume, keep = generator.send, self.keep
        while True:
            try:
                value = resume(None)
            except StopIteration as stop:
                return stop.value
            try:
                last = keep(value)
            except (CheckpointNotJson, CheckpointTooLarge) as error:
                with contextlib.suppress(StopIteration):
                    # There, so that its traceback has the line that yields.
                    generator.throw(error.with_traceback(None))
                    generator.close()
                raise
            if last:
                generator.close()
                raise Interrupted

    async def drive_async(self, generator: AsyncGenerator[Any, None]) -> None:
        """As `drive`; an async generator returns nothing."""
        self._driven = True
        self._listen()
        while True:
            try:
                value = await generator.__anext__()
            except StopAsyncIteration:
                return
            try:
                last = self.keep(value)
            except (CheckpointNotJson, CheckpointTooLarge) as error:
                with contextlib.suppress(StopAsyncIteration):
                    await generator.athrow(error.with_traceback(None))
                    await generator.aclose()
                raise
            if last:
                await generator.aclose()
                raise Interrupted

    def keep(self, value: object) -> bool:
        """Take a checkpoint; whether it is to be the last one: then it is stored.

        Raises:
            CheckpointNotJson, CheckpointTooLarge: it can be none.
            RuntimeApiGone: nobody is there to store it.
        """
        # Written now: the handler may go on with the same object.
        self._pending.append(encode(value))
        last = self._signalled or time() >= self._stop_at
        if last or monotonic() >= self._due:
            self.store()
        elif not self._scheduled:
            self._scheduled = True
            self._wake()
        return last

    def store(self) -> None:
        """Store what is pending.

        Raises:
            RuntimeApiGone: nobody is there to store it.
        """
        if os.getpid() != self._pid:  # a fork of the handler's, which has the lock as it was
            return
        with self._talking():
            if self._pending:
                self._connected().keep_checkpoint(self._pending.pop())
                self._due = monotonic() + self._interval

    def close(self) -> None:
        """The handler has ended: SIGTERM does what it did before."""
        if os.getpid() != self._pid:
            return
        if self._before is not None:
            with contextlib.suppress(ValueError):
                if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
                    signal.signal(signal.SIGTERM, self._before)
                signal.set_wakeup_fd(-1)
            self._before = None
        self._closed = True
        self._wake()  # the helping thread ends, whether SIGTERM was ours or not
        self._pipe = None

    # --- storing ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """One thread at a time. SIGTERM that comes to the main thread meanwhile is obeyed after."""
        main = _thread() == self._main
        self._busy = self._busy or main
        try:
            with self._lock:
                yield
        finally:
            if main:
                self._busy = False
                if self._signalled and not self._watched:
                    self._die()

    def _connected(self) -> Store:
        self._client = self._client or self._connect()
        return self._client

    # --- SIGTERM ----------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._before is not None or self._closed or not self._signals:
            return
        if os.getpid() != self._pid:
            return
        before = signal.getsignal(signal.SIGTERM)
        own = before == signal.SIG_DFL or self._watched  # else the handler has its own ways
        with contextlib.suppress(ValueError):  # not the main thread
            if own:
                signal.signal(signal.SIGTERM, self._on_sigterm)
                self._before = before if before is not None else signal.SIG_DFL
                os.register_at_fork(
                    before=self._forks, after_in_parent=self._forked, after_in_child=self._is_fork
                )
        if self._pipe is None:
            self._begin_helping()

    def _begin_helping(self) -> None:
        try:
            self._pipe = reader, writer = os.pipe()
            os.set_blocking(writer, False)
            _start(self._help, (reader, writer))
        except (OSError, RuntimeError):  # the system has no descriptor or thread to give
            self._pipe = None
            return
        with contextlib.suppress(ValueError):
            if self._before is not None and (other := signal.set_wakeup_fd(writer)) != -1:
                signal.set_wakeup_fd(other)

    def _wake(self) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe[1], b"\0")

    def _help(self, reader: int, writer: int) -> None:
        """A thread that stores what is pending when its time has come, and sees to it that the main
        thread learns of SIGTERM: it may sleep while that has come to another thread, or has come to
        it when it could not be looked at (Python only looks between two instructions)."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        ready = _poll()
        ready.register(reader, POLLIN)
        while not self._closed:
            if ready.poll(self._patience()) and signal.SIGTERM in os.read(reader, 4096):
                self._insist()
            if self._scheduled and monotonic() >= self._due:
                self._store_meanwhile()
        os.close(reader)
        os.close(writer)

    def _insist(self) -> None:
        while not (self._signalled or self._closed):
            signal.pthread_kill(self._main, signal.SIGTERM)
            sleep(AGAIN)
            if not self._signalled:  # who knows for how long
                self._store_meanwhile()

    def _store_meanwhile(self) -> None:
        self._scheduled = False
        with contextlib.suppress(Exception):  # whoever answers next learns that nobody is there
            self.store()

    def _patience(self) -> float | None:
        """Milliseconds until something is to be stored."""
        return max(0.0, self._due - monotonic()) * 1000 if self._scheduled else None

    def _forks(self) -> None:
        # What comes to a fork before it is its own master is not lost so: it waits there.
        if self._before is not None:
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            self._masks[_thread()] = blocked

    def _forked(self) -> None:
        if (mask := self._masks.pop(_thread(), None)) is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _is_fork(self) -> None:
        """This process is a fork of the handler's: SIGTERM ends it as it ends any."""
        with contextlib.suppress(ValueError):
            if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
                signal.signal(signal.SIGTERM, self._before)
            signal.set_wakeup_fd(-1)
        self._before = self._pipe = None
        self._forked()

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        if self._watched:
            if callable(self._before):
                self._before(number, frame)
        elif not self._busy:
            with contextlib.suppress(Exception):
                self.store()
            self._die()

    def _die(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or SECONDS))
    except ValueError:
        return SECONDS
