"""A machine's output: bytes of a pipe to lines, and lines in batches to CloudWatch Logs."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

log = logging.getLogger("machines")

Event = dict[str, Any]
"""``timestamp`` (milliseconds since the epoch) and ``message``, which keeps its line's end."""

MAX_EVENT: Final = 256 * 1024 - 26
"""Bytes of one event, and below: of one batch, with 26 for each event; events of one batch.
CloudWatch Logs' quotas."""
MAX_BATCH: Final = 1024 * 1024
MAX_EVENTS: Final = 10_000
_CHUNK: Final = 1 << 16
_ENOUGH: Final = 1 << 20
"""Bytes that are read before they are sent: what prints faster than that waits."""
_INTERVAL: Final = 0.2
_AFTER_THE_END: Final = 1.0
"""Seconds for which output is awaited of a process that has left its machine's process group."""


class Log:
    """Sends what is written to `output`, and `line`s of the service's own, in their order."""

    def __init__(
        self, send: Callable[[list[Event]], object], *, now: Callable[[], float] = time.time
    ) -> None:
        self._send = send
        self._now = now
        self._read, self.output = os.pipe()
        os.set_blocking(self._read, False)
        self._lock = threading.Lock()
        self._partial = bytearray()
        self._events: list[Event] = []
        self._size = 0
        self._at = 0
        self._closing = threading.Event()
        self._pump = threading.Thread(target=self._run, name="machine-log", daemon=True)
        self._pump.start()

    def line(self, text: str) -> None:
        """Add a line of the service's own, after all that its processes have written before."""
        with self._lock:
            self._take()
            self._cut()
            stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
            self._add(f"[Container] {stamp} {text}\n".encode("utf-8", "replace"))

    def note(self, text: str) -> None:
        """Have a line among what is written that no service writes."""
        os.write(self.output, f"{text}\n".encode())

    def close(self) -> None:
        """Send what is left. What a process writes from now on is lost."""
        if not self._closing.is_set():
            self._closing.set()
            os.close(self.output)
            self._pump.join()
            os.close(self._read)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        sent = 0.0
        deadline = None
        while True:
            poll.poll(_INTERVAL * 1000)
            closing = self._closing.is_set()
            with self._lock:
                end = self._take()
                if closing and deadline is None:
                    deadline = time.monotonic() + _AFTER_THE_END
                last = end or (deadline is not None and time.monotonic() > deadline)
                if last:
                    self._cut()
                events: list[Event] = []
                if last or time.monotonic() - sent >= _INTERVAL or self._size >= _ENOUGH:
                    events, self._events = self._events, events
                    self._size = 0
            for batch in batches(events):
                try:
                    self._send(batch)
                except Exception as error:  # what runs goes on without its log
                    log.warning("output is lost: %s", error)
            if events:
                sent = time.monotonic()
            if last:
                return

    def _take(self) -> bool:
        """Read what is there; whether that was the end."""
        count = 0
        while count < _ENOUGH:
            try:
                data = os.read(self._read, _CHUNK)
            except BlockingIOError:
                return False
            if not data:
                return True
            count += len(data)
            *lines, rest = data.split(b"\n")
            for line in lines:
                self._partial += line
                self._add(bytes(self._partial) + b"\n")
                self._partial.clear()
            self._partial += rest
            while len(self._partial) > MAX_EVENT:
                end = _boundary(self._partial)
                self._add(bytes(self._partial[:end]))
                del self._partial[:end]
        return False

    def _cut(self) -> None:
        if self._partial:
            self._add(bytes(self._partial))
            self._partial.clear()

    def _add(self, line: bytes) -> None:
        self._at = max(self._at, int(self._now() * 1000))
        self._size += len(line)
        while line:
            end = _boundary(line)
            text, line = line[:end].decode("utf-8", "replace"), line[end:]
            self._events.append({"timestamp": self._at, "message": text})


def _boundary(data: bytes | bytearray) -> int:
    """How much of the data goes into one event, a character not cut in two."""
    end = min(len(data), MAX_EVENT)
    while MAX_EVENT - 4 < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Cut the events into what PutLogEvents takes at once."""
    batch: list[Event] = []
    size = 0
    for event in events:
        own = len(event["message"].encode("utf-8", "replace")) + 26
        if batch and (size + own > MAX_BATCH or len(batch) == MAX_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += own
    if batch:
        yield batch
