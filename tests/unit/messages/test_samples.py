"""The events that invokers are called with: what reads them finds in each what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.messages.chosen import Content, content
from devbridge.messages.kinds import raw
from devbridge.messages.samples import Sample, asked, message_attributes
from runner.triggered import triggered
from stub_lambda.records import Listening
from stub_lambda.sources import source_of
from tests.unit.messages.apps import named, trigger


def read(event: Any, job: Job) -> list[Any]:
    """What `stub_lambda.sources` finds in an event: what the handlers get."""
    sample = Sample(job, "ann", job.triggers[0], Content(None))
    listening = Listening(inbox=sample.arn("sqs", f"{job.name.title()}JobInbox"))
    source = source_of(event)
    assert source is not None
    found = [triggered(each.start.payload) for each in source.starts(event, listening)]
    return [(each.kind, json.loads(each.payload)) for each in found if each is not None]


def of(app: App, name: str, sent: Content) -> list[Any]:
    """What the handler of the job `seen` gets of what is sent to that trigger."""
    found = named(app, "seen")
    return read(raw([Sample(found, "ann", trigger(app, "seen", name), sent)]), found)


@pytest.mark.parametrize(
    ("job", "name", "kind", "payload"),
    [
        ("one", "first", "queue", {"a": 1}),
        ("three", "in-order", "queue", {"a": 1}),
        ("thumbs", "tasks", "topic", {"a": 1}),
        ("thumbs", "paid", "event", {"a": 1}),
        ("thumbs", "scaled", "event", {"a": 1}),
        ("nightly", "often", "schedule", {"a": 1}),
    ],
)
def test_what_is_sent_is_what_the_handler_gets(
    app: App, job: str, name: str, kind: str, payload: Any
) -> None:
    sent = content(trigger(app, job, name), None, json.dumps(payload).encode())
    found = named(app, job)
    event = raw([Sample(found, "ann", trigger(app, job, name), sent)])
    assert read(event, found) == [(kind, payload)]


def test_the_object_that_is_put_is_what_the_handler_gets(app: App) -> None:
    found, files = named(app, "thumbs"), trigger(app, "thumbs", "files")
    ((kind, payload),) = read(
        raw([Sample(found, "ann", files, Content(None, data=b"abc"), number="0123456789abcdef")]),
        found,
    )
    assert kind == "object"
    assert payload == {
        "bucket": "devbridge-shop--ann--filesbucket-example",
        "key": "in/devbridge-01234567.jpg",
        "size": 3,
        "etag": "900150983cd24fb0d6963f7d28e17f72",
        "version": None,
        "event": "created",
    }


def test_what_a_stream_has_is_what_the_handler_gets(unqueued: App) -> None:
    sent = Content({"a": [1.5, None, True]})
    assert of(unqueued, "clicks", sent) == [("stream", sent.value)]


ROW = {"n": 5, "l": [True, None, {"m": "y"}]}


@pytest.mark.parametrize(
    ("event", "new", "old"),
    [("INSERT", ROW, None), ("MODIFY", ROW, {"n": 4}), ("REMOVE", None, ROW)],
)
def test_what_becomes_of_a_row_is_what_the_handler_gets(
    unqueued: App, event: str, new: Any, old: Any
) -> None:
    keys = {"id": "x", "at": "1"}
    value = {"event": event, "keys": keys, "new": new or {}, "old": old or {}}
    told = {name: row and {**keys, **row} for name, row in (("new", new), ("old", old))}
    ((kind, payload),) = of(unqueued, "notes", Content(value))
    assert (kind, payload) == ("table", {"event": event, "keys": keys, **told})


def test_a_line_of_a_log_is_what_the_handler_gets(unqueued: App) -> None:
    ((kind, said),) = of(unqueued, "speak", Content("ERROR: no"))
    assert (kind, said["logEvents"][0]["message"]) == ("log", "ERROR: no")


def test_the_body_of_a_request_is_what_the_handler_gets(unqueued: App) -> None:
    sent = Content({"a": 1})
    assert of(unqueued, "asked", sent) == [("request", {"a": 1})]
    assert of(unqueued, "front-1", sent) == [("load-balancer", {"a": 1})]


def test_a_request_has_a_method_and_a_path_that_are_let_through(unqueued: App) -> None:
    assert asked(trigger(unqueued, "seen", "asked")) == ("POST", "/see/example")
    assert asked(trigger(unqueued, "seen", "looked")) == ("GET", "/look")
    assert asked(trigger(unqueued, "seen", "front-1")) == ("PUT", "/img/example")


def test_several_are_one_call(app: App) -> None:
    found, first = named(app, "one"), trigger(app, "one", "first")
    event = raw([Sample(found, "ann", first, Content(number)) for number in range(3)])
    assert read(event, found) == [("queue", 0), ("queue", 1), ("queue", 2)]
    assert len({each["messageId"] for each in event["Records"]}) == 3


def test_attributes_have_the_types_that_filters_look_for() -> None:
    assert message_attributes({"a": "x", "b": 5, "c": True}) == {
        "a": {"DataType": "String", "StringValue": "x"},
        "b": {"DataType": "Number", "StringValue": "5"},
        "c": {"DataType": "String", "StringValue": "true"},
    }
