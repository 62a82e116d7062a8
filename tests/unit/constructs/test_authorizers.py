"""Who may call a route: what is taken and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Function,
    FunctionAuthorizer,
    Job,
    JwtAuthorizer,
    LambdaAuthorizer,
    RouteTo,
)
from devbridge.errors import InvalidValue

START = "api/start.handler"
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x"
JWT = JwtAuthorizer(ISSUER, audience=["app"])


def test_routes_are_open_by_default(app: App) -> None:
    api = Api(app, "api", routes={"GET /": START}, authorizers={"users": JWT})
    assert [route.authorizer for route in api.routes] == [None]
    assert api.authorizers == {"users": JWT}


def test_routes_have_the_apis_authorizer_or_their_own(app: App) -> None:
    api = Api(
        app,
        "api",
        routes={
            "GET /": START,
            "GET /admin": RouteTo(START, authorizer="admins"),
            "GET /health": RouteTo(START, authorizer="none"),
            "GET /more": RouteTo(START),
        },
        authorizers={"users": JWT, "admins": LambdaAuthorizer("api/auth.handler")},
        authorizer="users",
    )
    assert [route.authorizer for route in api.routes] == ["users", "admins", None, "users"]


def test_a_lambda_authorizers_handler_becomes_a_function_as_a_routes_does(app: App) -> None:
    job = Job(app, "a", handler="jobs/a.handler")
    own = Function(app, "own", handler="api/auth.handler")
    api = Api(
        app,
        "api",
        routes={"GET /": START},
        bind=[job],
        authorizers={
            "a": LambdaAuthorizer("api/auth.handler", ttl="5 minutes"),
            "b": LambdaAuthorizer(own, identity_sources=[]),
            "c": LambdaAuthorizer(START),
        },
    )
    a, b, c = (api.authorizers[name] for name in "abc")
    assert isinstance(a, FunctionAuthorizer)
    assert isinstance(b, FunctionAuthorizer)
    assert isinstance(c, FunctionAuthorizer)
    assert (a.function.name, a.function.bind, a.ttl_seconds) == ("api-auth", (job,), 300)
    assert a.identity_sources == ("$request.header.Authorization",)
    assert (b.function, b.ttl_seconds, b.identity_sources) == (own, 0, [])
    assert c.function is api.routes[0].function


@pytest.mark.parametrize("name", ["admins", "", 3])
def test_an_authorizer_that_is_not_defined_is_refused(app: App, name: Any) -> None:
    with pytest.raises(InvalidValue, match=r"authorizer (.|\n)*allowed: 'users', 'none'"):
        Api(app, "api", routes={"GET /": START}, authorizers={"users": JWT}, authorizer=name)
    routes = {"GET /x": RouteTo(START, authorizer=name)}
    with pytest.raises(InvalidValue, match=r"route 'GET /x': authorizer(.|\n)*'users', 'none'"):
        Api(app, "api2", routes=routes, authorizers={"users": JWT})


WRONG_AUTHORIZERS: list[tuple[Any, str]] = [
    ([JWT], "authorizers"),
    ({"none": JWT}, "'none'"),
    ({"a b": JWT}, "'a b'"),
    ({"a": "users"}, "'users'"),
    ({"a": JwtAuthorizer("http://issuer.example", ["x"])}, "issuer"),
    ({"a": JwtAuthorizer("accounts.google.com", ["x"])}, "issuer"),
    ({"a": JwtAuthorizer("http://localhost.evil.example/", ["x"])}, "issuer"),
    ({"a": JwtAuthorizer(ISSUER, [])}, "audience"),
    ({"a": JwtAuthorizer(ISSUER, "app")}, "audience"),
    ({"a": JwtAuthorizer(ISSUER, ["x"] * 51)}, "audience"),
    ({"a": JwtAuthorizer(ISSUER, ["x"], scopes="read")}, "scopes"),
    ({"a": JwtAuthorizer(ISSUER, ["x"], scopes=["x"] * 11)}, "scopes"),
    ({"a": JwtAuthorizer(ISSUER, ["x"], identity_source="Authorization")}, "identity_source"),
    ({"a": JwtAuthorizer(ISSUER, ["x"], identity_source="$context.x")}, "identity_source"),
    ({"a": LambdaAuthorizer("auth")}, "'auth'"),
    ({"a": LambdaAuthorizer(START, ttl="2 hours")}, "ttl"),
    ({"a": LambdaAuthorizer(START, ttl="1.5 seconds")}, "ttl"),
    ({"a": LambdaAuthorizer(START, identity_sources="$request.header.X")}, "identity_sources"),
    ({"a": LambdaAuthorizer(START, identity_sources=["X"])}, "identity_sources"),
    ({"a": LambdaAuthorizer(START, ttl="1 hour", identity_sources=[])}, "identity_sources"),
]


@pytest.mark.parametrize(("authorizers", "named"), WRONG_AUTHORIZERS, ids=str)
def test_authorizers_that_are_not_allowed_are_refused(
    app: App, authorizers: Any, named: str
) -> None:
    with pytest.raises(InvalidValue, match="Api 'api': ") as caught:
        Api(app, "api", routes={"GET /": START}, authorizers=authorizers)
    assert named in caught.value.what


@pytest.mark.parametrize(
    "authorizer",
    [
        JwtAuthorizer("http://127.0.0.1:4566/pool", ["x"]),
        JwtAuthorizer("http://localhost:4566/pool", ["x"]),
        JwtAuthorizer(ISSUER, ["x"] * 50, ["x"] * 10, "$request.querystring.token"),
        LambdaAuthorizer(
            START,
            ttl=timedelta(hours=1),
            identity_sources=["$context.routeKey", "$stageVariables.x", "$request.header.X-Y"],
        ),
    ],
)
def test_authorizers_that_are_allowed_are_taken(app: App, authorizer: Any) -> None:
    api = Api(app, "api", routes={"GET /": START}, authorizers={"a": authorizer})
    assert isinstance(api.authorizers["a"], type(authorizer))
