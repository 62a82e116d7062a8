"""What the runner asks of AWS, by itself: S3 objects, SSM parameters, a call of its function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.signed import AwsError, Unavailable, body_of, endpoint, s3_url, send

__all__ = [
    "AwsError",
    "Conflict",
    "Unavailable",
    "answer_of",
    "call",
    "delete_message",
    "delete_object",
    "find_object",
    "get_object",
    "hide_message",
    "invoke",
    "put_object",
    "receive_messages",
    "send_message",
]

_NO_BUCKET = "NoSuchBucket"


class Conflict(AwsError):
    """An object is not as the one who writes it has seen it."""


def get_object(bucket: str, key: str) -> bytes:
    """The content of an S3 object.

    Raises:
        AwsError: there is no such object, or it may not be read.
    """
    return send("GET", s3_url(bucket, key), "s3", {}, b"", body_of)


def find_object(bucket: str, key: str) -> tuple[bytes, str] | None:
    """The content and the ETag of an S3 object, if there is one.

    Raises:
        AwsError: it cannot be read.
    """

    def both(response: Any) -> tuple[bytes, str]:
        return response.read(), response.headers.get("ETag", "")

    try:
        return send("GET", s3_url(bucket, key), "s3", {}, b"", both)
    except AwsError as error:
        # The first is what is told of a missing object to who may not list the bucket.
        if error.status in (403, 404):
            return None
        raise


def put_object(
    bucket: str,
    key: str,
    body: bytes,
    *,
    encryption_key: str = "",
    condition: Mapping[str, str] = {},
) -> str:
    """Store a JSON text, encrypted with that KMS key, or as the bucket says; its ETag.

    Args:
        condition: the header ``if-match`` or ``if-none-match``, if it is to be written only then.

    Raises:
        Conflict: that condition does not hold.
        AwsError: it may not be written.
    """
    # Left to urllib, it would be a form.
    headers = {"content-type": "application/json", **condition}
    if encryption_key:
        headers["x-amz-server-side-encryption"] = "aws:kms"
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = encryption_key

    def etag(response: Any) -> str:
        response.read()
        found: str = response.headers.get("ETag", "")
        return found

    try:
        return send("PUT", s3_url(bucket, key), "s3", headers, body, etag)
    except AwsError as error:
        if condition and error.status in (404, 412) and error.code != _NO_BUCKET:
            raise Conflict(str(error)) from None
        raise


def delete_object(bucket: str, key: str) -> None:
    """Delete an S3 object, if there is one.

    Raises:
        AwsError: it may not be deleted.
    """
    send("DELETE", s3_url(bucket, key), "s3", {}, b"", body_of)


def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """What an operation of a service answers that speaks JSON 1.1.

    Args:
        operation: with the prefix that X-Amz-Target has: ``AmazonSSM.GetParameter``.

    Raises:
        AwsError: it was refused.
    """
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": operation}
    body, url = json.dumps(parameters).encode(), f"{endpoint(service)}/"
    answer: dict[str, Any] = json.loads(send("POST", url, service, headers, body, body_of))
    return answer


def send_message(queue: str, parameters: Mapping[str, Any]) -> None:
    """Send a message to an SQS queue.

    Args:
        queue: its ARN.
        parameters: those of SendMessage, without the queue's.

    Raises:
        AwsError: it may not be sent.
    """
    _sqs("SendMessage", queue, parameters)


def hide_message(queue: str, receipt: str, seconds: int) -> None:
    """Have a message that was received come again after so many seconds.

    Args:
        queue: its ARN.
        receipt: the handle of that delivery.

    Raises:
        AwsError: it may not be changed, or is not with who has received it any more.
    """
    _sqs("ChangeMessageVisibility", queue, {"ReceiptHandle": receipt, "VisibilityTimeout": seconds})


def receive_messages(queue: str, most: int, wait: int) -> list[dict[str, Any]]:
    """The messages of an SQS queue, as ReceiveMessage has them, with all their attributes.

    Args:
        queue: its ARN.
        most: how many, 1 to 10.
        wait: seconds to wait for the first one, 0 to 20.

    Raises:
        AwsError: it may not be read.
    """
    every = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    asked = {"MaxNumberOfMessages": most, "WaitTimeSeconds": wait, **every}
    return list(_sqs("ReceiveMessage", queue, asked).get("Messages") or ())


def delete_message(queue: str, receipt: str) -> None:
    """Delete a message that was received.

    Args:
        queue: its ARN.
        receipt: the handle of that delivery.

    Raises:
        AwsError: it may not be deleted.
    """
    _sqs("DeleteMessage", queue, {"ReceiptHandle": receipt})


def _sqs(operation: str, queue: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    account, name = queue.split(":")[4:]
    url = f"{endpoint('sqs')}/"
    body = json.dumps({**parameters, "QueueUrl": f"{url}{account}/{name}"}).encode()
    target = {"x-amz-target": f"AmazonSQS.{operation}"}
    headers = {"content-type": "application/x-amz-json-1.0", **target}
    answer: dict[str, Any] = json.loads(send("POST", url, "sqs", headers, body, body_of) or b"{}")
    return answer


def invoke(function: str, event: object) -> None:
    """Call a Lambda function and do not wait for it.

    Raises:
        AwsError: it may not be called.
    """
    url = f"{endpoint('lambda')}/2015-03-31/functions/{function}/invocations"
    headers = {"content-type": "application/json", "x-amz-invocation-type": "Event"}
    send("POST", url, "lambda", headers, json.dumps(event).encode(), body_of)


def answer_of(
    function: str, event: bytes, client_context: str, timeout: float
) -> tuple[bytes, bool]:
    """Call a Lambda function, once; what it answers, a JSON text, and whether that is its error.

    Args:
        client_context: JSON, in base64; "" for none.
        timeout: seconds that it may take.

    Raises:
        AwsError: it could not be called, or nobody knows what has become of the call.
    """
    url = f"{endpoint('lambda')}/2015-03-31/functions/{function}/invocations"
    headers = {"content-type": "application/json"}
    if client_context:
        headers["x-amz-client-context"] = client_context

    def answered(response: Any) -> tuple[bytes, bool]:
        return response.read(), "X-Amz-Function-Error" in response.headers

    return send("POST", url, "lambda", headers, event, answered, tries=1, timeout=timeout)
