"""Lambda's event source mapping of one job, as a process: it reads the job's queues, calls the real
stub's handler with what it has received, and deletes what the answer does not name.

``python -m tests.chaos.mapping SETTINGS.json``. It goes on until it is killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stub_lambda import handler as stub
from stub_lambda.records import VARIABLE
from tests.chaos.caller import FUNCTION_TIMEOUT, Context, environment
from tests.clients import root_client

AT_ONCE = 10


class Reader:
    """Of one job's queues, in turn."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._queues: Sequence[Mapping[str, str]] = settings["queues"]
        self._sqs = root_client(settings["endpoint"], "sqs")

    def read(self) -> None:
        """What is in each of them now."""
        for queue in self._queues:
            found = self._sqs.receive_message(
                QueueUrl=queue["url"],
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", ())
            if found:
                self._hand_over(queue, found)

    def _hand_over(self, queue: Mapping[str, str], messages: Sequence[Mapping[str, Any]]) -> None:
        event = {"Records": [record(each, queue["arn"]) for each in messages]}
        context = Context(f"mapping-{time.time_ns()}", time.monotonic() + FUNCTION_TIMEOUT)
        try:
            answer = stub.handler(event, context)
        except Exception as error:  # all of them come again
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        for each in messages:
            if each["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=queue["url"], ReceiptHandle=each["ReceiptHandle"])


def record(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "us-east-1",
    }


def main(settings_file: str) -> None:
    settings = json.loads(Path(settings_file).read_text())
    environment(settings["port"])
    os.environ.update({"DEVBRIDGE_JOB": settings["job"], VARIABLE: settings["triggers"]})
    reader = Reader(settings)
    while True:
        reader.read()


if __name__ == "__main__":
    main(sys.argv[1])
