"""POST /sign-up {"name": "Hank"}: what can wait is a message to a job; the answer does not wait."""

import base64
import json
from typing import Any

import boto3

from devbridge.resources import Topic


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    try:
        person = json_body(event)
    except ValueError as error:
        return answer(400, {"error": str(error)})
    # Here the person would be written to a table. Then:
    sent = boto3.client("sns").publish(
        TopicArn=Topic.jobs.topic_arn,
        Message=json.dumps(person),
        MessageAttributes={"jobName": {"DataType": "String", "StringValue": "greeting"}},
    )
    return answer(202, {"messageId": sent["MessageId"]})


def json_body(event: dict[str, Any]) -> dict[str, Any]:
    """The JSON object that has been sent.

    Raises:
        ValueError: it is none.
    """
    body = event.get("body") or "{}"
    found = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    if not isinstance(found, dict):
        raise ValueError("send a JSON object")
    return found


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body) + "\n",
    }
