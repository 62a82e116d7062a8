"""Messages of a topic."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, OnTopic, Topic
from tests.unit.constructs.test_triggering import job, refusal


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filter": {"jobName": "thumbs"}}, "jobName is 'thumbs'"),
        ({"filter": {"body": {"a": ["1"]}}}, "filter_on='body'"),
        ({"filter_on": "text"}, "filter_on 'text'"),
        ({"filter": []}, "filter []"),
        ({"filter_on": "body"}, "filter_on 'body' without a filter"),
        ({"filter": {"a": [{"wildcard": "b*"}]}}, "a has the operator 'wildcard'"),
        ({"filter": {"$or": [{"a": {"b": ["1"]}}, {"c": ["1"]}]}}, "filter: a is an object"),
        ({"filter": {name: ["1"] for name in "abcdef"}}, "filter: 6 keys"),
    ],
)
def test_a_filter_that_sns_would_refuse_is_refused(app: App, options: Any, said: str) -> None:
    assert said in refusal(app, OnTopic(Topic(app, "t"), **options))


def test_an_example_of_a_filter_is_one_of_a_topic(app: App) -> None:
    said = refusal(app, OnTopic(Topic(app, "t"), filter={"jobName": "thumbs"}))
    assert 'one such as {"jobName": ["thumbs"]}, each value a list' in said


def test_a_filter_looks_at_attributes_or_deep_into_the_body(app: App) -> None:
    topic = Topic(app, "t")
    deep = OnTopic(topic, filter={"body": {"a": ["1"]}}, filter_on="body")
    assert job(app, deep).triggers == (deep,)
    assert job(app, OnTopic(topic, filter={"a": ["1"]}), name="b").triggers


def test_a_topic_is_a_standard_one(app: App) -> None:
    assert "fifo=True" in refusal(app, OnTopic(Topic(app, "t", fifo=True)))
    assert "a Topic of this app" in refusal(app, OnTopic(None, name="t"))  # type: ignore[arg-type]
