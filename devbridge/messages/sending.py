"""Sends what triggers a job, the way that real events take: what hears of it is AWS's own part."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from devbridge import names
from devbridge.constructs import (
    Bindable,
    Job,
    OnEvent,
    OnObject,
    OnQueue,
    OnStream,
    OnTopic,
    Trigger,
)
from devbridge.constructs.code import Code
from devbridge.constructs.triggers.done import InQueue
from devbridge.deploy.access import Access
from devbridge.deploy.synth.triggers.queues import inbox
from devbridge.errors import CloudError, NotDeployed
from devbridge.messages.chosen import Content
from devbridge.messages.places import address, address_of
from devbridge.messages.samples import (
    Sample,
    delivered,
    event_of,
    message_attributes,
    object_key,
    scheduled,
)
from devbridge.protocol.codec import job_id

LOG_STREAM: Final = "devbridge-trigger"
"""Where lines of logs are put."""
_SETTABLE: Final = {"source", "detail-type", "detail", "resources", "time"}
"""What of an event PutEvents takes; the rest EventBridge says itself."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, and where."""

    kind: str
    trigger: str
    what: str
    """``message``, ``event``, ``object``, ``record``, ``row``, ``line``, ``request``."""
    to: str
    """As users call it: ``queue orders``."""
    address: str
    """As AWS calls it."""
    id: str
    """AWS's id of it; of an object its key, of a row its keys, of a line its stream."""
    run: str = ""
    """The id of the run that it starts, where that is certain."""
    note: str = ""
    """In what it is not as the real one."""

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "kind": self.kind,
            "trigger": self.trigger,
            "what": self.what,
            "to": self.to,
            "address": self.address,
            "id": self.id,
            "run": self.run or None,
        }


class Sender:
    """Sends to the triggers of one job.

    Args:
        resources: what AWS calls those of the stage, by CloudFormation's name.
        live: the job's runs are those of `devbridge dev`.
    """

    def __init__(
        self, cloud: Access, job: Job, stage: str, resources: Mapping[str, str], *, live: bool
    ) -> None:
        self.cloud = cloud
        self.job = job
        self.stage = stage
        self.resources = resources
        self._prefix = "" if live else f"{names.project(job, stage)}:"

    def sample(self, trigger: Trigger, content: Content) -> Sample:
        """What is to be sent to a trigger, now."""
        account, region = self.cloud.account, self.cloud.region
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Sample(self.job, self.stage, trigger, content, account, region, at=now)

    def at(self, title: str) -> str:
        """What AWS calls what CloudFormation calls so."""
        return address(title, self.resources, self.stage)

    def of(self, construct: Bindable) -> str:
        """What AWS calls the main resource of a construct."""
        return address_of(construct, self.resources, self.stage)

    def message(self, url: str, body: str, **more: Any) -> str:
        """Send a message to a queue; its id."""
        sqs = self.cloud.client("sqs")
        return str(sqs.send_message(QueueUrl=url, MessageBody=body, **more)["MessageId"])

    def sent(
        self,
        sample: Sample,
        what: str,
        to: tuple[str, str],
        number: str,
        *,
        sure: bool,
        note: str = "",
        message: str = "",
    ) -> Sent:
        """What was sent; if it is `sure`, a run is started whose key is of that number.

        Args:
            message: the id of the message that is read, if it is known: where one is held until its
                run has succeeded, it is the key of its first delivery's.
        """
        label, job, run = sample.trigger.label, self.job, ""
        key = f"{label}/{number}"
        if isinstance(sample.trigger, InQueue) and sample.trigger.held:
            sure, key = sure and bool(message), f"{label}/{message}/1"
        if sure:
            run = f"{self._prefix}{job_id(job.app.name, self.stage, job.name, key)}"
        return Sent(sample.trigger.kind, label, what, *to, number, run, note)


def queue(sender: Sender, sample: Sample) -> Sent:
    """Send a message to the queue."""
    trigger, content = sample.trigger, sample.content
    assert isinstance(trigger, OnQueue)  # noqa: S101
    url = sender.of(trigger.queue)
    more: dict[str, Any] = {}
    if trigger.queue.fifo:
        more = {"MessageGroupId": "devbridge", "MessageDeduplicationId": sample.number}
    if content.attributes:
        more["MessageAttributes"] = message_attributes(content.attributes)
    number = sender.message(url, content.body, **more)
    sure = not trigger.batch and not (trigger.filter and content.given)
    to = f"queue {trigger.queue.name}"
    return sender.sent(sample, "message", (to, url), number, sure=sure, message=number)


