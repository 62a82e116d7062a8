from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Function,
    Job,
    RouteTo,
)
from devbridge.errors import HandlerNotFound, InvalidValue, UnknownBindTarget

START = "api/start.handler"


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
