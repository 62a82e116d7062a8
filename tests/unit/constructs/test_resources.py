from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import Api, App, Function, Job, Table
from devbridge.errors import (
    AppError,
    DuplicateName,
    HandlerNotFound,
    InvalidValue,
    UnknownBindTarget,
)

HANDLER = "jobs/a.handler"


def test_a_job_has_sensible_defaults(app: App) -> None:
    job = Job(app, "a", handler=HANDLER)
    assert (job.timeout, job.memory_mb, job.retries) == (timedelta(hours=8), 3072, 0)
    assert app.of_type(Job) == [job]


def test_an_error_names_the_line_the_resource_the_value_and_what_is_allowed(app: App) -> None:
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, timeout="4 minutes")
    text = str(caught.value)
    assert f"test_resources.py:{line}" in text
    assert "Job 'a': timeout '4 minutes' is not allowed" in text
    assert "5 minutes to 36 hours" in text
    assert app.constructs == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": "37 hours"},
        {"memory_size": "4 GB"},
        {"memory_size": "7 GB", "architecture": "arm64"},
        {"architecture": "sparc"},
        {"retries": -1},
        {"retries": True},
        {"retry_delay": "2 hours"},
        {"concurrency": 0},
        {"concurrency": True},
        {"offline": "later"},
        {"offline": ["queue"]},
        {"environment": {"AWS_REGION": "x"}},
        {"handler": "jobs/a.py"[:-3]},
        {"permissions": ["s3:*"]},
        {"permissions": [{"actions": "s3:GetObject", "resources": ["*"]}]},
        {"permissions": [{"actions": ["*"], "resources": ["*"]}]},
        {"permissions": [{"actions": ["s3:GetObject"], "resources": ["bucket"]}]},
        {"bind": "notes"},
    ],
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="Job 'a'"):
        Job(app, "a", **{"handler": HANDLER, **wrong})


@pytest.mark.parametrize("name", ["", "1a", "a b", "a--b", "ä", "x" * 41, None])
def test_names_that_are_not_allowed_are_refused(app: App, name: Any) -> None:
    with pytest.raises(InvalidValue, match="name"):
        Table(app, name, partition_key="id")


def test_names_are_unique_among_constructs_of_a_type(app: App) -> None:
    Table(app, "notes", partition_key="id")
    Job(app, "notes", handler=HANDLER)
    with pytest.raises(DuplicateName, match="the same name"):
        Table(app, "notes", partition_key="id")


def test_names_that_would_share_an_environment_variable_are_duplicates(app: App) -> None:
    Table(app, "my-notes", partition_key="id")
    with pytest.raises(DuplicateName, match="differ only in"):
        Table(app, "my_notes", partition_key="id")


@pytest.mark.parametrize("make", [lambda app: "notes", lambda app: None, lambda app: app])
def test_a_bind_target_that_is_no_construct_is_unknown(
    app: App, make: Callable[[App], Any]
) -> None:
    Table(app, "notes", partition_key="id")
    with pytest.raises(UnknownBindTarget, match="Table 'notes'"):
        Job(app, "a", handler=HANDLER, bind=[make(app)])


def test_a_function_cannot_be_bound(app: App) -> None:
    function: Any = Function(app, "f", handler="api/start.handler")
    with pytest.raises(UnknownBindTarget):
        Job(app, "a", handler=HANDLER, bind=[function])


def test_another_apps_table_cannot_be_bound(app: App) -> None:
    theirs = Table(App("other"), "notes", partition_key="id")
    with pytest.raises(UnknownBindTarget):
        Job(app, "a", handler=HANDLER, bind=[theirs])


def test_a_handler_that_does_not_exist_is_named_with_what_does(app: App) -> None:
    with pytest.raises(HandlerNotFound, match=r"'jobs/b.py' does not exist(.|\n)*in 'jobs': a"):
        Job(app, "a", handler="jobs/b.handler")
    with pytest.raises(HandlerNotFound, match=r"no function 'run'(.|\n)*it has: handler"):
        Job(app, "a", handler="jobs/a.run")


def test_an_api_makes_one_function_for_each_handler(app: App) -> None:
    job = Job(app, "a", handler=HANDLER)
    own = Function(app, "own", handler="api/start.get")
    api = Api(
        app,
        "api",
        routes={
            "POST /a": "api/start.handler",
            "PUT /a": "api/start.handler",
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
    "routes", [{}, [], {"/a": "api/start.handler"}, {"GET /a": 3}, {"GET /a": "start"}]
)
def test_routes_that_are_not_allowed_are_refused(app: App, routes: Any) -> None:
    with pytest.raises(InvalidValue, match="Api 'api'"):
        Api(app, "api", routes=routes)


@pytest.mark.parametrize(
    "keys",
    [{"partition_key": ""}, {"partition_key": 3}, {"partition_key": "a", "sort_key": "a"}],
)
def test_table_keys_that_are_not_allowed_are_refused(app: App, keys: Any) -> None:
    with pytest.raises(InvalidValue, match="Table 't'"):
        Table(app, "t", **keys)


def test_the_first_argument_must_be_the_app() -> None:
    scope: Any = "demo"
    with pytest.raises(AppError, match="must be the App"):
        Table(scope, "notes", partition_key="id")


@pytest.mark.parametrize("name", ["Demo", "", "a_b", None])
def test_an_apps_name_is_checked(name: Any) -> None:
    with pytest.raises(InvalidValue, match="lower-case"):
        App(name)
