"""Subscription filters of logs, to functions, to Firehose and to Kinesis.

ministack hands on to functions alone, once, and asks nobody whether it may.

"Log group-level subscription filters", Amazon CloudWatch Logs user guide.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..host import ministack
from . import asynchronous, grants

log = logging.getLogger("subscriptions")

Json = Mapping[str, Any]
Admits = Callable[[str, str], bool]
"""Whether there is a role (its ARN) that admits a service."""

SERVICE: Final = "logs.amazonaws.com"
MOST: Final = 2
"""Filters of a log group: "CloudWatch Logs quotas"."""
_PUTS: Final = {"firehose": "firehose:PutRecord", "kinesis": "kinesis:PutRecord"}


def message(owner: str, group: str, stream: str, name: str, events: Sequence[Json]) -> Json:
    """What a destination gets, before it is packed. Pure, but for the events' ids."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": owner,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [name],
        "logEvents": [
            {
                "id": each.get("eventId")
                or f"{time.time_ns():038d}{uuid.uuid4().int % 10**18:018d}",
                "timestamp": each["timestamp"],
                "message": each["message"],
            }
            for each in events
        ],
    }


def forward_as_logs(admits: Admits) -> None:
    """Correct `services.cloudwatch_logs`."""
    logs = ministack("services.cloudwatch_logs")
    put = logs._put_subscription_filter

    def put_if_it_may(data: Json) -> Any:
        group = logs._log_groups.get(str(data.get("logGroupName")))
        there = (group or {}).get("subscriptionFilters") or {}
        if len(there) >= MOST and data.get("filterName") not in there:
            what = "Resource limit exceeded."
            return logs.error_response_json("LimitExceededException", what, 400)
        if group and (said := _problem(data, str(group["arn"]), admits)):
            return logs.error_response_json("InvalidParameterException", said, 400)
        return put(data)

    def fan_out(group: str, stream: str, events: Sequence[Json]) -> None:
        filters = (logs._log_groups.get(group) or {}).get("subscriptionFilters") or {}
        for each in list(filters.values()):
            matches, pattern = logs._subscription_pattern_matches, each.get("filterPattern", "")
            chosen = [event for event in events if matches(pattern, event.get("message", ""))]
            to = str(each.get("destinationArn", ""))
            if not chosen or group == f"/aws/lambda/{to.rpartition(':function:')[2]}":
                continue  # it would be told of its own log, for ever
            told = message(logs.get_account_id(), group, stream, each["filterName"], chosen)
            packed = gzip.compress(json.dumps(told).encode())
            try:
                _SENDERS[to.split(":")[2]](to, packed)
            except Exception:  # whoever logs must not fail for that
                log.exception("%s is not told of %s", to, group)

    logs._put_subscription_filter = put_if_it_may
    logs._fanout_to_subscription_filters = fan_out


def _problem(data: Json, group_arn: str, admits: Admits) -> str | None:
    to, role = str(data.get("destinationArn", "")), str(data.get("roleArn", ""))
    service = to.split(":")[2] if to.count(":") > 4 else ""
    if service == "lambda":
        source = group_arn if group_arn.endswith(":*") else f"{group_arn}:*"
        if grants.function_admits(to, SERVICE, source):
            return None
        return (
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs"
            " permission to execute your function."
        )
    if service not in _PUTS:
        return f"destinationArn is neither a function's nor a stream's: {to}"
    region = to.split(":")[3]
    if not any(admits(role, each) for each in (SERVICE, f"logs.{region}.amazonaws.com")):
        return f"Could not assume the role {role}: CloudWatch Logs must be able to."
    if not grants.role_may(role, _PUTS[service], to):
        what = "Firehose" if service == "firehose" else "Kinesis"
        return (
            f"Could not deliver test message to specified {what} stream. Check if the given {what}"
            " stream is in ACTIVE state and the role may put records into it."
        )
    return None


def _to_function(arn: str, packed: bytes) -> None:
    lambdas = ministack("services.lambda_svc")
    function, config, name = lambdas._get_func_record_for_ref(arn)
    if not function or not config:
        log.warning("there is no function %s: it is not told", name)
        return
    event = {"awslogs": {"data": base64.b64encode(packed).decode()}}
    asynchronous.begin(lambdas._execution_record_for_config(function, config), event)


def _to_firehose(arn: str, packed: bytes) -> None:
    record = {"Data": base64.b64encode(packed).decode()}
    asked = {"DeliveryStreamName": arn.rpartition("/")[2], "Records": [record]}
    ministack("services.firehose")._put_record_batch(asked)


def _to_stream(arn: str, packed: bytes) -> None:
    ministack("services.kinesis").put_record_internal(arn, uuid.uuid4().hex, packed)


_SENDERS: Final[Mapping[str, Callable[[str, bytes], None]]] = {
    "lambda": _to_function,
    "firehose": _to_firehose,
    "kinesis": _to_stream,
}
