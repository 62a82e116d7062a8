"""How EventBridge and its Scheduler hand something to queues and functions; what is said of it when
they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..host import ministack
from . import asynchronous

NO_RESOURCE: Final = "NO_RESOURCE"
NO_PERMISSIONS: Final = "NO_PERMISSIONS"
CLIENT_ERROR: Final = "SDK_CLIENT_ERROR"

May = Callable[[Any, str], bool]
"""Whether the policy of what is there, or the role of who comes, lets that action be done."""


class Undeliverable(Exception):
    """A target was not reached.

    Attributes:
        code: what EventBridge's dead letters call it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def to_function(arn: str, payload: str, may: May) -> None:
    """Invoke a function asynchronously: what becomes of it then is Lambda's.

    Raises:
        Undeliverable: it is not there, or must not be invoked.
    """
    lambdas = ministack("services.lambda_svc")
    function, config, _ = lambdas._get_func_record_for_ref(arn)
    if not function or not config:
        raise Undeliverable(NO_RESOURCE, f"Function not found: {arn}")
    if not may(function.get("policy"), "lambda:InvokeFunction"):
        raise Undeliverable(
            NO_PERMISSIONS, f"not authorized to perform: lambda:InvokeFunction on {arn}"
        )
    try:
        event = json.loads(payload)
    except ValueError as error:
        raise Undeliverable("INVALID_JSON", f"the input is not valid JSON: {error}") from error
    asynchronous.begin(lambdas._execution_record_for_config(function, config), event)


def to_queue(
    arn: str,
    payload: str,
    may: May,
    *,
    group: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Send a message.

    Args:
        group: of a message to a FIFO queue.
        attributes: strings that are sent with it.

    Raises:
        Undeliverable: the queue is not there, or must not be sent to, or does not take it.
    """
    sqs = ministack("services.sqs")
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise Undeliverable(NO_RESOURCE, "The specified queue does not exist.")
    if not may(queue["attributes"].get("Policy"), "sqs:SendMessage"):
        raise Undeliverable(NO_PERMISSIONS, f"not authorized to perform: sqs:SendMessage on {arn}")
    message: dict[str, Any] = {"QueueUrl": queue["url"], "MessageBody": payload}
    if group:
        message["MessageGroupId"] = group
    message["MessageAttributes"] = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in (attributes or {}).items()
    }
    try:
        sqs._act_send_message(message, queue["url"])
    except sqs._Err as error:
        raise Undeliverable(CLIENT_ERROR, error.message) from error
