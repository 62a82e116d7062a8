"""Queues that start a job: the app's, and the job's own."""

from __future__ import annotations

from devbridge.constructs import Job, OnQueue, OnTopic, Queue
from devbridge.constructs.app import loading
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered
from tests.unit.deploy.templates import allowed, of_type, properties, resources

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123"
ARN = "arn:aws:sqs:eu-west-1:123456789012:%s"
DEAD = {"Fn::GetAtt": ["SeeJobDeadLetters", "Arn"]}


def test_a_queue_that_starts_a_job_gives_its_messages_up_to_the_jobs(triggered: Triggered) -> None:
    template = triggered(
        lambda to: [OnQueue(to.queue, batch_size=1, max_concurrency=5, filter={"body": ["x"]})]
    )
    assert properties(template, "QQueue")["RedrivePolicy"] == {
        "deadLetterTargetArn": DEAD,
        "maxReceiveCount": 3,
    }
    assert properties(template, "QQueue")["VisibilityTimeout"] == 60
    mapping = properties(template, "SeeJobOnQueueQ")
    assert mapping["BatchSize"] == 1
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"body": ["x"]}'}]}


def test_a_window_is_lambdas(triggered: Triggered) -> None:
    template = triggered(lambda to: [OnQueue(to.queue, batch=50, window="1 minute")])
    mapping = properties(template, "SeeJobOnQueueQ")
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (50, 60)


def test_what_others_tell_waits_in_the_jobs_own_queue_for_14_days(triggered: Triggered) -> None:
    template = triggered(lambda to: [OnTopic(to.topic)])
    assert properties(template, "SeeJobInbox") == {
        "MessageRetentionPeriod": 14 * 24 * 3600,
        "SqsManagedSseEnabled": True,
        "VisibilityTimeout": 60,
        "RedrivePolicy": {"deadLetterTargetArn": DEAD, "maxReceiveCount": 5},
    }
    assert properties(template, "SeeJobDeadLetters") == {
        "MessageRetentionPeriod": 14 * 24 * 3600,
        "SqsManagedSseEnabled": True,
    }
    assert properties(template, "SeeJobReadsInbox")["EventSourceArn"] == {
        "Fn::GetAtt": ["SeeJobInbox", "Arn"]
    }


def test_a_dead_letter_queue_of_the_queues_own_is_taken(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnQueue]:
        dead = Queue(to.queue.app, "dead", encryption_key=KEY)
        return [OnQueue(Queue(to.queue.app, "orders", dead_letter=dead))]

    template = triggered(listen)
    own = {"Fn::GetAtt": ["DeadQueue", "Arn"]}
    assert properties(template, "OrdersQueue")["RedrivePolicy"]["deadLetterTargetArn"] == own
    for role in ("InvokerRole", "SeeJobRole"):
        assert allowed(template, role)["sqs:SendMessage"] == [DEAD, own]
        assert KEY in allowed(template, role)["kms:Decrypt"]


def test_queues_that_exist_are_read_and_sent_to_and_not_made(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnQueue]:
        return [OnQueue(Queue.existing(to.queue.app, "orders", arn=ARN % "orders"))]

    template = triggered(listen)
    assert properties(template, "SeeJobOnQueueOrders")["EventSourceArn"] == ARN % "orders"
    assert allowed(template, "InvokerRole")["sqs:ReceiveMessage"] == [ARN % "orders"]
    assert "OrdersQueue" not in resources(template)


def test_where_the_job_says_where_failures_go_no_queue_is_made(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnTopic]:
        app = to.topic.app
        failed = Queue.existing(app, "failed", arn=ARN % "failed")
        with loading(app.root):
            Job(app, "b", handler="jobs/a.handler", triggers=[OnTopic(to.topic)], on_failure=failed)
        return []

    template = triggered(listen)
    redrive = properties(template, "BJobInbox")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == ARN % "failed"
    assert [title for title in of_type(template, "AWS::SQS::Queue") if "Dead" in title] == []
