"""Sends messages to a deployed stage's queue, topic and bucket, and looks at what waits there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from devbridge.messages.mover import count
from devbridge.protocol import codec
from tests.chaos.messages import Fate, Sent, payload
from tests.clients import root_client

NAMES: Final = {"queue": "orders", "topic": "news", "object": "files"}
"""What each trigger is called."""


class Senders:
    """Of one stage.

    Args:
        jobs: which job hears of a kind.
    """

    def __init__(
        self, endpoint: str, stack: str, app: str, stage: str, jobs: Mapping[str, str]
    ) -> None:
        self._app, self._stage, self._jobs = app, stage, jobs
        self.sqs, self._sns, self._s3, self._lambda, formation = (
            root_client(endpoint, service)
            for service in ("sqs", "sns", "s3", "lambda", "cloudformation")
        )
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
        found: dict[str, list[tuple[str, str]]] = {}
        for page in pages:
            for each in page["StackResourceSummaries"]:
                pair = each["LogicalResourceId"], each["PhysicalResourceId"]
                found.setdefault(each["ResourceType"], []).append(pair)
        queues = found["AWS::SQS::Queue"]
        self.dead = [url for title, url in queues if title.endswith("DeadLetters")]
        self._read = {title: url for title, url in queues if url not in self.dead}
        ((_, self._topic),) = found["AWS::SNS::Topic"]
        ((_, self._bucket),) = found["AWS::S3::Bucket"]
        self._mappings = [uuid for _, uuid in found["AWS::Lambda::EventSourceMapping"]]

    def are_read(self) -> bool:
        """Whether all queues are read."""
        asked = (self._lambda.get_event_source_mapping(UUID=uuid) for uuid in self._mappings)
        return all(each["State"] == "Enabled" for each in asked)

    def waiting(self) -> int:
        """How many messages are still in queues that are read."""
        return sum(count(self.sqs, url) for url in self._read.values())

    def send(self, kind: str, number: int, fate: Fate) -> Sent:
        """Send one message."""
        if kind == "object":
            self._s3.put_object(Bucket=self._bucket, Key=f"{fate}-{number}", Body=b"1")
            return Sent(kind, number, fate)
        body = json.dumps(payload(fate, number))
        if kind == "queue":
            (url,) = (url for title, url in self._read.items() if title.startswith("Orders"))
            told = self.sqs.send_message(QueueUrl=url, MessageBody=body)
        else:
            told = self._sns.publish(TopicArn=self._topic, Message=body)
        key = f"{NAMES[kind]}/{told['MessageId']}"
        run = codec.job_id(self._app, self._stage, self._jobs[kind], key)
        return Sent(kind, number, fate, run)
