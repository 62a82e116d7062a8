"""Who may ask the console: one decision from a request's head, before anything else is done. Pure,
but for which links have been used.

A page of another site reaches this port as well as a page of ours does: by a form, by `fetch`, by a
name of its own that it lets point here. So a request needs our host, our cookie and, if it changes
anything, our origin and what no form can send. What is not allowed here is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from devbridge.console.keys import Keys
from devbridge.daemon.http import Refusal, Request

API: Final = "/api/"
EVENTS: Final = "/api/events"
WRITES: Final = ("POST", "PUT", "DELETE")
METHODS: Final = ("GET", *WRITES)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer has."""
_NO_SESSION: Final = (
    "this browser has no session here: open the link that `devbridge dev` has printed, or a new one"
    " with `devbridge console`"
)
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>devbridge</title>
<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">
<p>This browser is not let in: a link to the console works once, until the console is started anew.
<p>For a new one: <code>devbridge console</code> in the app's folder. Or <a href="/">try again</a>.
"""


class Gate:
    """Lets in who has the keys."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._used: set[str] = set()

    def __call__(self, request: Request) -> Refusal | None:
        """Why a request is not handled, or what it is answered with at once; None: it may go on."""
        if (refused := self._foreign(request)) is not None:
            return refused
        headers, path = request.headers, request.path
        if _is_page(request) and (token := parse_qs(request.query).get("token")):
            return self._opened(token[0], request)
        if not self._knows(headers.get("cookie", "")):
            return _nobody(path)
        if request.method in WRITES:
            return _write(headers)
        same = "origin" in headers or headers.get("sec-fetch-site") == "same-origin"
        if path == EVENTS and not same:
            return refusal(HTTPStatus.FORBIDDEN, "Origin", "only for the console's own page")
        return None

    def _foreign(self, request: Request) -> Refusal | None:
        """The refusal of what no page of ours sends."""
        headers, host = request.headers, request.headers.get("host", "")
        if host not in (f"127.0.0.1:{self.keys.port}", f"localhost:{self.keys.port}"):
            return refusal(HTTPStatus.FORBIDDEN, "Host", "this is no name of the console")
        if request.method not in METHODS:
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Method", "no such method")
        own = f"http://{host}"
        if headers.get("origin", own) != own or not _may_come_from_there(request):
            return refusal(HTTPStatus.FORBIDDEN, "Origin", "not for pages of other sites")
        return None

    def _opened(self, token: str, request: Request) -> Refusal:
        """The answer to a link: the cookie, and the page without the token in its address."""
        keys, headers = self.keys, dict[str, str]()
        if keys.made(token) and token not in self._used:
            self._used.add(token)
            cookie = f"{keys.cookie}={keys.session}; Path=/; HttpOnly; SameSite=Strict"
            headers = {"Set-Cookie": cookie}
        elif not self._knows(request.headers.get("cookie", "")):
            return _nobody(request.path)
        # Two slashes would be another host; for browsers these are slashes, too.
        to = "/" + request.path.lstrip("/\\")
        return Refusal(HTTPStatus.SEE_OTHER, b"", {**HEADERS, **headers, "Location": to})

    def _knows(self, cookies: str) -> bool:
        pairs = (each.strip().partition("=") for each in cookies.split(";"))
        return any(
            name == self.keys.cookie and self.keys.is_session(value) for name, _, value in pairs
        )


def _is_page(request: Request) -> bool:
    return request.method == "GET" and not request.path.startswith(API)


def _may_come_from_there(request: Request) -> bool:
    """Whether a browser may send it from where it does. One that does not say is believed: it has
    to have the cookie, which is for our own pages only."""
    if request.headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return _is_page(request) and request.headers.get("sec-fetch-mode") == "navigate"


def _write(headers: Mapping[str, str]) -> Refusal | None:
    if "origin" not in headers:
        return refusal(HTTPStatus.FORBIDDEN, "Origin", "a write needs the console's own origin")
    if headers.get("x-devbridge") != "1":
        return refusal(HTTPStatus.FORBIDDEN, "Header", "a write needs the header X-Devbridge: 1")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "ContentType", "a write is JSON")
    return None


def _nobody(path: str) -> Refusal:
    if path.startswith((API, "/static/")):
        return refusal(HTTPStatus.UNAUTHORIZED, "NoSession", _NO_SESSION)
    headers = {**HEADERS, "Content-Type": "text/html; charset=utf-8"}
    return Refusal(HTTPStatus.UNAUTHORIZED, _PAGE.encode(), headers)


def refusal(status: HTTPStatus, kind: str, message: str) -> Refusal:
    """An error of the API."""
    body = json.dumps({"error": {"type": kind, "message": message}}).encode()
    return Refusal(status, body, HEADERS)