def topic(sender: Sender, sample: Sample) -> Sent:
    """Publish a message."""
    trigger, content = sample.trigger, sample.content
    assert isinstance(trigger, OnTopic)  # noqa: S101
    arn = sender.of(trigger.topic)
    number = sender.cloud.client("sns").publish(
        TopicArn=arn,
        Message=content.body,
        MessageAttributes=message_attributes(content.attributes or {}),
    )["MessageId"]
    sure = not (trigger.filter and trigger.filter_on == "body" and content.given)
    return sender.sent(sample, "message", (f"topic {trigger.topic.name}", arn), number, sure=sure)


def object_(sender: Sender, sample: Sample) -> Sent:
    """Put an object, and delete it where deletions are heard of."""
    trigger, content = sample.trigger, sample.content
    assert isinstance(trigger, OnObject)  # noqa: S101
    bucket = sender.of(trigger.bucket)
    key, s3 = object_key(trigger, content, sample.number), sender.cloud.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=content.data)
    note = "it stays there"
    if "created" not in trigger.events:
        s3.delete_object(Bucket=bucket, Key=key)
        note = "it was deleted again"
    # Its sequencer, which S3 does not tell us, is in the run's key.
    return sender.sent(
        sample, "object", (f"bucket {trigger.bucket.name}", bucket), key, sure=False, note=note
    )


def event(sender: Sender, sample: Sample) -> Sent:
    """Put an event on the bus."""
    trigger, content = sample.trigger, sample.content
    assert isinstance(trigger, OnEvent)  # noqa: S101
    event = dict(content.event or {})
    if str(event["source"]).startswith("aws.") or event.keys() - _SETTABLE:
        whole = event_of(sample)
        note = "only AWS itself sends such events: put into the queue as the rule would put it"
        return _into_inbox(sender, sample, delivered(sample, whole), str(whole["id"]), note)
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(content.value),
        "Resources": event.get("resources", []),
    }
    if trigger.bus is not None:
        entry["EventBusName"] = sender.of(trigger.bus)
    (taken,) = sender.cloud.client("events").put_events(Entries=[entry])["Entries"]
    if taken.get("ErrorCode"):
        raise CloudError(
            f"EventBridge does not take the event: {taken.get('ErrorMessage')}",
            where=f"{taken['ErrorCode']}, {trigger}",
            remedy="send another one: --event FILE, --set KEY=VALUE",
        )
    to = str(entry.get("EventBusName", "default"))
    return sender.sent(
        sample, "event", (f"bus {_last(to)}", to), taken["EventId"], sure=not content.given
    )


def schedule(sender: Sender, sample: Sample) -> Sent:
    """Put a message where EventBridge Scheduler would."""
    note = "put into the queue as EventBridge Scheduler would put it"
    return _into_inbox(sender, sample, scheduled(sample), sample.number, note)


def stream(sender: Sender, sample: Sample) -> Sent:
    """Put a record into the stream."""
    trigger, content = sample.trigger, sample.content
    assert isinstance(trigger, OnStream)  # noqa: S101
    name = sender.of(trigger.stream)
    taken = sender.cloud.client("kinesis").put_record(
        StreamName=name, Data=content.body.encode(), PartitionKey=sample.number
    )
    number = f"{taken['ShardId']}:{taken['SequenceNumber']}"
    sure = not trigger.batch and not (trigger.filter and content.given)
    to = f"stream {trigger.stream.name}"
    return sender.sent(sample, "record", (to, name), number, sure=sure)


def log(sender: Sender, sample: Sample) -> Sent:
    """Put a line into the log."""
    of = sample.trigger.reads
    assert isinstance(of, Code)  # noqa: S101
    title = names.logical(of, "Logs")
    if isinstance(of, Job) and title not in sender.resources:
        raise NotDeployed(
            f"{of} has no log group at stage {sender.stage!r}",
            where="what a job logs that devbridge dev runs is on that machine",
            remedy="name a stage that devbridge deploy has made: --stage",
        )
    group, logs = sender.at(title), sender.cloud.client("logs")
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=LOG_STREAM)
    line = {"timestamp": int(time.time() * 1000), "message": sample.content.line}
    logs.put_log_events(logGroupName=group, logStreamName=LOG_STREAM, logEvents=[line])
    note = f"it stays in the log, in the stream {LOG_STREAM}"
    to = f"the log of {of.name}"
    # Its id, which CloudWatch does not tell us, is in the run's key.
    return sender.sent(sample, "line", (to, group), LOG_STREAM, sure=False, note=note)


def _into_inbox(sender: Sender, sample: Sample, body: str, number: str, note: str) -> Sent:
    url = sender.at(inbox(sender.job))
    message = sender.message(url, body)
    what = "event" if sample.trigger.kind == "event" else "message"
    to = f"the own queue of {sender.job.name}"
    return sender.sent(sample, what, (to, url), number, sure=True, note=note, message=message)


def _last(name: str) -> str:
    return name.rpartition("/")[2].rpartition(":")[2]
