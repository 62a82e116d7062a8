"""What is refused of all triggers."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Bucket, Job, OnObject, OnQueue, OnTopic, Queue, Topic, Trigger
from devbridge.constructs.app import loading
from devbridge.constructs.triggers.base import MAX_PATTERN, pattern_problem
from devbridge.errors import InvalidValue
from tests.unit.constructs.triggers.conftest import Refused


@pytest.mark.parametrize("triggers", [None, "orders", 5, {"a": 1}])
def test_triggers_are_a_list(app: App, triggers: Any) -> None:
    with pytest.raises(InvalidValue, match=r"triggers .* is not allowed"):
        Job(app, "see", handler="jobs/a.handler", triggers=triggers)


def test_they_are_made_of_triggers(app: App) -> None:
    with pytest.raises(InvalidValue, match=r"trigger Queue.'orders'. is not allowed"):
        Job(app, "see", handler="jobs/a.handler", triggers=[Queue(app, "orders")])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "a b"}, "name 'a b'"),
        ({"name": 5}, "name 5"),
        ({"name": ""}, "name ''"),
        ({"loop": "yes"}, "loop 'yes'"),
    ],
)
def test_a_name_or_a_flag_that_is_none_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnQueue(Queue(app, "orders"), **options))


def test_what_is_listened_to_is_of_the_same_app(app: App, refused: Refused) -> None:
    with loading(app.root):
        other = Queue(App("other"), "orders")
    assert "a construct of this app" in refused(OnQueue(other))


def test_two_with_one_name_are_refused_until_one_has_another(app: App, refused: Refused) -> None:
    orders, news = Queue(app, "orders"), Topic(app, "orders")
    said = refused(OnQueue(orders), OnTopic(news))
    assert said == (
        "Job 'see': OnTopic and OnQueue are both called 'orders' |"
        " give one of them a name: OnTopic(..., name='other')"
    )
    triggers: list[Trigger] = [OnQueue(orders), OnTopic(news, name="news")]
    assert [
        each.label for each in Job(app, "b", handler="jobs/a.handler", triggers=triggers).triggers
    ] == ["orders", "news"]


def test_a_job_that_may_write_where_its_trigger_reads_is_refused_unless_told(app: App) -> None:
    files = Bucket(app, "files")
    with pytest.raises(InvalidValue, match=r"with bind=.Bucket 'files'. is not allowed") as caught:
        Job(app, "see", handler="jobs/a.handler", bind=[files], triggers=[OnObject(files)])
    assert "not without loop=True" in str(caught.value.remedy)
    triggers = [OnObject(files, loop=True)]
    assert Job(app, "see", handler="jobs/a.handler", bind=[files], triggers=triggers).triggers


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["shop"]},
        {"detail": {"state": ["running", None], "n": [{"numeric": [">", 5]}]}},
        {"$or": [{"a": ["b"]}, {"c": ["d"]}]},
    ],
)
def test_a_pattern_is_an_object_of_lists(pattern: Any) -> None:
    assert pattern_problem("filter", pattern) is None


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (None, "filter None"),
        ({}, "filter {}"),
        ("source", "filter 'source'"),
        ({"source": "shop"}, "filter: source is 'shop'"),
        ({"detail": {"a": {"b": 5}}}, "filter: detail.a.b is 5"),
        ({"detail": {}}, "filter: detail is {}"),
        ({"a": []}, "filter: a is []"),
        ({"$or": [{"a": ["b"]}]}, "filter: $or is no list of two patterns or more"),
        ({"a": [object]}, "filter {'a'"),
        ({"a": ["x" * MAX_PATTERN]}, "filter of 2,"),
    ],
)
def test_what_aws_would_refuse_of_a_pattern_is_refused_with_the_place(
    pattern: Any, told: str
) -> None:
    problem = pattern_problem("filter", pattern)
    assert problem is not None
    assert problem[0].startswith(told)
