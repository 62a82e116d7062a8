"""Answers what the gate has let in: finds the route, asks in a thread, and encodes the answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from devbridge.console import model, refused, routes
from devbridge.console.api import Api
from devbridge.console.gate import HEADERS
from devbridge.console.listener import FUNCTIONS, LOG, RUN, STAGE, Heard
from devbridge.console.routes import Route
from devbridge.console.stream import BEHIND, PAUSE, Streams, event
from devbridge.console.subject import Subject
from devbridge.console.watching import watch
from devbridge.daemon.http import Exchange, Request
from devbridge.errors import DevbridgeError

log = logging.getLogger(__name__)

THREADS: Final = 4
FILES: Final = Path(__file__).with_name("static")
TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
}


_AS_FILE: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Disposition": 'attachment; filename="log.txt"',
}


class Server:
    """A console that somebody looks at. For the event loop's thread."""

    def __init__(self, subject: Subject, heard: Heard) -> None:
        self.api = Api(subject, heard)
        self.streams = Streams(self._look)
        self._pool = ThreadPoolExecutor(THREADS, "console")
        self._tasks: set[asyncio.Task[None]] = set()
        self._own: Mapping[str, Callable[[Request, Exchange, Mapping[str, str]], None]] = {
            routes.DOCUMENT: lambda _request, exchange, _parts: _file(exchange, "index.html"),
            routes.STATIC: lambda _request, exchange, parts: _file(exchange, parts["name"]),
            routes.EVENTS: self._events,
            routes.LOG_FILE: self._log_file,
        }
        heard.changed = self.streams.changed
        if not subject.live:
            self._go_on(watch(self._newest, self.streams.changed))

    async def close(self) -> None:
        """End what is under way."""
        await self.streams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.api.close()

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, sooner or later."""
        found = routes.find(request.method, request.path)
        if isinstance(found, HTTPStatus):
            _answer(exchange, *refused.status(found))
            return
        route, parts = found
        if (own := self._own.get(route.call)) is not None:
            try:
                own(request, exchange, parts)
            except Exception as error:
                _answer(exchange, *refused.by(error))
            return
        self._go_on(self._ask(exchange, lambda: _called(self.api, route, request, parts)))

    def _go_on(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, exchange: Exchange, ask: Callable[[], tuple[HTTPStatus, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            status, body = await loop.run_in_executor(self._pool, ask)
        except Exception as error:
            status, body = refused.by(error)
        _answer(exchange, status, body)

    def _events(self, request: Request, exchange: Exchange, _parts: Mapping[str, str]) -> None:
        query = _query(request, model.EventsWanted)
        last = request.headers.get("last-event-id", "")
        self.streams.open(exchange, last, query.run)

    def _log_file(self, _request: Request, exchange: Exchange, parts: Mapping[str, str]) -> None:
        self._go_on(self._send_log(exchange, parts["id"]))

    async def _send_log(self, exchange: Exchange, run_id: str) -> None:
        """A run's output as a file, at the pace of who reads it."""
        loop, pieces, begun = asyncio.get_running_loop(), self.api.log_file(run_id), False
        # The ledger belongs to the thread that has opened it.
        with ThreadPoolExecutor(1, "console-log") as alone:
            try:
                while (piece := await loop.run_in_executor(alone, next, pieces, b"")) or not begun:
                    if not begun:
                        begun = True
                        exchange.begin({**HEADERS, **_AS_FILE})
                    exchange.write(piece)
                    while exchange.unsent > BEHIND:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(PAUSE)
                    if exchange.hung_up:
                        break
            except Exception as error:
                if begun:
                    exchange.hang_up()  # what there is must not look like all of it
                _answer(exchange, *refused.by(error))
            finally:
                await loop.run_in_executor(alone, pieces.close)
        exchange.end()

    async def _newest(self) -> Mapping[str, model.Row] | None:
        """The newest runs, while somebody wants to know what becomes of them."""
        if not len(self.streams):
            return None
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, self.api.runs, model.RunsWanted())
        except Exception as error:
            log.info("the runs cannot be looked at: %s", error)
            return None
        return {row.id: row for row in found.runs}

    async def _look(self, things: Sequence[str]) -> Mapping[str, bytes]:
        loop = asyncio.get_running_loop()
        told = {thing: event(thing, b"{}") for thing in things if thing in (FUNCTIONS, STAGE)}
        ids = {thing: thing.removeprefix(RUN) for thing in things if thing.startswith(RUN)}
        if ids:
            rows = await loop.run_in_executor(self._pool, self.api.look, [*ids.values()])
            told |= {
                thing: event("run", msgspec.json.encode(rows[run_id]))
                for thing, run_id in ids.items()
                if run_id in rows
            }
        for thing in things:
            if thing.startswith(LOG):
                with contextlib.suppress(DevbridgeError):
                    run_id = thing.removeprefix(LOG)
                    end = await loop.run_in_executor(self._pool, self.api.log_end, run_id)
                    told[thing] = event("log", msgspec.json.encode(end))
        return told


def _called(
    api: Api, route: Route, request: Request, parts: Mapping[str, str]
) -> tuple[HTTPStatus, bytes]:
    given: dict[str, Any] = dict(parts)
    if route.query is not None:
        given["query"] = _query(request, route.query)
    if route.body is not None:
        if request.too_large:
            return refused.status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        given["body"] = _body(request, route.body)
    return route.status, msgspec.json.encode(getattr(api, route.call)(**given))


def _body(request: Request, kind: Any) -> Any:
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"it is not UTF-8: {error}") from None


def _query(request: Request, kind: Any) -> Any:
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    return msgspec.convert(given, kind, strict=False)


def _answer(exchange: Exchange, status: HTTPStatus, body: bytes) -> None:
    exchange.answer(status, body, HEADERS)


def _file(exchange: Exchange, name: str) -> None:
    """A file of the page's. What is asked for is only looked up among those there are."""
    found = {str(path.relative_to(FILES)): path for path in FILES.rglob("*") if path.is_file()}
    path = found.get(name)
    kind = TYPES.get(name.rpartition(".")[2])
    if path is None or kind is None:
        _answer(exchange, *refused.status(HTTPStatus.NOT_FOUND))
        return
    exchange.answer(HTTPStatus.OK, path.read_bytes(), {**HEADERS, "Content-Type": kind})
