"""What the triggers of an app want."""

from __future__ import annotations

from datetime import timedelta

import pytest

from devbridge.constructs import App, Bucket, Job, OnObject, OnQueue, Queue
from devbridge.deploy.synth.triggers import wanted


@pytest.fixture
def job(app: App) -> Job:
    orders, files = Queue(app, "orders"), Bucket(app, "files")
    triggers = [OnQueue(orders), OnObject(files)]
    return Job(app, "see", handler="jobs/a.handler", triggers=triggers)


def queue(job: Job, index: int = 0) -> Queue:
    trigger = job.triggers[index]
    assert isinstance(trigger, OnQueue)
    return trigger.queue


def test_the_triggers_of_a_type_are_found(app: App, job: Job) -> None:
    assert list(wanted.triggers(app, OnObject)) == [(job, job.triggers[1])]
    assert wanted.readers(queue(job)) == [job]
    assert wanted.readers(Queue(app, "other")) == []


def test_a_queue_that_is_read_hides_its_messages_for_longer(app: App, job: Job) -> None:
    others = (Queue(app, "a"), Queue(app, "b", visibility_timeout="5 minutes"))
    found = [wanted.hidden(each) for each in (queue(job), *others)]
    assert found == [timedelta(seconds=60), timedelta(seconds=30), timedelta(minutes=5)]


def test_only_buckets_that_are_listened_to_tell_of_their_objects(app: App, job: Job) -> None:
    (files,) = [each.bucket for each in job.triggers if isinstance(each, OnObject)]
    assert wanted.tells_events(files)
    assert not wanted.tells_events(Bucket(app, "quiet"))


def test_a_job_has_queues_of_its_own_if_a_trigger_needs_them(app: App, job: Job) -> None:
    failed = Queue(app, "failed")
    read = OnQueue(Queue(app, "more"))
    plain = Job(app, "plain", handler="jobs/a.handler")
    other = Job(app, "other", handler="jobs/a.handler", triggers=[read], on_failure=failed)
    assert [wanted.has_inbox(each) for each in (job, plain, other)] == [True, False, False]
    assert [wanted.makes_dead_letters(each) for each in (job, plain, other)] == [True, False, False]
