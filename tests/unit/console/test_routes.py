from __future__ import annotations

from http import HTTPStatus

import pytest

from devbridge.console import routes
from devbridge.console.api import Api
from devbridge.console.routes import ROUTES, Route, find
from devbridge.console.server import Server


@pytest.mark.parametrize("route", ROUTES, ids=lambda each: f"{each.method} {each.path}")
def test_somebody_answers_each(route: Route) -> None:
    own = (routes.DOCUMENT, routes.STATIC, routes.EVENTS, routes.LOG_FILE)
    assert route.call in own or callable(getattr(Api, route.call))
    assert route.answer is not None or route.call in own
    assert (route.body is None) == (route.method in ("GET", "DELETE"))
    assert route.does.endswith(".")
    assert Server.__doc__


def test_no_two_are_the_same() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    ("path", "call", "parts"),
    [
        ("/api/runs", "runs", {}),
        ("/api/runs/demo_prod_a%3A3f2a", "run", {"id": "demo_prod_a:3f2a"}),
        ("/api/runs/demo_prod_a:3f2a/log", "log", {"id": "demo_prod_a:3f2a"}),
        ("/api/runs/a%2Flog", "run", {"id": "a/log"}),
        ("/static/a/b.js", "static", {"name": "a/b.js"}),
        ("/", "document", {}),
    ],
)
def test_a_path_is_found_with_its_parts(path: str, call: str, parts: dict[str, str]) -> None:
    found = find("GET", path)
    assert isinstance(found, tuple)
    assert (found[0].call, found[1]) == (call, parts)


def test_what_is_not_found_says_why() -> None:
    assert find("GET", "/api/none") is HTTPStatus.NOT_FOUND
    assert find("PUT", "/api/runs") is HTTPStatus.METHOD_NOT_ALLOWED
