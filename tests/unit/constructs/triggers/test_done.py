"""When messages are deleted: what of it a job cannot have is refused where it is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Bucket,
    Fargate,
    Job,
    Lambda,
    OnEvent,
    OnObject,
    OnQueue,
    OnTopic,
    Queue,
    Schedule,
    Topic,
    Trigger,
)
from devbridge.constructs.triggers.done import TIMES, held, reading_time
from devbridge.errors import InvalidValue

HELD: Any = {"done": "succeeded"}


def job(app: App, *triggers: Trigger, **options: Any) -> Job:
    options = {"compute": Lambda(), "timeout": "1 minute", **options}
    return Job(app, "see", handler="jobs/a.handler", triggers=triggers, **options)


def refusal(app: App, *triggers: Trigger, **options: Any) -> str:
    with pytest.raises(InvalidValue) as caught:
        job(app, *triggers, **options)
    return f"{caught.value.what} | {caught.value.remedy}"


def test_every_trigger_whose_records_wait_in_a_queue_may_hold_them(app: App) -> None:
    triggers = [
        OnQueue(Queue(app, "q"), **HELD),
        OnTopic(Topic(app, "t"), **HELD),
        OnObject(Bucket(app, "b"), **HELD),
        OnEvent({"source": ["s"]}, **HELD),
        Schedule("rate(2 hours)", **HELD),
    ]
    assert list(held(job(app, *triggers).triggers)) == triggers


def test_by_default_a_message_is_deleted_when_its_run_is_accepted(app: App) -> None:
    assert list(held(job(app, OnQueue(Queue(app, "q"))).triggers)) == []


def test_a_message_at_a_time_is_read_unless_asked_otherwise(app: App) -> None:
    queue = Queue(app, "q")
    assert OnQueue(queue, **HELD).at_once == 1
    assert OnQueue(queue, batch_size=4, **HELD).in_turn == 4
    assert OnQueue(queue, batch=4, **HELD).in_turn == 1


@pytest.mark.parametrize(
    ("size", "timeout", "seconds"),
    [(1, "1 minute", 90), (4, "1 minute", 360), (1, "15 minutes", 900), (10, "1 minute", 900)],
)
def test_the_function_has_the_time_of_all_runs_of_an_invocation(
    app: App, size: int, timeout: str, seconds: int
) -> None:
    made = job(app, OnQueue(Queue(app, "q"), batch_size=size, **HELD), timeout=timeout)
    assert reading_time(made, made.triggers) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("trigger", "options", "said"),
    [
        ({"done": "ended"}, {}, "done 'ended' is not allowed | allowed: 'started' or 'succeeded'"),
        (HELD, {"compute": Fargate()}, "with compute=Fargate() is not allowed | allowed: with"),
        (
            HELD,
            {"timeout": "20 minutes"},
            "with a timeout of 20 minutes is not allowed | allowed: 15 minutes at most",
        ),
        ({**HELD, "batch_size": 4}, {"timeout": "5 minutes"}, "with 4 runs of 5 minutes"),
        ({**HELD, "batch_size": 3}, {"timeout": "5 minutes"}, "with 3 runs of 5 minutes"),
        (HELD, {"concurrency": 2}, "allowed: OnQueue(max_concurrency=...) instead"),
    ],
)
def test_what_cannot_be_is_refused(
    app: App, trigger: Any, options: dict[str, Any], said: str
) -> None:
    (app.root / "jobs/g.py").write_text("def handler(payload):\n    yield 1\n")
    made = {"handler": "jobs/a.handler", "compute": Lambda(), "timeout": "1 minute", **options}
    if made["timeout"] == "20 minutes":
        made["handler"] = "jobs/g.handler"
    with pytest.raises(InvalidValue) as caught:
        Job(app, "see", triggers=[OnQueue(Queue(app, "q"), **trigger)], **made)
    assert said in f"{caught.value.what} | {caught.value.remedy}"


def test_all_that_comes_to_the_jobs_own_queue_is_held_or_nothing(app: App) -> None:
    topic, event = OnTopic(Topic(app, "t"), **HELD), OnEvent({"source": ["s"]}, name="e")
    assert "done='succeeded' beside OnEvent 'e' with another one" in refusal(app, topic, event)
    assert job(app, topic, OnQueue(Queue(app, "q"))).triggers


def test_a_visibility_in_which_the_function_may_not_end_is_refused(app: App) -> None:
    least = TIMES * timedelta(seconds=90)
    short = Queue(app, "short", visibility_timeout=least - timedelta(seconds=1))
    assert "'9 minutes' or more, or none: 6 times" in refusal(app, OnQueue(short, **HELD))
    assert job(app, OnQueue(Queue(app, "long", visibility_timeout=least), **HELD)).triggers


def test_how_often_a_message_is_tried_is_said_once(app: App) -> None:
    dead = Queue(app, "dead")
    queue = Queue(app, "q", dead_letter=dead, max_receives=3)
    said = refusal(app, OnQueue(queue, **HELD))
    assert "with max_receives=3, where the job has retries=0 is not allowed" in said
    assert "retries=2 of the job, or max_receives=1 of the queue" in said
    assert job(app, OnQueue(queue, **HELD), retries=2).triggers


def test_a_queue_that_does_not_say_it_follows_the_job(app: App) -> None:
    queue = Queue(app, "q", dead_letter=Queue(app, "dead"))
    assert job(app, OnQueue(queue, **HELD), retries=1).triggers


def test_what_a_queue_says_is_not_passed_over_where_the_dead_letters_are_the_jobs(app: App) -> None:
    queue = Queue(app, "q", max_receives=9)
    assert "with max_receives=9, where" in refusal(app, OnQueue(queue, **HELD), retries=4)


def test_a_queue_that_gives_up_sooner_than_the_job_is_refused_too(app: App) -> None:
    queue = Queue(app, "q", dead_letter=Queue(app, "dead"), max_receives=2)
    assert "with max_receives=2, where" in refusal(app, OnQueue(queue, **HELD), retries=4)


@pytest.mark.parametrize("known", [False, True])
def test_of_a_fifo_queue_one_message_is_run_at_a_time(app: App, known: bool) -> None:
    queue = Queue(app, "q", fifo=True, dead_letter=Queue(app, "d", fifo=True), max_receives=1)
    if known:
        arn = "arn:aws:sqs:eu-west-1:123456789012:there.fifo"
        queue = Queue.existing(app, "there", arn=arn)
    said = "batch_size=2 of a FIFO queue with done='succeeded' is not allowed | allowed: 1, or none"
    assert said in refusal(app, OnQueue(queue, batch_size=2, **HELD))
    assert job(app, OnQueue(queue, batch=2, **HELD)).triggers


def test_of_a_queue_that_exists_nothing_is_known(app: App) -> None:
    arn = "arn:aws:sqs:eu-west-1:123456789012:there"
    assert job(app, OnQueue(Queue.existing(app, "there", arn=arn), **HELD)).triggers
