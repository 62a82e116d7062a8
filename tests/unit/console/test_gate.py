from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from devbridge.console.gate import HEADERS, Gate
from devbridge.console.keys import Keys
from devbridge.daemon.http import Refusal, Request

PORT = 4711
HERE = f"http://127.0.0.1:{PORT}"


class Visitor:
    """A browser, and the gate that it stands before."""

    def __init__(self) -> None:
        self.keys = Keys().opened(PORT)
        self.gate = Gate(self.keys)
        self.cookie = f"{self.keys.cookie}={self.keys.session}"

    def ask(self, path: str, method: str = "GET", **headers: str | None) -> Refusal | None:
        given: dict[str, str | None] = {"host": f"127.0.0.1:{PORT}", "cookie": self.cookie}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in given.items() if value is not None}
        where, _, query = path.partition("?")
        return self.gate(Request(method, where, sent, b"", query=query))

    def write(self, method: str = "POST", **headers: str | None) -> Refusal | None:
        own = {"origin": HERE, "x_devbridge": "1", "content_type": "application/json"}
        return self.ask("/api/runs", method, **{**own, **headers})


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def status(refused: Refusal | None) -> HTTPStatus | None:
    return None if refused is None else refused.status


def kind(refused: Refusal | None) -> str:
    assert refused is not None
    assert refused.headers.items() >= HEADERS.items()
    return str(json.loads(refused.body)["error"]["type"])


def test_who_has_the_cookie_may_read_and_write(visitor: Visitor) -> None:
    assert visitor.ask("/") is None
    assert visitor.ask("/api/runs") is None
    assert visitor.ask("/api/runs", sec_fetch_site="same-origin") is None
    for method in ("POST", "PUT", "DELETE"):
        assert visitor.write(method) is None
    other = f"localhost:{PORT}"
    assert visitor.write(host=other, origin=f"http://{other}") is None


@pytest.mark.parametrize("path", ["/", "/runs", "/static/app.js", "/api/runs", "/api/events", "/x"])
def test_nobody_gets_anything_without_the_cookie(visitor: Visitor, path: str) -> None:
    assert status(visitor.ask(path, cookie=None)) is HTTPStatus.UNAUTHORIZED
    for wrong in ("", "a=b", f"{visitor.keys.cookie}=x", f"devbridge-1={visitor.keys.session}"):
        assert status(visitor.ask(path, cookie=wrong)) is HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"[::1]:{PORT}"],
)
def test_a_name_that_somebody_else_lets_point_here_is_refused(visitor: Visitor, host: str) -> None:
    assert kind(visitor.ask("/api/runs", host=host)) == "Host"
    assert kind(visitor.ask(f"/?token={visitor.keys.link()}", host=host)) == "Host"


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", f"https://127.0.0.1:{PORT}", f"http://localhost:{PORT}",
     f"{HERE}.evil.example", "http://127.0.0.1:1"],
)  # fmt: skip
def test_a_page_of_another_origin_is_refused_whatever_it_asks(
    visitor: Visitor, origin: str
) -> None:
    assert kind(visitor.write(origin=origin)) == "Origin"
    assert kind(visitor.ask("/api/runs", origin=origin)) == "Origin"
    assert kind(visitor.ask("/api/events", origin=origin)) == "Origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_what_a_browser_says_to_come_from_another_site_is_refused(
    visitor: Visitor, site: str
) -> None:
    assert kind(visitor.ask("/api/runs", sec_fetch_site=site)) == "Origin"
    assert kind(visitor.ask("/static/app.js", sec_fetch_site=site)) == "Origin"
    assert kind(visitor.ask("/api/x", sec_fetch_site=site, sec_fetch_mode="navigate")) == "Origin"
    # A link to the console may be anywhere; its cookie does not come with it.
    assert visitor.ask("/runs", sec_fetch_site=site, sec_fetch_mode="navigate") is None


def test_a_write_needs_what_no_form_can_send(visitor: Visitor) -> None:
    assert kind(visitor.write(origin=None)) == "Origin"
    assert kind(visitor.write(x_devbridge=None)) == "Header"
    assert kind(visitor.write(x_devbridge="2")) == "Header"
    for wrong in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        assert kind(visitor.write(content_type=wrong)) == "ContentType"
    assert visitor.write(content_type="application/json; charset=utf-8") is None


def test_a_stream_is_for_the_consoles_own_page(visitor: Visitor) -> None:
    assert kind(visitor.ask("/api/events")) == "Origin"
    assert visitor.ask("/api/events", sec_fetch_site="same-origin") is None
    assert visitor.ask("/api/events", origin=HERE) is None


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get"])
def test_other_methods_are_none(visitor: Visitor, method: str) -> None:
    assert status(visitor.ask("/", method)) is HTTPStatus.METHOD_NOT_ALLOWED


def test_a_link_opens_once_and_leaves_its_token_behind(visitor: Visitor) -> None:
    path = visitor.keys.link("/runs/3f2a").removeprefix(HERE)
    opened = visitor.ask(path, cookie=None)
    assert opened is not None
    assert (opened.status, opened.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/runs/3f2a")
    assert opened.headers["Set-Cookie"] == f"{visitor.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    used = visitor.ask(path, cookie=None)
    assert used is not None
    assert used.status is HTTPStatus.UNAUTHORIZED
    assert b"devbridge console" in used.body
    assert "Set-Cookie" not in used.headers
    # Who was let in before comes in with any link.
    again = visitor.ask(path)
    assert again is not None
    assert again.status is HTTPStatus.SEE_OTHER
    assert "Set-Cookie" not in again.headers


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example/x", "/\\/evil.example/x"])
def test_a_link_leads_to_no_other_host(visitor: Visitor, path: str) -> None:
    opened = visitor.ask(visitor.keys.link(path).removeprefix(HERE), cookie=None)
    assert opened is not None
    assert opened.headers["Location"] == "/evil.example/x"


def test_a_token_opens_nothing_of_the_api(visitor: Visitor) -> None:
    path = visitor.keys.link("/api/runs").removeprefix(HERE)
    assert status(visitor.ask(path, cookie=None)) is HTTPStatus.UNAUTHORIZED


def test_scripts_are_our_own_and_no_page_may_frame_us() -> None:
    policy = dict(
        each.strip().split(" ", 1) for each in HEADERS["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "Access-Control-Allow-Origin" not in HEADERS
