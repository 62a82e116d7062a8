"""What AWS refuses of a mapping, through its API and in templates; ministack takes all.

The quotas are those of CreateEventSourceMapping in AWS Lambda's API reference; that a queue's
visibility timeout must be as long as the function's timeout, and what the role must be allowed, is
in "Using Lambda with Amazon SQS" (and Kinesis, and DynamoDB) in its developer guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...host import ministack
from .. import destinations, grants

Json = Mapping[str, Any]
May = Callable[[str, str], bool]
"""Whether the function's role may do an action on a resource."""

_RANGES: Final = (
    ("BatchSize", 1, 10_000),
    ("MaximumBatchingWindowInSeconds", 0, 300),
    ("MaximumRetryAttempts", -1, 10_000),
    ("ParallelizationFactor", 1, 10),
)
_WITHOUT_WINDOW: Final = 10
"""Messages of a batch, at most, that need not be waited for."""
_AGES: Final = (60, 604_800)
_QUEUE: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_STREAM: Final = ("GetRecords", "GetShardIterator", "DescribeStream")
STREAM_ALONE: Final = (
    *("MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError"),
    *("ParallelizationFactor", "DestinationConfig"),
)


def problem_of(asked: Json, *, timeout: int, visibility: int | None) -> str | None:
    """What AWS says of a mapping's properties; None: nothing. Pure.

    Args:
        timeout: the function's, in seconds.
        visibility: the queue's, in seconds; None for a stream.
    """
    queue = _service(asked) == "sqs"
    ranges = _problem_of_ranges(asked)
    return ranges or (_problem_of_queue(asked, timeout, visibility) if queue else _of_stream(asked))


def _service(asked: Json) -> str:
    return "".join(str(asked.get("EventSourceArn") or "").split(":")[2:3])


def _problem_of_ranges(asked: Json) -> str | None:
    for name, least, most in _RANGES:
        value = asked.get(name)
        if value is not None and not least <= int(value) <= most:
            return f"Value '{value}' at '{name[:1].lower()}{name[1:]}' must be {least} to {most}"
    age = int(asked.get("MaximumRecordAgeInSeconds") or -1)
    if age != -1 and not _AGES[0] <= age <= _AGES[1]:
        least, most = _AGES
        return f"Value '{age}' at 'maximumRecordAgeInSeconds' must be -1, or {least} to {most}"
    return None


def _of_stream(asked: Json) -> str | None:
    if asked.get("StartingPosition") in ("LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"):
        return None
    return "Value null at 'startingPosition': Member must not be null for a stream"


def _problem_of_queue(asked: Json, timeout: int, visibility: int | None) -> str | None:
    fifo = str(asked["EventSourceArn"]).endswith(".fifo")
    large = int(asked.get("BatchSize") or 10) > _WITHOUT_WINDOW
    window = int(asked.get("MaximumBatchingWindowInSeconds") or 0)
    extra = [name for name in STREAM_ALONE if asked.get(name)]
    wrong = {
        f"Unsupported {extra[:1]} parameter for given event source mapping type.": bool(extra),
        "Batch size must be at most 10 for a FIFO queue": fifo and large,
        "Batching window is not supported for FIFO queues": fifo and window > 0,
        "Maximum batch window in seconds must be greater than 0"
        " if maximum batch size is greater than 10": large and not window,
        f"Queue visibility timeout: {visibility} seconds is less than"
        f" Function timeout: {timeout} seconds": visibility is not None and visibility < timeout,
    }
    return next((said for said, found in wrong.items() if found), None)


def missing_permission(asked: Json, may: May) -> str | None:
    """What AWS says when the function's role cannot read the source or tell the destination. Pure.

    A consumer's stream is read with kinesis:SubscribeToShard on the consumer.
    """
    source = str(asked.get("EventSourceArn") or "")
    service = source.split(":")[2]
    if service == "sqs":
        for action in _QUEUE:
            if not may(f"sqs:{action}", source):
                return (
                    f"The function execution role does not have permissions to call {action} on SQS"
                )
        return None
    stream, _, consumer = source.partition("/consumer/")
    needed = [(f"{service}:{action}", stream) for action in _STREAM]
    if consumer:
        needed = [("kinesis:SubscribeToShard", source), ("kinesis:DescribeStream", stream)]
    if not all(may(*each) for each in needed):
        return (
            f"Cannot access stream {source}. Please ensure the role can perform the GetRecords,"
            " GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream"
            " in Kinesis or DynamoDB."
        )
    to = str(((asked.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", ""))
    action = destinations.action_on(to)
    if to and (not action or not may(action, to)):
        what = action.partition(":")[2] or "anything"
        return f"The provided execution role does not have permissions to call {what} on {to}"
    return None


def problem(asked: Json) -> str | None:
    """What AWS says of a mapping of a function that is there."""
    lambdas, sqs = ministack("services.lambda_svc"), ministack("services.sqs")
    _, config, _ = lambdas._get_func_record_for_ref(str(asked.get("FunctionName") or ""))
    source = str(asked.get("EventSourceArn") or "")
    if not config or source.count(":") < 5:
        return None  # as ministack says
    visibility = None
    if source.split(":")[2] == "sqs":
        queue = sqs._queue_by_arn(source)
        if queue is None:
            return f"Error occurred while ReceiveMessage. The queue does not exist: {source}"
        visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
    role = str(config.get("Role", ""))
    return problem_of(
        asked, timeout=int(config.get("Timeout", 3)), visibility=visibility
    ) or missing_permission(asked, lambda action, on: grants.role_may(role, action, on))


def refuse() -> None:
    """Correct `services.lambda_svc`: its API."""
    lambdas = ministack("services.lambda_svc")
    create, update = lambdas._create_esm, lambdas._update_esm

    def created(data: Json) -> Any:
        if said := problem(data):
            return lambdas._invalid_parameter_value(said)
        if ":sqs:" not in str(data.get("EventSourceArn")):
            data = {"BatchSize": 100, **data}
        return _awake(create(data), "Creating")

    def updated(mapping_id: str, data: Json) -> Any:
        now = lambdas._esms.get(mapping_id)
        if now and (said := problem({**now, **data})):
            return lambdas._invalid_parameter_value(said)
        before = now and now["State"]
        answer = update(mapping_id, data)
        if not now:
            return answer
        after = {"Enabled": "Enabling", "Disabled": "Disabling"}[now["State"]]
        return _awake(answer, after if before != now["State"] else "Updating")

    def _awake(answer: Any, state: str) -> Any:
        """It is so at once, but is told as on its way, as on AWS."""
        lambdas._esm_wake.set()
        status, _headers, body = answer
        if status >= 300:
            return answer
        return lambdas.json_response({**lambdas.json.loads(body), "State": state}, status)

    lambdas._create_esm, lambdas._update_esm = created, updated
