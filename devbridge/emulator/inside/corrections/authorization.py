"""Whom IAM is asked about, where ministack asks about the wrong resource.

AWS checks StopBuild and BatchGetBuilds against the builds' projects, reading and writing a log
stream against the stream, GetParameters against each parameter, GetRecords against the stream of
its iterator, running a task against its definition, what Batch does against definitions, queues and
jobs, what Scheduler does against the schedule, and what SQS does with several messages as what it
does with one; ministack checks them against ``*``, the log
group or the cluster, so that policies that are right on AWS would deny here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..host import ministack

_ACTIONS: Final = {
    "codebuild": {"BatchDeleteBuilds", "BatchGetBuilds", "RetryBuild", "StopBuild"},
    "logs": {
        "CreateLogStream",
        "DeleteLogStream",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutLogEvents",
    },
    "ssm": {"DeleteParameters", "GetParameters"},
    "ecs": {"DescribeTasks", "ListTasks", "RunTask", "StopTask"},
    "batch": {"CancelJob", "SubmitJob", "TerminateJob"},
    "kinesis": {"GetRecords", "SubscribeToShard"},
}


_OF_ONE: Final = {
    f"sqs:{each}Batch": f"sqs:{each}"
    for each in ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")
}
"""What IAM is asked where several are meant (SQS, API permissions)."""


class Several(str):
    """The first ARN, with the others that must be allowed as well, and the request's own keys of
    conditions."""

    __slots__ = ("keys", "others")
    others: tuple[str, ...]
    keys: Mapping[str, str]


def resources(service: str, action: str, body: bytes, region: str, account: str) -> list[str]:
    """The ARNs that the request is about; none: as ministack says."""
    request = _request(service, action, body)
    if request is None:
        return []
    base = f"arn:aws:{service}:{region}:{account}"
    if of := {"batch": _of_batch, "ecs": _of_ecs, "kinesis": _of_kinesis}.get(service):
        return of(action, request, base)
    if service == "codebuild":
        asked = request.get("ids") or [request.get("id")]
        projects = {str(each).rpartition("/")[2].rpartition(":")[0] for each in asked}
        return [f"{base}:project/{name}" for name in sorted(projects)]
    if service == "logs":
        stream = f":log-stream:{request.get('logStreamName', '')}"
        return [f"{base}:log-group:{request.get('logGroupName', '')}{stream}"]
    names = [str(name) for name in request.get("Names") or ()]
    return [
        name if name.startswith("arn:") else f"{base}:parameter/{name.lstrip('/')}"
        for name in names
    ]


def _request(service: str, action: str, body: bytes) -> dict[str, Any] | None:
    """What a request says; None where nothing is corrected, whose body may be of any size."""
    if action not in _ACTIONS.get(service, ()):
        return None
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def _named(base: str, kind: str, names: Sequence[Any]) -> list[str]:
    """ARNs as they are, and names as ARNs."""
    texts = [str(name) for name in names]
    return [text if text.startswith("arn:") else f"{base}:{kind}/{text}" for text in texts]


def _cluster(request: Mapping[str, Any], base: str) -> str:
    return _named(base, "cluster", [request.get("cluster") or "default"])[0]


def _of_ecs(action: str, request: Mapping[str, Any], base: str) -> list[str]:
    if action == "RunTask":
        (arn,) = _named(base, "task-definition", [request.get("taskDefinition", "")])
        # Whichever is the latest: a policy names all of them.
        return [arn if arn.rpartition("/")[2].count(":") else f"{arn}:*"]
    if action == "ListTasks":
        return ["*"]
    tasks = request.get("tasks") if action == "DescribeTasks" else [request.get("task", "")]
    cluster = _cluster(request, base).rpartition("/")[2]
    return _named(base, f"task/{cluster}", [str(task) for task in tasks or ()]) or ["*"]


def _of_batch(action: str, request: Mapping[str, Any], base: str) -> list[str]:
    if action == "SubmitJob":
        return [
            *_named(base, "job-definition", [request.get("jobDefinition", "")]),
            *_named(base, "job-queue", [request.get("jobQueue", "")]),
        ]
    return _named(base, "job", [request.get("jobId", "")])


def _of_kinesis(_action: str, request: Mapping[str, Any], base: str) -> list[str]:
    """The consumer, or the stream that an iterator is one of."""
    if consumer := request.get("ConsumerARN"):
        return [str(consumer)]
    known = ministack("services.kinesis")._shard_iterators.get(request.get("ShardIterator"))
    return [f"{base}:stream/{known['stream']}"] if known else []


def of_scheduler(path: str, query: Mapping[str, Any], body: bytes, base: str) -> list[str]:
    """The schedule that a request is about: its name is in the path, its group in the body or the
    query."""
    match = re.fullmatch(r"/schedules/([^/]+)", path)
    if match is None:
        return []
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        given = {}
    group = given.get("GroupName") if isinstance(given, dict) else None
    found = query.get("groupName")
    group = group or (found[0] if isinstance(found, list) else found) or "default"
    return [f"{base}:schedule/{group}/{match[1]}"]


def keys(service: str, action: str, body: bytes, region: str, account: str) -> dict[str, str]:
    """The request's own keys of conditions, by their names."""
    request = _request(service, action, body) if service == "ecs" else None
    if request is None:
        return {}
    return {"ecs:cluster": _cluster(request, f"arn:aws:ecs:{region}:{account}")}


def action_of(service: str, path: str, headers: Mapping[str, str]) -> str:
    """The operation that a request asks for, where resources are corrected."""
    if service == "batch":
        asked = path.rstrip("/").rpartition("/")[2].lower()
        return next((each for each in _ACTIONS["batch"] if each.lower() == asked), "")
    return headers.get("x-amz-target", "").rpartition(".")[2]


def correct() -> None:
    """Make ministack ask so."""
    iam_actions, iam_evaluator = ministack("core.iam_actions"), ministack("core.iam_evaluator")
    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    def extract_resource_arn(  # ministack's own parameters
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> str:
        action = action_of(service, path, headers)
        found = resources(service, action, body, region, account_id)
        if service == "scheduler":
            base = f"arn:aws:scheduler:{region}:{account_id}"
            found = of_scheduler(path, query_params or {}, body, base)
        if not found:
            return str(
                extract(service, method, path, headers, body, query_params, region, account_id)
            )
        several = Several(found[0])
        several.others = tuple(found[1:])
        several.keys = keys(service, action, body, region, account_id)
        return several

    def enforce_all(*args: Any, resource_arn: str = "*", **options: Any) -> Any:
        if len(args) > 4:  # so ministack's MQTT broker calls it
            *args, resource_arn = args  # type: ignore[assignment]
        key, action, *more = args
        args = (key, _OF_ONE.get(action, action), *more)
        if own := getattr(resource_arn, "keys", None):
            options["service_context"] = {**(options.get("service_context") or {}), **own}
        for arn in (resource_arn, *getattr(resource_arn, "others", ())):
            denied = enforce(*args, resource_arn=arn, **options)
            if denied:
                return denied
        return None

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_evaluator.enforce = enforce_all
