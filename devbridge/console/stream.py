"""What pages are told while they are open: server-sent events, of what has changed, as it is now.

A page that does not read is told nothing more until it does, and then each thing once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from devbridge.console.changes import Changes
from devbridge.console.gate import HEADERS
from devbridge.console.listener import FUNCTIONS, LOG, STAGE
from devbridge.daemon.http import Exchange

log = logging.getLogger(__name__)

PAUSE: Final = 0.03
"""Seconds in which changes are gathered."""
SELDOM: Final = 0.5
"""Seconds between two changes of what pages ask for as a whole: each request changes a function."""
ALIVE: Final = 15.0
"""Seconds after which a page hears something, whatever has happened."""
BEHIND: Final = 1 << 18
"""Bytes that a page has not read, with which it is told nothing more."""
_HEADERS: Final = {**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

Look = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
"""Gives what there is to tell of things: the name of an event and its data, JSON."""


class _Page:
    def __init__(self, exchange: Exchange, run: str | None) -> None:
        self.exchange = exchange
        self.log = None if run is None else LOG + run
        self.knows = 0

    def wants(self, thing: str) -> bool:
        return thing == self.log or not thing.startswith(LOG)


class Streams:
    """The pages that are open, and what has changed for them. For the event loop's thread.

    Args:
        look: looks things up: each becomes ``event: NAME`` and ``data: JSON``, a line each.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._changes = Changes(secrets.token_hex(4))
        self._pages: set[_Page] = set()
        self._held: dict[str, bool] = {}
        """What was told just now, and whether it has changed again."""
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._pages)

    def open(self, exchange: Exchange, last_event: str, run: str | None) -> None:
        """A page listens, which knows that event, or none."""
        page = _Page(exchange, run)
        exchange.on_disconnect = lambda: self._pages.discard(page)
        exchange.begin(_HEADERS)
        known = self._changes.known(last_event) if last_event else self._changes.number
        missed = known is not None and self._changes.since(known) is None
        page.knows = self._changes.number if known is None or missed else known
        hello = f'{{"instance":"{self._changes.instance}"}}'.encode()
        self._send(page, page.knows, event("hello", hello))
        if known is None or missed:
            self._send(page, page.knows, _RESET)
        self._pages.add(page)
        if page.log is not None:
            self._changes.add(page.log)
        self._soon(PAUSE)

    def changed(self, thing: str) -> None:
        """Something has changed."""
        if thing.startswith(LOG) and not any(page.log == thing for page in self._pages):
            return
        if thing in (FUNCTIONS, STAGE):
            if thing in self._held:
                self._held[thing] = True
                return
            self._held[thing] = False
            asyncio.get_running_loop().call_later(SELDOM, self._release, thing)
        self._changes.add(thing)
        if self._pages:
            self._soon(PAUSE)

    def _release(self, thing: str) -> None:
        if self._held.pop(thing):
            self.changed(thing)

    async def close(self) -> None:
        """End all streams."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for page in self._pages:
            page.exchange.hang_up()
        self._pages.clear()

    def _soon(self, seconds: float) -> None:
        if self._task is None and (self._timer is None or seconds < ALIVE):
            if self._timer is not None and self._timer.when() <= self._now() + seconds:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._tell())
        self._task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or not self._pages:
            return
        if error := task.exception():
            log.error("pages could not be told what has changed", exc_info=error)
        number = self._changes.number
        late = any(page.knows < number and page.exchange.unsent <= BEHIND for page in self._pages)
        self._soon(PAUSE if late and error is None else ALIVE)

    async def _tell(self) -> None:
        """Tell each page what it does not know."""
        number = self._changes.number
        ready = [page for page in self._pages if page.exchange.unsent <= BEHIND]
        news = {page: self._changes.since(page.knows) for page in ready}
        wanted = {
            thing: None for page, new in news.items() for thing in new or () if page.wants(thing)
        }
        told = await self._look([*wanted]) if wanted else {}
        for page, new in news.items():
            events = [told[thing] for thing in new or () if page.wants(thing) and thing in told]
            if new is None:
                events = [_RESET]
            page.knows = number
            self._send(page, number, b"".join(events) or b": \n\n")

    def _send(self, page: _Page, number: int, events: bytes) -> None:
        """The id goes last: a page that was cut off before it has what it needs told again."""
        if events.endswith(b"\n\n") and not events.startswith(b":"):
            events = events[:-1] + f"id: {self._changes.event_id(number)}\n\n".encode()
        page.exchange.write(events)


def event(name: str, data: bytes) -> bytes:
    """An event of a page's stream. `data`: JSON without line ends."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


_RESET: Final = event("reset", b"{}")
