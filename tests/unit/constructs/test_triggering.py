"""What all triggers have in common."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Bucket,
    Job,
    OnEvent,
    OnObject,
    OnQueue,
    OnTopic,
    Queue,
    Topic,
)
from devbridge.errors import InvalidValue


def job(app: App, *triggers: Any, name: str = "a", **options: Any) -> Job:
    return Job(app, name, handler="jobs/a.handler", triggers=list(triggers), **options)


def refusal(app: App, *triggers: Any, **options: Any) -> str:
    with pytest.raises(InvalidValue) as caught:
        job(app, *triggers, **options)
    assert caught.value.where
    return f"{caught.value}"


def test_a_job_keeps_its_triggers_in_their_order(app: App) -> None:
    one, other = OnQueue(Queue(app, "q")), OnEvent({"source": ["shop"]}, name="shop")
    assert job(app, one, other).triggers == (one, other)
    assert job(app, name="b").triggers == ()


@pytest.mark.parametrize("wrong", ["queue", 1, [1], ["orders"]])
def test_what_is_no_trigger_is_refused(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="OnQueue"):
        Job(app, "a", handler="jobs/a.handler", triggers=wrong)


def test_a_trigger_is_called_by_what_it_listens_to_or_as_it_says(app: App) -> None:
    queue = Queue(app, "q")
    assert OnQueue(queue).label == "q"
    assert OnQueue(queue, name="orders").label == "orders"
    assert OnTopic(Topic(app, "t")).label == "t"
    assert OnObject(Bucket(app, "files")).label == "files"
    first, second = OnEvent({"source": ["aws.ec2"]}).label, OnEvent({"account": ["1"]}).label
    assert first.startswith("aws-ec2-")
    assert second.startswith("event-")


def test_two_of_one_name_are_refused_and_the_remedy_is_a_name(app: App) -> None:
    queue, topic = Queue(app, "some-thing"), Topic(app, "something")
    said = refusal(app, OnQueue(queue), OnTopic(topic))
    assert "both called 'something'" in said
    assert "name='other'" in said
    assert job(app, OnQueue(queue), OnTopic(topic, name="other")).triggers


@pytest.mark.parametrize("name", ["", "a b", "-a", 5, "ä"])
def test_a_name_is_one_as_a_constructs(app: App, name: Any) -> None:
    assert "name" in refusal(app, OnQueue(Queue(app, "q"), name=name))


def test_what_it_listens_to_is_of_the_same_app(app: App) -> None:
    assert "of this app" in refusal(app, OnQueue(Queue(App("other"), "q")))


@pytest.mark.parametrize(
    "make",
    [
        lambda app, **more: (OnQueue(own := Queue(app, "x"), **more), own),
        lambda app, **more: (OnTopic(own := Topic(app, "x"), **more), own),
        lambda app, **more: (OnObject(own := Bucket(app, "x"), **more), own),
    ],
)
def test_a_job_that_may_write_where_it_reads_is_refused_unless_told(app: App, make: Any) -> None:
    trigger, own = make(app)
    assert "loop=True" in refusal(app, trigger, bind=[own])
    told = type(trigger)(own, loop=True)
    assert job(app, told, bind=[own]).triggers == (told,)


def test_loop_is_true_or_false(app: App) -> None:
    assert "loop" in refusal(app, OnQueue(Queue(app, "q"), loop="yes"))  # type: ignore[arg-type]


def test_what_fails_does_not_come_back_to_who_has_failed_at_it(app: App) -> None:
    first, second, third = (Queue(app, each) for each in ("first", "second", "third"))
    told = refusal(app, OnQueue(first), name="a", on_failure=first)
    assert "a queue that Job 'a' does not read itself" in told
    job(app, OnQueue(first), name="b", on_failure=second)
    job(app, OnQueue(second), name="c", on_failure=third)
    told = refusal(app, OnQueue(third), name="d", on_failure=first)
    assert "whose own dead letters do not come back to what Job 'd' reads" in told
    back = Queue(app, "back", dead_letter=Queue(app, "end"))
    assert job(app, OnQueue(back), name="e", on_failure=first).on_failure is first


def test_on_failure_is_a_standard_queue_of_a_job_with_triggers(app: App) -> None:
    queue, failed = Queue(app, "q"), Queue(app, "failed")
    assert job(app, OnQueue(queue), on_failure=failed).on_failure is failed
    assert "only with triggers" in refusal(app, name="b", on_failure=failed)
    event = OnEvent({"source": ["s"]})
    assert "FIFO" in refusal(app, event, name="c", on_failure=Queue(app, "f", fifo=True))
    assert "of this app" in refusal(app, event, name="d", on_failure="failed")
