"""Where the records of a function's events go, and what they say.

"Capturing records of Lambda asynchronous invocations", AWS Lambda's developer guide.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..host import ministack
from ..machines.events import iso
from . import grants

log = logging.getLogger("destinations")

Json = Mapping[str, Any]
Invoke = Callable[[Json, Any], None]
"""Invokes a function with an event, asynchronously."""

LATEST: Final = "$LATEST"
SUCCESS: Final = "Success"
EXHAUSTED: Final = "RetriesExhausted"
TOO_OLD: Final = "EventAgeExceeded"
SWITCHED_OFF: Final = "ZeroReservedConcurrency"


def record(
    function_arn: str,
    request_id: str,
    event: Any,
    condition: str,
    *,
    count: int,
    result: Json | None,
    version: str = LATEST,
    now: float,
) -> dict[str, Any]:
    """What a destination is told of an event.

    Args:
        count: how often the function was invoked with it.
        result: of the last invocation; None: there was none.
    """
    told = {
        "version": "1.0",
        "timestamp": iso(now),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": count,
        },
        "requestPayload": event,
    }
    if result is None:
        return told
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
    if result.get("error"):
        context["functionError"] = result.get("function_error") or "Unhandled"
    return {**told, "responseContext": context, "responsePayload": result.get("body")}


_ACTIONS: Final = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "events": "events:PutEvents",
}


def action_on(destination: str) -> str:
    """What a function's role must be allowed on its destination; empty: it can be none."""
    return _ACTIONS.get(destination.split(":")[2] if destination.count(":") > 4 else "", "")


def deliver(destination: str, told: Any, role_arn: str, invoke: Invoke) -> None:
    """Hand a record (or, as a dead letter, an event) on, if the function's role may."""
    action = action_on(destination)
    if not action or not grants.role_may(role_arn, action, destination):
        log.warning("%s may not %s on %s: nobody is told", role_arn, action, destination)
    elif action == _ACTIONS["lambda"]:
        lambdas = ministack("services.lambda_svc")
        function, config, _ = lambdas._get_func_record_for_ref(destination)
        if function and config:
            invoke(lambdas._execution_record_for_config(function, config), told)
        else:
            log.warning("there is no function %s: nobody is told", destination)
    else:
        _SENDERS[action](destination, told)


def _to_queue(destination: str, told: Any) -> None:
    sqs = ministack("services.sqs")
    url = sqs._queue_name_to_url[destination.rpartition(":")[2]]
    sqs._act_send_message({"QueueUrl": url, "MessageBody": json.dumps(told)}, url)


def _to_topic(destination: str, told: Any) -> None:
    sns = ministack("services.sns")
    sns._fanout(destination, str(uuid.uuid4()), json.dumps(told), "", "", {})


def _to_bus(destination: str, told: Any) -> None:
    context = told["requestContext"]
    how = "Success" if context["condition"] == SUCCESS else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {how}",
        "Detail": json.dumps(told),
        "EventBusName": destination.rpartition("/")[2],
        "Resources": [destination, context["functionArn"]],
    }
    ministack("services.eventbridge")._put_events({"Entries": [entry]})


_SENDERS: Final = {
    _ACTIONS["sqs"]: _to_queue,
    _ACTIONS["sns"]: _to_topic,
    _ACTIONS["events"]: _to_bus,
}
