"""Requests as they come, byte for byte, over HTTP/1.1: llhttp's parser, its limits, no connection.

What breaks the protocol or a limit, or may not be here, is a refusal, and the last that comes. A
request is refused when its head has come, before any of its body is kept.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

import httptools

log = logging.getLogger(__name__)

MAX_HEAD: Final = 16 * 1024
"""Bytes that a request's first line and headers may have."""
MAX_DISCARDED: Final = 256 * 1024 * 1024
"""Bytes of an oversized body that are read away, so that the peer is able to hear the answer."""
_AROUND: Final = len(": \r\n")


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `headers` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    """The body was over the limit; it was read away, and `body` is empty."""
    query: str = ""
    """What follows the path, without its question mark."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request is answered with that is not let in; its connection is closed then."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """A request has come."""

    request: Request
    stays: bool
    """Its connection does, after the answer."""
    chunked: bool
    """Its answer may come in pieces of which each says how long it is."""


class Continue:
    """The peer waits to hear that the body of its request is wanted."""


class Endless:
    """A body is longer than is read away: there is no peer to answer."""


Gate = Callable[[Request], Refusal | None]
Came = Whole | Refusal | Continue | Endless
_MALFORMED: Final = Refusal(HTTPStatus.BAD_REQUEST, b'{"errorType":"InvalidRequest"}')
_TOO_LARGE: Final = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"{}")
# HEAD allows no body
_NO_METHOD: Final = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, b"")


class Requests:
    """Those of one connection. The methods that begin with ``on_`` are the parser's to call.

    Args:
        gate: why a request is refused, by its head.
        methods: the others are refused.
        max_body: bytes of a body that are kept.
    """

    def __init__(self, gate: Gate, methods: Collection[bytes], max_body: int) -> None:
        self._gate = gate
        self._methods = methods
        self._max_body = max_body
        self._parser = httptools.HttpRequestParser(self)
        self._came: deque[Came] = deque()
        self._deaf = False
        """One was refused: nothing more is read."""
        self._in_head = False
        self.under_way = False
        """A part of a request has come."""
        self._size = 0
        """Bytes of the head that comes, or of the body."""
        self._url, self._headers = b"", dict[str, str]()
        self._head = Request("", "", self._headers, b"")
        self._body = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether there is a `next`."""
        return bool(self._came)

    def next(self) -> Came | None:
        """What has come, in order."""
        return self._came.popleft() if self._came else None

    def feed(self, data: bytes) -> None:
        """More bytes of the connection."""
        if self._deaf:
            return
        in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Not its text: that quotes the request, and the path has a token in it.
            log.info("malformed request")
            self._refuse(_MALFORMED)
        if in_head and self._in_head:  # of a field that has not ended nothing else is known yet
            self._grows(len(data))

    def _refuse(self, how: Refusal | Endless) -> None:
        if not self._deaf:
            self._deaf, self.under_way = True, False
            self._came.append(how)

    def _grows(self, count: int) -> None:
        self._size += count
        if self._size > MAX_HEAD:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._url, self._headers, self._size = b"", {}, 0
        self._in_head = self.under_way = not self._deaf

    def on_url(self, part: bytes) -> None:
        """A part of what it asks for."""
        self._url += part
        self._grows(len(part))

    def on_header(self, name: bytes, text: bytes) -> None:
        """A whole field, of the head or behind the body."""
        if not self._in_head:
            return
        self._grows(len(name) + len(text) + _AROUND)
        key = name.decode("latin-1").lower()
        if key == "host" and key in self._headers:
            self._refuse(_MALFORMED)
        self._headers[key] = text.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._size = False, 0
        method = self._parser.get_method()
        if method not in self._methods:
            self._refuse(_NO_METHOD)
        elif not self._url.isascii() or (self._is_current() and "host" not in self._headers):
            self._refuse(_MALFORMED)
        if self._deaf:
            return
        path, _, query = self._url.decode("ascii").partition("?")
        self._head = Request(method.decode("ascii"), path, self._headers, body=b"", query=query)
        if (refusal := self._gate(self._head)) is not None:
            self._refuse(refusal)
        elif self._headers.get("expect", "").lower() == "100-continue":
            self._came.append(Continue())

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._size += len(part)
        if self._size > MAX_DISCARDED:
            self._refuse(Endless())
        elif self._size <= self._max_body and not self._deaf:
            self._body += part

    def on_message_complete(self) -> None:
        """The last byte of the request."""
        self.under_way = False
        if self._deaf:
            return
        too_large = self._size > self._max_body
        body = b"" if too_large else bytes(self._body)
        self._body.clear()
        request = replace(self._head, body=body, too_large=too_large)
        stays = self._parser.should_keep_alive()
        self._came.append(Whole(request, stays, chunked=self._is_current()))

    def _is_current(self) -> bool:
        return self._parser.get_http_version() == "1.1"
