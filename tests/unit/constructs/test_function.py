from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Function,
    OnEvent,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    Queue,
    Schedule,
    Stream,
    Table,
)
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


def test_events_that_nobody_waits_for_are_tried_again_as_aws_does_unless_told(app: App) -> None:
    event = OnEvent({"source": ["shop"]}, name="sold")
    usual = Function(app, "a", handler=HANDLER, triggers=[event])
    assert (usual.retries, usual.max_age, usual.called_later) == (2, timedelta(hours=6), True)
    told = Function(app, "b", handler=HANDLER, triggers=[event], retries=0, max_age="1 minute")
    assert (told.retries, told.max_age) == (0, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("retries", 3, "0 to 2"),
        ("retries", True, "0 to 2"),
        ("max_age", "59 seconds", "1 minute to 6 hours"),
        ("max_age", "7 hours", "1 minute to 6 hours"),
    ],
)
def test_what_aws_would_not_try_is_refused(app: App, option: str, value: object, said: str) -> None:
    event = OnEvent({"source": ["shop"]}, name="sold")
    options: dict[str, Any] = {option: value}
    with pytest.raises(InvalidValue, match=f"Function 'a': {option} ") as raised:
        Function(app, "a", handler=HANDLER, triggers=[event], **options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "options", [{"retries": 1}, {"max_age": "1 hour"}, {"on_failure": "QUEUE"}]
)
def test_what_only_lambda_could_keep_is_refused_where_it_keeps_nothing(
    app: App, options: dict[str, Any]
) -> None:
    asked = OnRequest(Api(app, "w"), "GET /a")
    if "on_failure" in options:
        options = {"on_failure": Queue(app, "failed")}
    with pytest.raises(InvalidValue, match="only with"):
        Function(app, "a", handler=HANDLER, triggers=[asked], **options)
    with pytest.raises(InvalidValue, match="only with"):
        Function(app, "b", handler=HANDLER, **options)


def test_what_is_for_jobs_only_is_refused(app: App) -> None:
    stream, table = Stream(app, "s"), Table(app, "t", partition_key="id")
    for trigger in (
        OnQueue(Queue(app, "q"), batch=2),
        OnStream(stream, batch=2),
        OnTable(table, batch=2),
    ):
        with pytest.raises(InvalidValue, match="batch 2 is not allowed") as raised:
            Function(app, "a", handler=HANDLER, triggers=[trigger])
        assert "batch_size=..." in str(raised.value)
    with pytest.raises(InvalidValue, match="overlap False") as raised:
        Function(app, "a", handler=HANDLER, triggers=[Schedule("rate(1 hour)", overlap=False)])
    assert "reserved_concurrency=1" in str(raised.value)
    held = OnQueue(Queue(app, "held"), done="succeeded")
    with pytest.raises(InvalidValue, match="OnQueue: done='succeeded' is not allowed") as raised:
        Function(app, "a", handler=HANDLER, triggers=[held])
    assert "of a Job only" in str(raised.value)
    with pytest.raises(InvalidValue, match="offline 'queue' is not allowed"):
        Function(app, "a", handler=HANDLER, offline="queue")  # type: ignore[arg-type]


def test_a_queue_hides_its_messages_for_six_times_the_functions_timeout(app: App) -> None:
    queue = Queue(app, "q", visibility_timeout="2 minutes")
    with pytest.raises(InvalidValue, match="visibility_timeout='2 minutes'") as raised:
        Function(app, "a", handler=HANDLER, timeout="21 seconds", triggers=[OnQueue(queue)])
    assert "'126 seconds' or more" in str(raised.value)
    assert Function(app, "b", handler=HANDLER, triggers=[OnQueue(queue)]).triggers


def test_what_calls_itself_again_and_again_is_refused(app: App) -> None:
    queue = Queue(app, "q")
    with pytest.raises(InvalidValue, match="loop=True"):
        Function(app, "a", handler=HANDLER, bind=[queue], triggers=[OnQueue(queue)])
