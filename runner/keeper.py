"""Keeps an attempt's checkpoints: in a thread of its own, so that nobody waits for a slow store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue


class Keeper:
    """Gives checkpoints to `keep`, one after the other: what is older than another one that waits,
    too, is left out."""

    def __init__(self, keep: Callable[[bytes], object], note: Callable[[str], object]) -> None:
        """`note` is told, once for each reason, that one could not be kept."""
        self._keep = keep
        self._note = note
        self._noted = ""
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, checkpoint: bytes) -> None:
        """Keep this one, and not those before. From one thread."""
        self._queue.put(checkpoint)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Return when the last one is kept, or could not be."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        last: bytes | None = None
        """That is not kept."""
        while True:
            item = self._queue.get()
            while item is not None:
                last = item
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            if last is not None:
                last = self._kept(last)
            if item is None:
                return

    def _kept(self, checkpoint: bytes) -> bytes | None:
        """Keep it; what is left to be kept."""
        try:
            self._keep(checkpoint)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if why != self._noted:
                self._noted = why
                self._note(f"a checkpoint could not be stored: {why}")
            return checkpoint
        self._noted = ""
        return None
