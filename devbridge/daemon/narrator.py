"""The narrator: everything that happens is told once, in order, to everybody who listens."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from devbridge.daemon.told import Mood, Said, Told

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Shows, or keeps, what concerns it."""

    def on(self, event: Told) -> None:
        """Take what has happened; called in the event loop's thread, and never to wait."""


def _never(_callback: Callable[[], None]) -> bool:
    return False


class Narrator:
    """Tells its listeners, the first one first; one that breaks harms no other.

    Args:
        when_drained: False when there is room for more output; else it will call back, from any
            thread, when there is. See `devbridge.daemon.terminal.Terminal.when_drained`.
    """

    def __init__(
        self,
        listeners: Iterable[Listener] = (),
        *,
        when_drained: Callable[[Callable[[], None]], bool] = _never,
    ) -> None:
        self.when_drained = when_drained
        self._listeners = list(listeners)
        self._events: deque[Told] = deque()
        self._telling = False

    def add(self, listener: Listener) -> None:
        """Tell this one, too, from now on."""
        self._listeners.append(listener)

    def tell(self, event: Told) -> None:
        """Tell every listener. What listeners tell meanwhile comes after it, for all of them."""
        self._events.append(event)
        if self._telling:
            return
        self._telling = True
        try:
            while self._events:
                self._tell(self._events.popleft())
        finally:
            self._telling = False

    def say(self, text: str, mood: Mood = Mood.PLAIN) -> None:
        """Tell a sentence that is about no run and no job."""
        self.tell(Said(text, mood))

    def _tell(self, event: Told) -> None:
        for listener in self._listeners:
            try:
                listener.on(event)
            except Exception:
                log.exception("%s has not taken a %s", listener, type(event).__name__)
