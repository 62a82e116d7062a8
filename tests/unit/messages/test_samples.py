"""The events that invokers are called with: what reads them finds in each what was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from devbridge.constructs import App, Construct, Job, Trigger
from devbridge.errors import PayloadError
from devbridge.messages.chosen import Content, content
from devbridge.messages.samples import ALONE, RECORDS, Sample, message_attributes, raw
from runner.messages import Listening
from runner.triggered import triggered
from stub_lambda.sources import source_of
from tests.unit.messages.apps import named, trigger


@dataclass(frozen=True)
class Other(Trigger):
    """A trigger of a kind that has its own module elsewhere."""

    kind: ClassVar[str] = "other"

    @property
    def label(self) -> str:
        return "other"

    def problem(self, owner: Construct) -> None:
        del owner


def of_kind(kind_: str) -> Trigger:
    class Made(Other):
        kind = kind_

    return Made()


def read(event: Any, job: Job) -> list[Any]:
    """What `stub_lambda.sources` finds in an event: what the handlers get."""
    listening = Listening(
        inbox=Sample(job, "ann", Other(), Content(None)).arn("sqs", f"{job.name.title()}JobInbox")
    )
    source = source_of(event)
    assert source is not None
    found = [triggered(each.start.payload) for each in source.starts(event, listening)]
    return [(each.kind, json.loads(each.payload)) for each in found if each is not None]


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


@pytest.mark.parametrize("kind", ["stream"])
def test_what_a_stream_has_is_what_the_handler_gets(app: App, kind: str) -> None:
    found = named(app, "thumbs")
    event = raw([Sample(found, "ann", of_kind(kind), Content({"a": [1.5, None, True]}))])
    assert read(event, found) == [(kind, {"a": [1.5, None, True]})]


def test_what_the_handler_of_a_row_declares_makes_the_row(app: App) -> None:
    found = named(app, "thumbs")
    for value, row in (({"event": "INSERT", "new": {"a": 1}}, {"a": 1}), (5, {"id": 5})):
        ((_, payload),) = read(raw([Sample(found, "ann", of_kind("table"), Content(value))]), found)
        assert payload["new"] == row


def test_a_kind_without_a_sample_is_told(app: App) -> None:
    sample = Sample(named(app, "thumbs"), "ann", of_kind("load-balancer"), Content(1))
    with pytest.raises(PayloadError, match="of kind load-balancer"):
        raw([sample])


def test_a_row_is_what_the_handler_gets(app: App) -> None:
    found, row = named(app, "thumbs"), {"id": "x", "n": 5, "l": [True, None, {"m": "y"}]}
    event = raw([Sample(found, "ann", of_kind("table"), Content(row))])
    assert read(event, found) == [
        ("table", {"event": "INSERT", "keys": {"id": "x"}, "new": row, "old": None})
    ]


def test_a_line_of_a_log_and_a_request_are_what_the_handler_gets(app: App) -> None:
    found = named(app, "thumbs")
    ((kind, said),) = read(
        raw([Sample(found, "ann", of_kind("log"), Content("ERROR: no", "ERROR: no"))]), found
    )
    assert (kind, said["logEvents"][0]["message"]) == ("log", "ERROR: no")
    ((kind, payload),) = read(
        raw([Sample(found, "ann", of_kind("request"), Content({"a": 1}))]), found
    )
    assert kind == "request"
    assert {"a": 1} in (payload, *(payload.values() if isinstance(payload, dict) else ()))


def test_several_are_one_call(app: App) -> None:
    found, first = named(app, "one"), trigger(app, "one", "first")
    event = raw([Sample(found, "ann", first, Content(number)) for number in range(3)])
    assert read(event, found) == [("queue", 0), ("queue", 1), ("queue", 2)]
    assert len({each["messageId"] for each in event["Records"]}) == 3


def test_no_kind_is_in_both_tables() -> None:
    assert not RECORDS.keys() & ALONE.keys()


def test_attributes_have_the_types_that_filters_look_for() -> None:
    assert message_attributes({"a": "x", "b": 5, "c": True}) == {
        "a": {"DataType": "String", "StringValue": "x"},
        "b": {"DataType": "Number", "StringValue": "5"},
        "c": {"DataType": "String", "StringValue": "true"},
    }
