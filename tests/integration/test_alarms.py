"""Who is told of what is in a dead-letter queue, and what of a stage other stacks import, on the
embedded cloud."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devbridge import deploy as deployment
from devbridge.cloud.session import Cloud
from devbridge.constructs.load import load_app
from devbridge.deploy import Request
from devbridge.deploy.remove import remove
from devbridge.errors import DeployError
from tests.integration.emulator.inside.corrections.test_refusals import create
from tests.integration.test_any_app_deploys import fast

APP = """\
from devbridge import Alarm, App, Bucket, CompositeAlarm, Function, Queue, Topic

app = App("watch")
dead = Queue(app, "dead", retention="14 days")
told = Queue(app, "told")
files = Bucket(app, "files", removal="delete")
tell = Function(
    app, "tell", handler="api/tell.handler", bind=[told], reserved_concurrency=2
)
ops = Topic(app, "ops", subscribers=["ops@example.com", told, tell])
jobs = Topic(app, "jobs", subscribers=[told])
def often(alarm):
    alarm.Period = 10  # nobody waits a minute here


old = Alarm(app, "old", queue=dead, metric="age", threshold="1 hour", notify=[ops])
some = Alarm(app, "some", queue=dead, transform=often)
other = Alarm(app, "other", queue=told, threshold=1000)
CompositeAlarm(app, "failed", any=[old, other, some], notify=[ops])
app.output("JobsTopic", jobs.arn, export=f"watch-{app.stage}-jobs")
"""
TELL = """\
import json

import boto3

from devbridge.resources import Queue


def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(
            QueueUrl=Queue.told.queue_url,
            MessageBody=json.dumps({"function": record["Sns"]["TopicArn"]}),
        )
"""


_STAGES = itertools.count(1)


@dataclass(frozen=True)
class Deployed:
    cloud: Cloud
    stage: str
    outputs: dict[str, str]

    def received(self, number: int) -> list[Any]:
        """What comes into the queue: so many bodies."""
        sqs, url = self.cloud.client("sqs"), self.outputs["ToldQueue"]
        found: list[Any] = []
        for _ in range(20):
            answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
            for each in answer.get("Messages", ()):
                found.append(json.loads(each["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            if len(found) >= number:
                break
        return found


@pytest.fixture
def watch(tmp_path: Path, local_cloud: Cloud) -> Deployed:
    root = tmp_path / "app"
    (root / "api").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "api" / "tell.py").write_text(TELL)
    # A function that is told late logs after the test: each test has a stage for itself.
    stage = f"test{next(_STAGES)}"
    app = load_app(root, stage)
    done = deployment.deploy(Request(app, local_cloud, stage=stage, mode="deployed"))
    return Deployed(local_cloud, stage, dict(done.outputs))


def test_a_message_in_a_dead_letter_queue_is_told_to_each_subscriber(watch: Deployed) -> None:
    watch.cloud.client("sqs").send_message(QueueUrl=watch.outputs["DeadQueue"], MessageBody="x")
    mine = watch.outputs["OpsTopic"]
    envelopes = watch.received(2)
    assert len(envelopes) == 2  # by the composite alarm alone
    (called,) = (each for each in envelopes if "function" in each)
    (queued,) = (each for each in envelopes if "function" not in each)
    assert called == {"function": mine}
    assert queued["TopicArn"] == mine
    message = json.loads(queued["Message"])
    assert message["NewStateValue"] == "ALARM"
    assert "failed" in message["AlarmName"].lower()


def test_an_alarm_by_age_is_told_too(watch: Deployed) -> None:
    cloudwatch = watch.cloud.client("cloudwatch")
    (alarm,) = (
        each
        for each in cloudwatch.describe_alarms()["MetricAlarms"]
        if each["MetricName"] == "ApproximateAgeOfOldestMessage"
    )
    cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="x")
    told = [each for each in watch.received(4) if "function" not in each]
    reasons = {json.loads(each["Message"])["AlarmName"]: each["TopicArn"] for each in told}
    assert alarm["AlarmName"] in reasons


def test_a_queue_gets_the_messages_of_several_topics(watch: Deployed) -> None:
    sns = watch.cloud.client("sns")
    sns.publish(TopicArn=watch.outputs["JobsTopic"], Message="one")
    (found,) = watch.received(1)
    assert (found["TopicArn"], found["Message"]) == (watch.outputs["JobsTopic"], "one")


def test_a_queue_takes_no_messages_of_other_topics(watch: Deployed) -> None:
    sns, sqs = watch.cloud.client("sns"), watch.cloud.client("sqs")
    url = watch.outputs["ToldQueue"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    other = sns.create_topic(Name="other")["TopicArn"]
    sns.subscribe(TopicArn=other, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])
    sns.publish(TopicArn=other, Message="no")
    sns.publish(TopicArn=watch.outputs["JobsTopic"], Message="yes")
    assert [each["Message"] for each in watch.received(1)] == ["yes"]


def test_a_function_has_what_is_reserved_for_it(watch: Deployed) -> None:
    name = watch.outputs["TellFunction"]
    found = watch.cloud.client("lambda").get_function_concurrency(FunctionName=name)
    assert found["ReservedConcurrentExecutions"] == 2


def test_what_another_stack_imports_is_not_removed_and_nothing_is_emptied(
    watch: Deployed,
) -> None:
    arn = {"Fn::ImportValue": f"watch-{watch.stage}-jobs"}
    subscription = {"TopicArn": arn, "Protocol": "email", "Endpoint": "a@example.com"}
    other = {"Type": "AWS::SNS::Subscription", "Properties": subscription}
    assert create(watch.cloud, "importer", S=other) == ("CREATE_COMPLETE", "")
    s3, bucket = watch.cloud.client("s3"), watch.outputs["FilesBucket"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    with pytest.raises(
        DeployError, match=f"'watch-{watch.stage}-jobs' is imported by importer"
    ) as caught:
        remove(watch.cloud, "watch", watch.stage, lambda _: None, fast, delete_data=True)
    assert "Fn::ImportValue" in str(caught.value.remedy)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    cloudformation = watch.cloud.client("cloudformation")
    cloudformation.delete_stack(StackName="importer")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="importer", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    assert remove(watch.cloud, "watch", watch.stage, lambda _: None, fast, delete_data=True)
