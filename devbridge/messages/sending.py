"""Sends what triggers a job, the way that real events take: what hears of it is AWS's own part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Bindable, Job, OnEvent, OnObject, OnQueue, OnTopic, Trigger
from devbridge.deploy.access import Access
from devbridge.deploy.synth.triggers.queues import inbox
from devbridge.errors import CloudError, PayloadError
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

_SETTABLE: Final = {"source", "detail-type", "detail", "resources", "time"}
"""What of an event PutEvents takes; the rest EventBridge says itself."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, and where."""

    kind: str
    trigger: str
    what: str
    """``message``, ``event``, ``object``."""
    to: str
    """As users call it: ``queue orders``."""
    address: str
    """As AWS calls it."""
    id: str
    """AWS's id of it; of an object its key."""
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
        self._stage = stage
        self._resources = resources
        self._prefix = "" if live else f"{names.project(job, stage)}:"

    def send(self, trigger: Trigger, content: Content) -> Sent:
        """Send it once.

        Raises:
            NotDeployed: the stage has not what it is sent to.
            CloudError: AWS has not taken it.
            PayloadError: nothing is sent to triggers of that kind.
            ClientError, BotoCoreError: it cannot be sent.
        """
        if (send := SENDERS.get(trigger.kind)) is None:
            raise PayloadError(
                f"nothing can be sent to {trigger}: it is of kind {trigger.kind}",
                where=str(self.job),
                remedy="see what its invoker is called with: --print",
            )
        account, region = self.cloud.account, self.cloud.region
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        sample = Sample(self.job, self._stage, trigger, content, account, region, at=now)
        return send(self, sample)

    def at(self, title: str) -> str:
        """What AWS calls what CloudFormation calls so."""
        return address(title, self._resources, self._stage)

    def of(self, construct: Bindable) -> str:
        """What AWS calls the main resource of a construct."""
        return address_of(construct, self._resources, self._stage)

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
    ) -> Sent:
        """What was sent; if it is `sure`, a run is started whose key is of that number."""
        label, job, run = sample.trigger.label, self.job, ""
        if sure:
            key = f"{label}/{number}"
            run = f"{self._prefix}{job_id(job.app.name, self._stage, job.name, key)}"
        return Sent(sample.trigger.kind, label, what, *to, number, run, note)


def _queue(sender: Sender, sample: Sample) -> Sent:
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
    return sender.sent(sample, "message", (f"queue {trigger.queue.name}", url), number, sure=sure)


def _topic(sender: Sender, sample: Sample) -> Sent:
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


def _object(sender: Sender, sample: Sample) -> Sent:
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


def _event(sender: Sender, sample: Sample) -> Sent:
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


def _schedule(sender: Sender, sample: Sample) -> Sent:
    note = "put into the queue as EventBridge Scheduler would put it"
    return _into_inbox(sender, sample, scheduled(sample), sample.number, note)


def _into_inbox(sender: Sender, sample: Sample, body: str, number: str, note: str) -> Sent:
    url = sender.at(inbox(sender.job))
    sender.message(url, body)
    what = "event" if sample.trigger.kind == "event" else "message"
    to = f"the own queue of {sender.job.name}"
    return sender.sent(sample, what, (to, url), number, sure=True, note=note)


SENDERS: Final[Mapping[str, Callable[[Sender, Sample], Sent]]] = {
    "queue": _queue,
    "topic": _topic,
    "object": _object,
    "event": _event,
    "schedule": _schedule,
}
"""By the trigger's kind."""


def _last(name: str) -> str:
    return name.rpartition("/")[2].rpartition(":")[2]
