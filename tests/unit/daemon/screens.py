"""A terminal whose screen the tests can read, look at again, or leave unread."""

from __future__ import annotations

import os
import threading
from itertools import count

from devbridge.daemon.terminal import Terminal

DEADLINE = 30.0


class Screen:
    """A pipe in the place of a terminal. Nothing is read before `look`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self.terminal = Terminal(self._writer, colour=False)
        self._changed = threading.Condition()
        self._seen = bytearray()
        self._thread: threading.Thread | None = None
        self._off = False
        self._closed = False

    @property
    def fd(self) -> int:
        return self._writer

    def look(self) -> None:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_for(self, text: bytes) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: text in self._seen, DEADLINE), bytes(self._seen)

    @property
    def shows(self) -> bytes:
        with self._changed:
            return bytes(self._seen)

    def turn_off(self) -> None:
        """The window is closed: writing to it fails from now on."""
        self._off = True
        os.close(self._reader)

    def close(self) -> bytes:
        """End the printer; all that was printed."""
        if not self._closed:
            self._closed = True
            if self._thread is None and not self._off:
                self.look()
            self.terminal.close()
            os.close(self._writer)
            if self._thread is not None:
                self._thread.join(DEADLINE)
                os.close(self._reader)
        return self.shows

    def _read(self) -> None:
        while data := os.read(self._reader, 65536):
            with self._changed:
                self._seen += data
                self._changed.notify_all()


class Paper(Terminal):
    """A terminal that keeps its lines."""

    def __init__(self, *, colour: bool = False, width: int = 0) -> None:
        self.colour = colour
        self.text = ""
        self.columns = width
        self._lock = threading.Lock()
        self._held = {}
        self._numbers = count(1)

    @property
    def width(self) -> int:
        return self.columns

    def _put(self, data: bytes) -> None:
        self.text += data.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()
