"""``log_forwarding=``: what is taken, and what is refused where it was written."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Function, Job, Queue
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue

STREAM = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:collect"
WRONG: list[Any] = [
    "",
    "a b",
    True,
    0,
    ["collect"],
    "arn:aws:kinesis:eu-west-1:123456789012:stream/logs",
    "arn:aws:firehose:eu-west-1:123456789012:logs",
    "arn:aws:lambda:eu-west-1:1:function:collect",
]


@pytest.mark.parametrize(
    "target", [STREAM, LAMBDA, f"{LAMBDA}:live", STREAM.replace("aws:", "aws-cn:"), "collect"]
)
def test_an_arn_or_a_name_is_taken_by_all(app: App, target: str) -> None:
    job = Job(app, "a", handler="jobs/a.handler", log_forwarding=target)
    assert job.log_forwarding == App("other", log_forwarding=target).log_forwarding == target


def test_a_function_of_the_app_is_taken(app: App) -> None:
    collect = Function(app, "collect", handler="api/start.handler")
    job = Job(app, "a", handler="jobs/a.handler", log_forwarding=collect)
    assert job.log_forwarding is collect


def test_nowhere_and_where_the_app_says_are_taken(app: App) -> None:
    job = Job(app, "a", handler="jobs/a.handler", log_forwarding=False)
    assert job.log_forwarding is False
    assert Job(app, "b", handler="jobs/a.handler").log_forwarding is None


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"(?s)log_forwarding .*Firehose stream") as caught:
        Job(app, "a", handler="jobs/a.handler", log_forwarding=wrong)
    assert "test_forwarding.py:" in str(caught.value)


@pytest.mark.parametrize("wrong", [*WRONG, False])
def test_an_app_refuses_the_same(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"log_forwarding .* is not allowed"):
        App("demo", log_forwarding=wrong)


def test_another_construct_and_another_apps_function_are_refused(app: App) -> None:
    with loading(app.root):
        other = Function(App("other"), "collect", handler="api/start.handler")
    job = Job(app, "b", handler="jobs/a.handler")
    for wrong in (other, Queue(app, "q"), job):
        with pytest.raises(InvalidValue, match="log_forwarding"):
            Job(app, "a", handler="jobs/a.handler", log_forwarding=wrong)
