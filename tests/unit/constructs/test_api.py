from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Cors,
    Function,
    FunctionAuthorizer,
    Job,
    JwtAuthorizer,
    LambdaAuthorizer,
    RouteTo,
)
from devbridge.errors import HandlerNotFound, InvalidValue, UnknownBindTarget

START = "api/start.handler"
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x"
JWT = JwtAuthorizer(ISSUER, audience=["app"])


def test_an_api_makes_one_function_for_each_handler(app: App) -> None:
    job = Job(app, "a", handler="jobs/a.handler")
    own = Function(app, "own", handler="api/start.get")
    api = Api(
        app,
        "api",
        routes={
            "POST /a": START,
            "PUT /a": START,
            "GET /a/{id}": "api/start.get",
            "$default": own,
        },
        bind=[job],
    )
    functions = [route.function.name for route in api.routes]
    assert functions == ["api-start", "api-start", "api-start-get", "own"]
    assert api.routes[0].function is api.routes[1].function
    assert api.routes[0].function.bind == (job,)
    assert own.bind == ()


@pytest.mark.parametrize(
    "routes",
    [
        {},
        [],
        {"/a": START},
        {"GET /a": 3},
        {"GET /a": "start"},
        {"GET /a": None},
        {"GET /a": RouteTo("start")},
        {"GET /{a}/x": START, "GET /{b}/x": START},
        {"GET /a": RouteTo(RouteTo(START))},  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_routes_that_are_not_allowed_are_refused(app: App, routes: Any) -> None:
    with pytest.raises(InvalidValue, match="Api 'api'"):
        Api(app, "api", routes=routes)


def test_routes_that_match_other_requests_may_look_alike(app: App) -> None:
    routes = ["GET /{a}", "GET /{a+}", "GET /{a}/x", "POST /{b}", "ANY /{c}"]
    assert len(Api(app, "api", routes=dict.fromkeys(routes, START)).routes) == 5


def test_another_apps_function_is_no_target(app: App) -> None:
    theirs = App("other")
    theirs.root = app.root
    function = Function(theirs, "f", handler=START)
    with pytest.raises(InvalidValue, match="a Function of this app"):
        Api(app, "api", routes={"GET /": function})


def test_a_handler_that_is_missing_is_an_error_of_the_api(app: App) -> None:
    with pytest.raises(HandlerNotFound, match=r"Api 'api': handler 'api/stop\.handler'"):
        Api(app, "api", routes={"GET /": "api/stop.handler"})


def test_the_bind_of_an_api_is_checked_though_it_makes_no_function(app: App) -> None:
    function, bind = Function(app, "f", handler=START), ["notes"]
    with pytest.raises(UnknownBindTarget, match="Api 'api'"):
        Api(app, "api", routes={"GET /": function}, bind=bind)  # type: ignore[arg-type]


# Authorizers


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


# CORS


def test_an_api_has_no_cors_unless_told(app: App) -> None:
    assert Api(app, "a", routes={"GET /": START}).cors is None
    assert Api(app, "b", routes={"GET /": START}, cors=True).cors == Cors()
    cors = Cors(
        allow_origins=["https://example.com", "https://*", "http://localhost:3000"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["X-Request-Id"],
        allow_credentials=True,
        max_age="1 day",
    )
    api = Api(app, "c", routes={"GET /": START}, cors=cors)
    assert api.cors is cors
    assert cors.max_age_seconds == 86400
    assert Cors().max_age_seconds is None


WRONG_CORS: list[tuple[Any, str]] = [
    ("*", "'*'"),
    (None, "None"),
    (Cors(allow_origins="*"), "allow_origins"),
    (Cors(allow_origins=["example.com"]), "allow_origins"),
    (Cors(allow_origins=["https://example.com/"]), "allow_origins"),
    (Cors(allow_methods=["get"]), "allow_methods"),
    (Cors(allow_methods=["ANY"]), "allow_methods"),
    (Cors(allow_headers=["a b"]), "allow_headers"),
    (Cors(expose_headers=[""]), "expose_headers"),
    (Cors(max_age="2 days"), "max_age"),
    (Cors(max_age=300), "max_age"),  # type: ignore[arg-type]
    (Cors(allow_credentials="yes"), "allow_credentials"),  # type: ignore[arg-type]
    (Cors(allow_credentials=True), "allow_origins"),
    (Cors(allow_credentials=True, allow_origins=["https://a.com"]), "allow_methods"),
]


@pytest.mark.parametrize(("cors", "named"), WRONG_CORS, ids=str)
def test_cors_that_is_not_allowed_is_refused(app: App, cors: Any, named: str) -> None:
    with pytest.raises(InvalidValue, match="Api 'api': cors") as caught:
        Api(app, "api", routes={"GET /": START}, cors=cors)
    assert named in caught.value.what
    assert app.constructs == []
