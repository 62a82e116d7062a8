"""Which trigger is meant, and what is sent to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.constructs import App, OnObject, OnQueue, OnTopic, Queue, Topic
from devbridge.errors import PayloadError, UnknownTrigger
from devbridge.messages.chosen import choose, content, payload, put, set_value
from tests.unit.messages.apps import named, trigger

ORDER = {
    "type": "object",
    "properties": {"num": {"type": "integer"}, "items": {"type": "array"}},
    "required": ["num"],
}


def test_the_only_trigger_need_not_be_named(app: App) -> None:
    assert choose(named(app, "one"), None, None).label == "first"
    assert choose(named(app, "thumbs"), "paid", None).label == "paid"
    assert choose(named(app, "thumbs"), None, "object").label == "files"
    assert choose(named(app, "thumbs"), "paid", "event").label == "paid"


@pytest.mark.parametrize(
    ("job", "name", "kind", "what"),
    [
        ("thumbs", None, None, "Job 'thumbs' has 4 triggers"),
        ("thumbs", None, "event", "Job 'thumbs' has 2 triggers of kind event"),
        ("thumbs", "pai", None, "no trigger called 'pai'; did you mean 'paid'?"),
        ("thumbs", None, "queue", "no trigger of kind queue"),
        (
            "thumbs",
            "paid",
            "topic",
            "no trigger called 'paid' and of kind topic: that is of kind event",
        ),
    ],
)
def test_who_names_none_or_several_is_told_which_there_are(
    app: App, job: str, name: str | None, kind: str | None, what: str
) -> None:
    with pytest.raises(UnknownTrigger) as raised:
        choose(named(app, job), name, kind)
    assert what in raised.value.what
    assert raised.value.remedy == (
        "name one with --on: files (object), tasks (topic), paid (event), scaled (event)"
    )


@pytest.mark.parametrize("token", ["a\nx-more: b", "a\r", "\u20ac"])
def test_a_token_that_is_no_header_is_refused(unqueued: App, token: str) -> None:
    asked = trigger(unqueued, "seen", "asked")
    with pytest.raises(PayloadError, match="--token cannot be sent") as refused:
        content(asked, None, None, token=token)
    assert token not in str(refused.value)


def test_a_job_that_has_none_is_invoked(app: App) -> None:
    with pytest.raises(UnknownTrigger, match="Job 'called' has no triggers") as raised:
        choose(named(app, "called"), None, None)
    assert "devbridge invoke called" in str(raised.value.remedy)


def test_a_message_is_an_example_of_what_the_job_takes(app: App) -> None:
    found = content(trigger(app, "one", "first"), ORDER, None)
    assert found.body == '{"num": 1}'
    assert not found.given
    assert content(trigger(app, "one", "first"), None, None).value == {
        "example": "of devbridge trigger"
    }


def test_one_message_of_a_batch_is_one_of_the_list(app: App) -> None:
    queue = OnQueue(Queue(app, "many"), batch=5)
    schema = {"type": "array", "items": {"$ref": "#/$defs/Order"}, "$defs": {"Order": ORDER}}
    found = content(queue, schema, None)
    assert found.value == {"num": 1}
    assert payload(queue, found) == [{"num": 1}]
    assert content(queue, {"type": "array"}, None).value == {}


def test_an_example_passes_the_filter(app: App) -> None:
    queue = OnQueue(Queue(app, "some"), filter={"body": {"kind": ["order"]}})
    assert content(queue, ORDER, None).value == {"num": 1, "kind": "order"}
    told = {"messageAttributes": {"kind": {"stringValue": ["order"]}}}
    queue = OnQueue(Queue(app, "others"), filter=told)
    assert content(queue, ORDER, None).attributes == {"kind": "order"}
    topic = OnTopic(Topic(app, "a"), filter={"kind": ["order"]}, filter_on="body")
    assert content(topic, ORDER, None).value == {"num": 1, "kind": "order"}
    tasks = content(trigger(app, "thumbs", "tasks"), ORDER, None)
    assert (tasks.value, tasks.attributes) == ({"num": 1}, {"kind": "thumbs", "size": 4})


def test_of_a_schedule_it_is_the_payload_that_it_has(app: App) -> None:
    often = trigger(app, "nightly", "often")
    assert content(often, ORDER, None).value == {"full": True}
    assert content(often, ORDER, None, [("full", False)]).value == {"full": False}


def test_what_is_given_is_sent_byte_for_byte(app: App) -> None:
    for text in ('{"num":  5}', "no JSON", "1e400"):
        found = content(trigger(app, "one", "first"), ORDER, text.encode())
        assert found.body == text
        assert found.given


def test_places_in_it_are_set(app: App) -> None:
    sets = [set_value("num=5"), set_value("items.0.name=a b"), set_value("x.y=true")]
    found = content(trigger(app, "one", "first"), ORDER, b'{"items": [{"price": 1}]}', sets)
    assert json.loads(found.body) == {
        "num": 5,
        "items": [{"price": 1, "name": "a b"}],
        "x": {"y": True},
    }


def test_a_list_grows_by_one_and_has_no_names() -> None:
    assert put([1], "1", 2) == [1, 2]
    assert put(None, "a.b", 1) == {"a": {"b": 1}}
    assert put({"a": 1}, "a", [0]) == {"a": [0]}
    for path in ("2", "x"):
        with pytest.raises(PayloadError, match="is no place in a list of 1"):
            put([1], path, 2)


def test_what_is_set_has_a_name() -> None:
    assert set_value("a==b") == ("a", "=b")
    for text in ("a", "=b"):
        with pytest.raises(ValueError, match=text):
            set_value(text)


def test_an_event_matches_its_pattern_and_has_the_payload_for_its_detail(app: App) -> None:
    found = content(trigger(app, "thumbs", "paid"), ORDER, None)
    assert found.value == {"num": 1, "state": "paid"}
    assert found.event == {"source": "shop", "detail-type": "devbridge trigger"}
    scaled = content(trigger(app, "thumbs", "scaled"), None, None)
    assert scaled.event == {
        "source": "aws.autoscaling",
        "detail-type": "devbridge trigger",
        "region": "us-west-2",
    }


def test_a_whole_event_or_its_detail_may_be_given(app: App) -> None:
    paid = trigger(app, "thumbs", "paid")
    assert content(paid, None, b'{"a": 1}').value == {"a": 1}
    whole = {"source": "other", "detail-type": "t", "detail": {"b": 2}, "id": "x"}
    found = content(paid, None, json.dumps(whole).encode(), [("c", 3)])
    assert found.value == {"b": 2, "c": 3}
    assert found.event == {"source": "other", "detail-type": "t", "id": "x"}


def test_an_object_has_a_key_that_is_heard_of(app: App) -> None:
    files = trigger(app, "thumbs", "files")
    assert content(files, None, None).value is None
    assert content(files, None, b"\xff", key="in/a.jpg").data == b"\xff"
    assert content(files, None, None, [set_value("key=in/a.jpg")]).value == "in/a.jpg"
    with pytest.raises(PayloadError) as raised:
        content(files, None, None, key="out/a.jpg")
    assert raised.value.where == "it hears of what begins with 'in/' and ends with '.jpg'"


@pytest.mark.parametrize(
    ("job", "name", "options", "why"),
    [
        ("thumbs", "files", {"sets": [("size", 5)]}, "only its key can be set"),
        ("one", "first", {"key": "x"}, "it is for triggers of kind object"),
        ("one", "first", {"given": b"\xff"}, "it takes text in UTF-8"),
        ("thumbs", "paid", {"given": b"no JSON"}, "it takes JSON"),
        ("thumbs", "paid", {"given": b"[1]"}, "EventBridge takes a JSON object"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    app: App, job: str, name: str, options: dict[str, Any], why: str
) -> None:
    options = {"schema": None, "given": None, **options}
    with pytest.raises(PayloadError) as raised:
        content(trigger(app, job, name), **options)
    assert why in str(raised.value.where)


def test_any_key_is_heard_of_by_a_trigger_without_prefix(app: App) -> None:
    files = trigger(app, "thumbs", "files")
    assert isinstance(files, OnObject)
    assert content(OnObject(files.bucket), None, None, key="x").value == "x"
