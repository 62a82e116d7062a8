"""Requests to a route."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import Api, App, Job, JwtAuthorizer, OnRequest
from tests.unit.constructs.triggers.conftest import Refused

USERS = {"users": JwtAuthorizer("https://id.example.com", ["web"])}


@pytest.mark.parametrize(
    ("default", "given", "name"),
    [
        (None, None, None),
        ("users", None, "users"),
        ("users", "none", None),
        (None, "users", "users"),
    ],
)
def test_who_may_ask_is_as_the_api_says_or_the_trigger(
    app: App, default: str | None, given: str | None, name: str | None
) -> None:
    api = Api(app, "web", authorizers=USERS, authorizer=default)
    trigger = OnRequest(api, "ANY /thumbs", authorizer=given)
    assert Job(app, "see", handler="jobs/a.handler", triggers=[trigger]).triggers == (trigger,)
    assert (trigger.lets_in, trigger.label) == (name, "ANY /thumbs")


@pytest.mark.parametrize(
    ("route", "options", "told"),
    [
        ("/thumbs", {}, "route '/thumbs'"),
        (5, {}, "route 5"),
        ("FETCH /thumbs", {}, "route 'FETCH /thumbs'"),
        ("GET /things/{name}", {}, "not a route that Api 'web' has: 'GET /things/{id}'"),
        ("GET /thumbs", {"authorizer": "admins"}, "'users', 'none' (those of Api 'web'), or None"),
    ],
)
def test_a_route_that_cannot_be_is_refused(
    app: App, refused: Refused, route: Any, options: dict[str, Any], told: str
) -> None:
    api = Api(app, "web", routes={"GET /things/{id}": "api/start.handler"}, authorizers=USERS)
    assert told in refused(OnRequest(api, route, name="x", **options))


def test_a_route_starts_one_job(app: App, refused: Refused) -> None:
    api = Api(app, "web")
    said = refused(OnRequest(api, "GET /a/{b}", name="x"), OnRequest(api, "GET /a/{c}", name="y"))
    assert "GET /a/{} twice is not allowed" in said
    Job(app, "first", handler="jobs/a.handler", triggers=[OnRequest(api, "GET /a/{b}", name="x")])
    assert "GET /a/{} beside Job 'first'" in refused(OnRequest(api, "GET /a/{c}", name="y"))


def test_it_is_of_an_api(refused: Refused) -> None:
    assert "'web'" in refused(OnRequest("web", "GET /a", name="x"))  # type: ignore[arg-type]
