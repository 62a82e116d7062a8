"""Every route, asked by who may not."""

from __future__ import annotations

import re

import pytest

from devbridge.console.gate import API, EVENTS, HEADERS, METHODS
from devbridge.console.routes import ROUTES, Route

from .stages import Browser

WRITES = {"Content-Type": "application/json", "X-Devbridge": "1"}
IDS = [f"{route.method} {route.path}" for route in ROUTES]
ALL = pytest.mark.parametrize("route", ROUTES, ids=IDS)


def path(route: Route) -> str:
    return re.sub(r"\{[^}]+\}", "x", route.path)


def headers(browser: Browser, route: Route) -> dict[str, str]:
    """Those that let it in."""
    if route.method != "GET":
        return {**WRITES, "Origin": browser.origin}
    return {"Sec-Fetch-Site": "same-origin"}


@ALL
async def test_is_answered_by_nobody_without_the_cookie(browser: Browser, route: Route) -> None:
    stranger = Browser(browser.port)
    for cookie in ("", f"devbridge-{browser.port}=guessed", "other=1"):
        stranger.cookie = cookie
        answer = await stranger.send(route.method, path(route), headers(browser, route), "{}")
        assert answer.status == 401, answer
        assert "Set-Cookie" not in answer.headers
        assert answer.headers.items() >= HEADERS.items()


@ALL
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", ""])
async def test_is_answered_for_no_other_host(browser: Browser, route: Route, host: str) -> None:
    named = {"Host": host.format(port=browser.port)}
    given = {**headers(browser, route), **named}
    assert (await browser.send(route.method, path(route), given, "{}")).status == 403


@ALL
@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_is_answered_for_no_other_page(
    browser: Browser, route: Route, foreign: dict[str, str]
) -> None:
    given = {**headers(browser, route), **foreign}
    assert (await browser.send(route.method, path(route), given, "{}")).status == 403


@ALL
async def test_has_no_other_methods(browser: Browser, route: Route) -> None:
    there = {each.method for each in ROUTES if each.match(path(route)) is not None}
    own = {**WRITES, "Origin": browser.origin}
    for method in {*METHODS, "HEAD", "OPTIONS", "PATCH", "TRACE"} - there:
        assert (await browser.send(method, path(route), own)).status == 405, method


@pytest.mark.parametrize("route", [each for each in ROUTES if each.method != "GET"], ids=str)
@pytest.mark.parametrize("missing", ["Origin", "X-Devbridge", "Content-Type"])
async def test_is_no_write_for_a_form(browser: Browser, route: Route, missing: str) -> None:
    given = headers(browser, route)
    del given[missing]
    answer = await browser.send(route.method, path(route), given, "{}")
    assert answer.status == (415 if missing == "Content-Type" else 403)


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path.startswith(API)], ids=str)
async def test_is_opened_by_no_link(browser: Browser, route: Route) -> None:
    stranger = Browser(browser.port)
    answer = await stranger.send(route.method, f"{path(route)}?token=x.y", headers(browser, route))
    assert answer.status == 401


async def test_the_stream_is_one_of_them(browser: Browser) -> None:
    assert EVENTS in {route.path for route in ROUTES}
    assert (await browser.get(EVENTS)).status == 403, "no page of ours asks so"
