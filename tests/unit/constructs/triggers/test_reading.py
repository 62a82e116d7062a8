"""What workers can read: one queue, and nothing that only Lambda has."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Fargate, Job, OnEvent, OnQueue, OnTopic, Queue, Topic, Workers
from devbridge.errors import InvalidValue

HELD: Any = {"done": "succeeded"}


def job(app: App, *triggers: Any, **options: Any) -> Job:
    given: dict[str, Any] = {"timeout": "1 hour", "compute": Fargate(workers=Workers()), **options}
    return Job(app, "pack", handler="jobs/a.handler", triggers=triggers, **given)


def refusal(app: App, *triggers: Any, **options: Any) -> str:
    with pytest.raises(InvalidValue) as caught:
        job(app, *triggers, **options)
    return f"{caught.value.what} | {caught.value.remedy}"


def test_one_queue_or_the_jobs_own_is_read(app: App) -> None:
    assert job(app, OnQueue(Queue(app, "q"), **HELD)).triggers


def test_what_comes_to_the_jobs_own_queue_is_read_together(app: App) -> None:
    assert job(app, OnTopic(Topic(app, "t"), **HELD), OnEvent({"source": ["s"]}, **HELD)).triggers


def test_a_list_of_messages_may_be_one_run(app: App) -> None:
    assert job(app, OnQueue(Queue(app, "q"), batch=10, **HELD)).triggers


def test_without_a_queue_to_read_there_are_no_workers(app: App) -> None:
    assert "with no trigger is not allowed | allowed: exactly one" in refusal(app)


def test_a_trigger_whose_messages_go_when_they_are_accepted_is_named(app: App) -> None:
    said = refusal(app, OnQueue(Queue(app, "q")))
    assert "with OnQueue 'q' without done='succeeded' is not allowed | allowed: exactly one" in said


def test_no_window_is_advised_that_workers_have_not(app: App) -> None:
    said = refusal(app, OnQueue(Queue(app, "q"), batch=50, **HELD))
    assert "50 records at once is not allowed | allowed: at most 10 with workers" in said
    assert "window" not in said


def test_two_queues_are_refused(app: App) -> None:
    both = [OnQueue(Queue(app, "q"), **HELD), OnEvent({"source": ["s"]}, **HELD)]
    assert "with 2 queues to read" in refusal(app, *both)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"batch_size": 2}, "batch_size"),
        ({"batch": 2, "window": "5 seconds"}, "window"),
        ({"max_concurrency": 2}, "max_concurrency"),
        ({"filter": {"body": {"kind": ["order"]}}}, "filter"),
    ],
)
def test_what_only_lambda_has_is_refused(app: App, options: dict[str, Any], name: str) -> None:
    said = refusal(app, OnQueue(Queue(app, "q"), **HELD, **options))
    assert f"its {name} is not allowed | allowed: no {name}: it is Lambda's" in said


def test_a_message_is_hidden_for_twelve_hours_at_most(app: App) -> None:
    said = refusal(app, OnQueue(Queue(app, "q"), **HELD), timeout="3 hours")
    assert "with a timeout of 3 hours is not allowed" in said
    assert "2 hours at most, which one message may take" in said


def test_how_many_run_at_once_the_workers_say(app: App) -> None:
    said = refusal(app, OnQueue(Queue(app, "q"), **HELD), concurrency=2)
    assert "Workers(max=...) instead: messages wait in their queue" in said
