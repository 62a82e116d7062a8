from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import App, Bucket, Function, Queue, Topic
from devbridge.errors import InvalidValue


def test_a_queue_has_the_defaults_of_sqs_unless_a_job_reads_it(app: App) -> None:
    queue = Queue(app, "q")
    assert (queue.visibility_timeout, queue.retention) == (None, timedelta(days=4))
    assert (queue.fifo, queue.dead_letter, queue.max_receives) == (False, None, None)
    assert queue.removal is None


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"visibility_timeout": "0 seconds"}, "visibility_timeout", timedelta()),
        ({"visibility_timeout": "12 hours"}, "visibility_timeout", timedelta(hours=12)),
        ({"retention": "60 seconds"}, "retention", timedelta(minutes=1)),
        ({"retention": "14 days"}, "retention", timedelta(days=14)),
        ({"max_receives": 1}, "max_receives", 1),
        ({"max_receives": 1000}, "max_receives", 1000),
        ({"fifo": True}, "fifo", True),
        ({"removal": "retain"}, "removal", "retain"),
    ],
)
def test_values_that_are_allowed_are_kept(
    app: App, options: dict[str, Any], attribute: str, value: object
) -> None:
    assert getattr(Queue(app, "q", **options), attribute) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"visibility_timeout": "13 hours"},
        {"visibility_timeout": "1.5 seconds"},
        {"visibility_timeout": 30},
        {"retention": "59 seconds"},
        {"retention": "15 days"},
        {"max_receives": 0},
        {"max_receives": 1001},
        {"max_receives": True},
        {"fifo": "yes"},
        {"removal": "no"},
        {"dead_letter": "dlq"},
    ],
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"Queue 'q': {next(iter(wrong))}"):
        Queue(app, "q", **wrong)


@pytest.mark.parametrize("fifo", [True, False])
def test_a_dead_letter_queue_is_of_the_same_kind(app: App, fifo: bool) -> None:
    dead = Queue(app, "dead", fifo=fifo)
    assert Queue(app, "q", fifo=fifo, dead_letter=dead).dead_letter is dead
    with pytest.raises(InvalidValue, match=f"fifo={not fifo}"):
        Queue(app, "r", fifo=not fifo, dead_letter=dead)


def test_another_apps_queue_is_no_dead_letter_queue(app: App) -> None:
    dead = Queue(App("other"), "dead")
    with pytest.raises(InvalidValue, match="a Queue of this app"):
        Queue(app, "q", dead_letter=dead)


def test_a_topic_may_be_fifo(app: App) -> None:
    assert not Topic(app, "a").fifo
    assert Topic(app, "b", fifo=True).fifo
    wrong: Any = 1
    with pytest.raises(InvalidValue, match="Topic 'c': fifo 1"):
        Topic(app, "c", fifo=wrong)


# --- subscribers ---


def test_whoever_sns_delivers_to_may_subscribe(app: App) -> None:
    queue, function = Queue(app, "q"), Function(app, "f", handler="api/start.handler")
    many: list[Any] = ["ops@example.com", "https://hooks.example.com:8443/a?b=c", queue, function]
    assert Topic(app, "t", subscribers=many).subscribers == tuple(many)
    fifo = Queue(app, "fifo", fifo=True)
    assert Topic(app, "in-order", fifo=True, subscribers=[fifo, queue]).subscribers == (fifo, queue)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "ops", "ops@example", "@example.com", "a b@example.com", "a@b@example.com"),
        *("ops@example.com\n", "mailto:ops@example.com,", "http://example.com", "https://"),
        *("https://a b", "arn:aws:sqs:eu-west-1:123456789012:q", None, 1),
    ],
)
def test_what_sns_would_not_deliver_to_is_refused(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="Topic 't': subscriber ") as caught:
        Topic(app, "t", subscribers=[wrong])
    assert "an e-mail address, an https:// URL, a Queue or a Function" in str(caught.value.remedy)


def test_a_subscriber_is_one_of_this_app_once_and_in_a_list(app: App) -> None:
    other: Any = Queue(App("other"), "q")
    bucket: Any = Bucket(app, "b")
    for wrong in ([other], [bucket], ["a@example.com"] * 2):
        with pytest.raises(InvalidValue, match="Topic 't': subscriber "):
            Topic(app, "t", subscribers=wrong)
    with pytest.raises(InvalidValue, match="a list"):
        Topic(app, "t", subscribers="ops@example.com")


def test_a_topic_in_order_delivers_to_queues_and_to_fifo_queues_only_it_does(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Topic(app, "t", fifo=True, subscribers=["ops@example.com"])
    assert "queues only, with fifo=True" in str(caught.value.remedy)
    with pytest.raises(InvalidValue) as caught:
        Topic(app, "t", subscribers=[Queue(app, "q", fifo=True)])
    assert "a Topic with fifo=True" in str(caught.value.remedy)
