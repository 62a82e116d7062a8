from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import App, Function
from devbridge.errors import InvalidValue

HANDLER = "api/start.handler"


def test_a_function_has_sensible_defaults(app: App) -> None:
    function = Function(app, "a", handler=HANDLER)
    assert (function.timeout, function.memory_mb) == (timedelta(seconds=20), 512)
    assert app.of_type(Function) == [function]


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"timeout": "1 second"}, "timeout", timedelta(seconds=1)),
        ({"timeout": "15 minutes"}, "timeout", timedelta(minutes=15)),
        ({"memory_size": "128 MB"}, "memory_mb", 128),
        ({"memory_size": "10240 MB"}, "memory_mb", 10240),
        ({"runtime": "python3.11"}, "runtime", "python3.11"),
    ],
)
def test_values_that_are_allowed_are_kept(
    app: App, options: dict[str, Any], attribute: str, value: object
) -> None:
    assert getattr(Function(app, "a", handler=HANDLER, **options), attribute) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": "0 seconds"},
        {"timeout": "16 minutes"},
        {"memory_size": "127 MB"},
        {"memory_size": "11 GB"},
        {"runtime": "container"},
        {"handler": None},
        {"reserved_concurrency": -1},
        {"reserved_concurrency": 1001},
        {"reserved_concurrency": True},
        {"reserved_concurrency": "2"},
        {"environment": {"PATH": "/opt/tools/bin"}},
        {"environment": {"PYTHONHOME": "/opt/python"}},
        {"environment": {"PYTHONSAFEPATH": "1"}},
    ],
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"Function 'a': {next(iter(wrong))} "):
        Function(app, "a", **{"handler": HANDLER, **wrong})
    assert app.constructs == []


@pytest.mark.parametrize("reserved", [None, 0, 1000])
def test_concurrency_may_be_reserved_and_none_of_it_stops_a_function(
    app: App, reserved: int | None
) -> None:
    made = Function(app, "a", handler=HANDLER, reserved_concurrency=reserved)
    assert made.reserved_concurrency == reserved
