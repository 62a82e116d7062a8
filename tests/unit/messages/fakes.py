"""SQS, SNS, S3 and EventBridge in memory, as far as dead letters and triggers need them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from devbridge.testing import FakeClock
from tests.unit.aws import ACCOUNT, REGION, Fake, Refused


def url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


@dataclass
class Message:
    body: str
    attributes: dict[str, Any]
    system: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receives: int = 0
    visible_at: float = 0.0

    def shown(self) -> dict[str, Any]:
        return {
            "MessageId": self.id,
            "ReceiptHandle": f"{self.id}/{self.receives}",
            "Body": self.body,
            "Attributes": {**self.system, "ApproximateReceiveCount": str(self.receives)},
            "MessageAttributes": self.attributes,
        }


class FakeSqs(Fake):
    """Queues whose messages are hidden once received, and of FIFO ones the rest of their group."""

    service = "sqs"

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queues: dict[str, list[Message]] = {name: [] for name in names}
        self.deduplicated: set[str] = set()
        self.redrive: dict[str, int] = {}
        """How often a queue delivers a message before it gives it up."""

    def add(self, queue: str, body: str = "{}", source: str = "", **told: Any) -> Message:
        """A message of a dead-letter queue: one that SQS has moved, or of a run that has failed."""
        system = {"SentTimestamp": str(int(self.clock() * 1000))}
        if queue.endswith(".fifo"):
            system["MessageGroupId"] = "g"
        if source and not told:
            system["DeadLetterQueueSourceArn"] = arn(source)
        attributes = {}
        if told:
            text = json.dumps({**told, "source": arn(source) if source else ""})
            attributes = {"devbridge": {"DataType": "String", "StringValue": text}}
        message = Message(body, attributes, system)
        self.queues[queue].append(message)
        self.clock.advance(1)
        return message

    def _of(self, queue_url: str) -> list[Message]:
        return self.queues[queue_url.rpartition("/")[2]]

    def _visible(self, message: Message) -> bool:
        return message.visible_at <= self.clock()

    def GetQueueUrl(self, *, QueueName: str, QueueOwnerAWSAccountId: str) -> Any:  # noqa: N802, N803
        assert QueueOwnerAWSAccountId == ACCOUNT
        if QueueName not in self.queues:
            raise Refused("AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": url(QueueName)}

    def GetQueueAttributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N802, N803
        if AttributeNames == ["RedrivePolicy"]:
            most = self.redrive.get(QueueUrl.rpartition("/")[2])
            policy = json.dumps({"maxReceiveCount": most})
            return {"Attributes": {"RedrivePolicy": policy}} if most else {}
        messages = self._of(QueueUrl)
        visible = sum(map(self._visible, messages))
        counts = visible, len(messages) - visible
        return {"Attributes": dict(zip(AttributeNames, map(str, counts), strict=True))}

    def ReceiveMessage(  # noqa: N802
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MaxNumberOfMessages: int,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
        **_: Any,
    ) -> Any:
        messages = self._of(QueueUrl)
        if QueueUrl.endswith(".fifo") and not all(map(self._visible, messages)):
            return {}  # they are all of one group
        found = [each for each in messages if self._visible(each)][:MaxNumberOfMessages]
        for message in found:
            message.receives += 1
            message.visible_at = self.clock() + VisibilityTimeout
        return {"Messages": [message.shown() for message in found]}

    def SendMessage(self, *, QueueUrl: str, MessageBody: str, **given: Any) -> Any:  # noqa: N802, N803
        system = {"SentTimestamp": str(int(self.clock() * 1000))}
        message = Message(MessageBody, given.get("MessageAttributes", {}), system)
        if QueueUrl.endswith(".fifo"):
            system["MessageGroupId"] = given["MessageGroupId"]
            number = given["MessageDeduplicationId"]
            if number in self.deduplicated:
                return {"MessageId": message.id}
            self.deduplicated.add(number)
        assert len(message.attributes) <= 10
        self._of(QueueUrl).append(message)
        return {"MessageId": message.id}

    def DeleteMessage(self, *, QueueUrl: str, ReceiptHandle: str) -> Any:  # noqa: N802, N803
        number, _, receives = ReceiptHandle.rpartition("/")
        (message,) = [each for each in self._of(QueueUrl) if each.id == number]
        assert message.receives == int(receives), "a later receive has another handle"
        self._of(QueueUrl).remove(message)
        return {}

    def ChangeMessageVisibilityBatch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N802, N803
        assert 0 < len(Entries) <= 10
        for entry in Entries:
            number = entry["ReceiptHandle"].rpartition("/")[0]
            for message in self._of(QueueUrl):
                if message.id == number:
                    message.visible_at = self.clock() + entry["VisibilityTimeout"]
        return {"Successful": [], "Failed": []}


class FakeSns(Fake):
    service = "sns"

    def __init__(self) -> None:
        super().__init__()
        self.published: list[dict[str, Any]] = []

    def Publish(self, **given: Any) -> Any:  # noqa: N802
        self.published.append(given)
        return {"MessageId": str(uuid.uuid4())}


class FakeS3(Fake):
    service = "s3"

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def PutObject(self, *, Bucket: str, Key: str, Body: Any) -> Any:  # noqa: N802, N803
        self.objects[f"{Bucket}/{Key}"] = Body.read()
        return {}

    def DeleteObject(self, *, Bucket: str, Key: str) -> Any:  # noqa: N802, N803
        del self.objects[f"{Bucket}/{Key}"]
        return {}


class FakeEvents(Fake):
    service = "events"

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []
        self.failure: dict[str, str] = {}

    def PutEvents(self, *, Entries: list[Any]) -> Any:  # noqa: N802, N803
        self.entries += Entries
        answers = [self.failure or {"EventId": str(uuid.uuid4())} for _ in Entries]
        return {"Entries": answers, "FailedEntryCount": len(Entries) if self.failure else 0}


class FakeKinesis(Fake):
    service = "kinesis"

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def PutRecord(self, **given: Any) -> Any:  # noqa: N802
        self.records.append(given)
        return {"ShardId": "shardId-000000000000", "SequenceNumber": str(len(self.records))}


class FakeLogs(Fake):
    service = "logs"

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, list[str]] = {}

    def CreateLogStream(self, *, logGroupName: str, logStreamName: str) -> Any:  # noqa: N802, N803
        if (name := f"{logGroupName}:{logStreamName}") in self.streams:
            raise Refused("ResourceAlreadyExistsException")
        self.streams[name] = []
        return {}

    def PutLogEvents(self, *, logGroupName: str, logStreamName: str, logEvents: Any) -> Any:  # noqa: N802, N803
        self.streams[f"{logGroupName}:{logStreamName}"] += [each["message"] for each in logEvents]
        return {}


class FakeDynamo(Fake):
    """One table, with the keys `id` and `at`, a number."""

    service = "dynamodb"

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Any] = {}
        self.kinds = {"id": "S", "at": "N"}

    def _key(self, row: Any) -> str:
        return json.dumps([row[name] for name in self.kinds])

    def DescribeTable(self, *, TableName: str) -> Any:  # noqa: N802, N803
        assert TableName
        keys = list(zip(self.kinds, ("HASH", "RANGE"), strict=False))
        return {
            "Table": {
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": kind}
                    for name, kind in self.kinds.items()
                ],
            }
        }

    def PutItem(self, *, Item: Any, ConditionExpression: str, **_: Any) -> Any:  # noqa: N802, N803
        assert ConditionExpression == "attribute_not_exists(#key)"
        if self._key(Item) in self.rows:
            raise Refused("ConditionalCheckFailedException")
        self.rows[self._key(Item)] = Item
        return {}

    def UpdateItem(  # noqa: N802
        self,
        *,
        Key: Any,  # noqa: N803
        ExpressionAttributeNames: Any,  # noqa: N803
        ExpressionAttributeValues: Any,  # noqa: N803
        **_: Any,
    ) -> Any:
        row = self.rows[self._key(Key)]
        names = ExpressionAttributeNames.values()
        old = {name: row[name] for name in names if name in row}
        row |= dict(zip(names, ExpressionAttributeValues.values(), strict=True))
        return {"Attributes": old} if old else {}

    def DeleteItem(self, *, TableName: str, Key: Any) -> Any:  # noqa: N802, N803
        assert TableName
        del self.rows[self._key(Key)]
        return {}


class FakeGateway(Fake):
    service = "apigatewayv2"

    def __init__(self) -> None:
        super().__init__()
        self.url = ""

    def GetApi(self, *, ApiId: str) -> Any:  # noqa: N802, N803
        return {"ApiId": ApiId, "Name": "web", "ApiEndpoint": self.url}


class FakeBalancers(Fake):
    service = "elbv2"

    def __init__(self) -> None:
        super().__init__()
        self.host, self.port = "localhost", 80

    def DescribeListeners(self, *, ListenerArns: list[str]) -> Any:  # noqa: N802, N803
        found = {"LoadBalancerArn": f"of {ListenerArns[0]}", "Protocol": "HTTP", "Port": self.port}
        return {"Listeners": [found]}

    def DescribeLoadBalancers(self, *, LoadBalancerArns: list[str]) -> Any:  # noqa: N802, N803
        assert LoadBalancerArns[0].startswith("of ")
        return {"LoadBalancers": [{"LoadBalancerName": "front", "DNSName": self.host}]}


FUNCTIONS_TAKE = 900
"""Seconds, at most."""


class FakeCloud:
    """What `Sender` needs of a cloud."""

    account = ACCOUNT
    region = REGION
    endpoint_url: str | None = None

    def __init__(self, *queues: str) -> None:
        self.sqs = FakeSqs(*queues)
        self.sns = FakeSns()
        self.s3 = FakeS3()
        self.events = FakeEvents()
        self.kinesis = FakeKinesis()
        self.logs = FakeLogs()
        self.dynamodb = FakeDynamo()
        self.apigatewayv2 = FakeGateway()
        self.elbv2 = FakeBalancers()

    def client(self, service: str) -> Any:
        return getattr(self, service).client

    def waiting(self, service: str, seconds: float) -> Any:
        assert seconds > FUNCTIONS_TAKE
        return self.client(service)
