"""Messages of a queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.constructs import App, OnQueue, Queue
from tests.unit.constructs.test_triggering import job, refusal


def test_ten_messages_come_at_once_unless_asked_otherwise(app: App) -> None:
    queue = Queue(app, "q")
    assert OnQueue(queue).at_once == 10
    assert OnQueue(queue, batch_size=1).at_once == 1
    assert OnQueue(queue, batch=5).at_once == 5
    assert OnQueue(queue, window="30 seconds").window_seconds == 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": True}, "batch_size True"),
        ({"batch": 20_000}, "batch 20000"),
        ({"batch": 5, "batch_size": 5}, "batch_size 5"),
        ({"batch_size": 11}, "without a window"),
        ({"window": "6 minutes"}, "window '6 minutes'"),
        ({"window": "0.5 seconds"}, "window"),
        ({"max_concurrency": 1}, "max_concurrency 1"),
        ({"max_concurrency": 1001}, "max_concurrency 1001"),
        ({"filter": {"body": "x"}}, "filter: body is 'x'"),
    ],
)
def test_what_lambda_would_refuse_is_refused(app: App, options: Any, said: str) -> None:
    assert said in refusal(app, OnQueue(Queue(app, "q"), **options))


def test_more_than_ten_need_a_window(app: App) -> None:
    assert job(app, OnQueue(Queue(app, "q"), batch_size=500, window="10 seconds")).triggers


def test_a_visibility_below_six_times_the_readers_timeout_is_refused_where_it_is_written(
    app: App,
) -> None:
    short = Queue(app, "short", visibility_timeout="59 seconds")
    assert "'1 minute' or more" in refusal(app, OnQueue(short))
    assert job(app, OnQueue(Queue(app, "long", visibility_timeout="60 seconds"))).triggers


def test_a_fifo_queue_needs_a_dead_letter_queue_of_its_own_and_has_no_window(app: App) -> None:
    assert "dead_letter" in refusal(app, OnQueue(Queue(app, "bare", fifo=True)))
    dead = Queue(app, "dead", fifo=True)
    steps = Queue(app, "steps", fifo=True, dead_letter=dead)
    assert "window" in refusal(app, OnQueue(steps, window="1 second"), name="b")
    assert "at most 10 of a FIFO queue" in refusal(app, OnQueue(steps, batch_size=11), name="b")
    assert job(app, OnQueue(steps), name="b").triggers


def test_a_queue_has_one_reader(app: App) -> None:
    queue = Queue(app, "q")
    job(app, OnQueue(queue))
    assert "one reader a queue" in refusal(app, OnQueue(queue), name="b")


def test_what_is_no_queue_is_refused(app: App) -> None:
    assert "a Queue of this app" in refusal(app, OnQueue("orders", name="o"))  # type: ignore[arg-type]


def test_the_filter_is_lambdas_text(app: App) -> None:
    trigger = OnQueue(Queue(app, "q"), filter={"body": {"kind": ["order"]}})
    assert json.loads(trigger.criteria() or "") == {"body": {"kind": ["order"]}}
    assert OnQueue(Queue(app, "r")).criteria() is None


def test_a_filter_looks_at_what_a_record_has(app: App) -> None:
    """Lambda deletes what does not match, and nothing would."""
    told = refusal(app, OnQueue(Queue(app, "q"), filter={"kind": ["order"]}))
    assert "filter: 'kind' is not allowed" in told
    assert "body, attributes, messageAttributes" in told
    either = {"$or": [{"body": {"a": ["1"]}}, {"boddy": {"a": ["2"]}}]}
    told = refusal(app, OnQueue(Queue(app, "either"), filter=either), name="either")
    assert "filter: '$or[1].boddy'; did you mean 'body'?" in told
    unknown = {"body": {"a": [{"cidr": "10.0.0.0/8"}]}}
    told = refusal(app, OnQueue(Queue(app, "unknown"), filter=unknown), name="unknown")
    assert "Lambda's event filtering knows: prefix, suffix" in told
    asked = {"messageAttributes": {"a": {"stringValue": ["1"]}}}
    assert job(app, OnQueue(Queue(app, "r"), filter=asked)).triggers
