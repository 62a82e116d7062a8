"""Messages of a queue."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Job, OnQueue, Queue
from tests.unit.constructs.triggers.conftest import Refused


def test_a_filter_is_lambdas(app: App) -> None:
    trigger = OnQueue(Queue(app, "orders"), filter={"body": {"b": [1], "a": ["x"]}})
    assert trigger.criteria() == '{"body": {"a": ["x"], "b": [1]}}'
    assert OnQueue(Queue(app, "others")).criteria() is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_concurrency": 1}, "max_concurrency 1"),
        ({"max_concurrency": 1001}, "max_concurrency 1001"),
        ({"max_concurrency": "5"}, "max_concurrency '5'"),
        ({"filter": {"body": "x"}}, "filter: body is 'x'"),
        ({"batch": 11}, "11 records at once is not allowed | allowed: at most 10 without a window"),
    ],
)
def test_what_lambda_does_not_have_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnQueue(Queue(app, "orders"), **options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"batch": 11, "window": "1 second"}, "window '1 second'"),
        ({"batch": 11}, "at most 10 of a FIFO queue"),
    ],
)
def test_a_fifo_queue_has_no_window(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    dead = Queue(app, "dead", fifo=True)
    assert told in refused(OnQueue(Queue(app, "orders", fifo=True, dead_letter=dead), **options))


def test_a_fifo_queue_has_a_dead_letter_queue_of_its_own(app: App, refused: Refused) -> None:
    assert "without dead_letter" in refused(OnQueue(Queue(app, "orders", fifo=True)))


def test_a_message_is_hidden_for_longer_than_it_is_read(app: App, refused: Refused) -> None:
    orders = Queue(app, "orders", visibility_timeout="59 seconds")
    assert "visibility_timeout='59 seconds'" in refused(OnQueue(orders))
    orders = Queue(app, "more", visibility_timeout="1 minute")
    assert Job(app, "see", handler="jobs/a.handler", triggers=[OnQueue(orders)]).triggers


def test_a_queue_has_one_reader(app: App, refused: Refused) -> None:
    orders = Queue(app, "orders")
    said = refused(OnQueue(orders), OnQueue(orders, name="again"))
    assert said == (
        "Job 'see': OnQueue: Queue 'orders' twice is not allowed |"
        " allowed: one reader a queue: each message has but one"
    )
    Job(app, "first", handler="jobs/a.handler", triggers=[OnQueue(orders)])
    assert "Queue 'orders' beside Job 'first' is not" in refused(OnQueue(orders))


def test_it_reads_a_queue(refused: Refused) -> None:
    assert "'orders'" in refused(OnQueue("orders", name="x"))  # type: ignore[arg-type]
