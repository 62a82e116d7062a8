"""The console's door: a socket that listens, and the links that open it. All else is made when the
first request is let in: who never looks pays next to nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from devbridge.console.gate import METHODS, Gate
from devbridge.console.keys import Keys
from devbridge.console.listener import Heard
from devbridge.console.subject import Subject
from devbridge.daemon.http import Exchange, HttpServer, Request
from runner.outcome import MAX_BODY

if TYPE_CHECKING:
    from devbridge.console.server import Server

FILE: Final = "console.json"
"""Below the stage's folder: its `Keys`."""
_ROOM: Final = 2 * MAX_BODY + 4096
"""Bytes of a request: the largest payload, as a text in JSON."""


class Door:
    """One stage's console. For the event loop's thread."""

    def __init__(self, subject: Subject, heard: Heard) -> None:
        self.heard = heard
        self._subject = subject
        self._file = subject.config.stage_dir / FILE
        self._gate = Gate(Keys())
        self._http = HttpServer(self._gate, self._handle, max_body=_ROOM, methods=METHODS)
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen where this stage's console has listened before, if that is free.

        Raises:
            OSError: no socket could be opened, or the keys cannot be kept.
        """
        keys = Keys.read(self._file)
        try:
            await self._http.start(keys.port)
        except OSError:
            await self._http.start()
        self._gate.keys = keys.opened(self._http.port)
        await asyncio.to_thread(self._gate.keys.write, self._file)

    @property
    def link(self) -> str:
        """A URL that opens it, once."""
        return self._gate.keys.link()

    async def close(self) -> None:
        """Listen no more. Idempotent."""
        if self._server is not None:
            await self._server.close()
        await self._http.close()
        keys, self._gate.keys = self._gate.keys, self._gate.keys.closed()
        if keys.launch and Keys.read(self._file).launch == keys.launch:  # no newer one listens
            await asyncio.to_thread(self._forget)

    def _forget(self) -> None:
        try:
            self._gate.keys.write(self._file)
        except OSError:  # a full disk: without the file, the next console has other keys
            self._file.unlink(missing_ok=True)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        if self._server is None:
            from devbridge.console.server import Server

            self._server = Server(self._subject, self.heard)
        self._server.handle(request, exchange)
