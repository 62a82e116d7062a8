"""A job's record, in Batch's words. Pure. Times are milliseconds since the epoch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from . import definitions
from .retries import End, matches

Json = dict[str, Any]

SUBMITTED: Final = "SUBMITTED"
PENDING: Final = "PENDING"
RUNNABLE: Final = "RUNNABLE"
STARTING: Final = "STARTING"
RUNNING: Final = "RUNNING"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
OVER: Final = (SUCCEEDED, FAILED)
STATUSES: Final = (SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, *OVER)
EXITED: Final = "Essential container in task exited"
TIMED_OUT: Final = "Job attempt duration exceeded timeout"
NOT_STARTED: Final = "Task failed to start"
_ATTEMPT: Final = ("exitCode", "reason", "logStreamName", "taskArn", "containerInstanceArn")
"""What is kept of a container, or of a task, with an attempt; and below, of a job in a list."""
_SUMMARY: Final = (
    *("arrayProperties", "createdAt", "isCancelled", "isTerminated", "jobArn", "jobDefinition"),
    *("jobId", "jobName", "startedAt", "status", "statusReason", "stoppedAt"),
)


def new_job(
    request: Mapping[str, Any],
    definition: Mapping[str, Any],
    *,
    job_id: str,
    arn: str,
    queue_arn: str,
    now: int,
) -> Json:
    """The record of a job that SubmitJob was just asked for.

    Args:
        definition: with what the request overrides.
    """
    record: Json = {
        "jobArn": arn,
        "jobId": job_id,
        "jobName": request["jobName"],
        "jobQueue": queue_arn,
        "jobDefinition": definition["jobDefinitionArn"],
        "status": SUBMITTED,
        "attempts": [],
        "createdAt": now,
        "dependsOn": copy.deepcopy(request.get("dependsOn") or []),
        "parameters": {**(definition.get("parameters") or {}), **(request.get("parameters") or {})},
        "platformCapabilities": list(definition.get("platformCapabilities") or ["EC2"]),
        "propagateTags": bool(request.get("propagateTags", definition.get("propagateTags", False))),
        "retryStrategy": _strategy(request.get("retryStrategy") or definition.get("retryStrategy")),
        "tags": {**(request.get("tags") or {})},
        "isCancelled": False,
        "isTerminated": False,
        "_overrides": definitions.overrides(request),
    }
    timeout = request.get("timeout") or definition.get("timeout")
    if timeout:
        record["timeout"] = dict(timeout)
    if definition.get("ecsProperties"):
        record["ecsProperties"] = copy.deepcopy(definition["ecsProperties"])
    else:
        record["container"] = {
            "resourceRequirements": [],
            "environment": [],
            "mountPoints": [],
            "secrets": [],
            "ulimits": [],
            "volumes": [],
            "networkInterfaces": [],
            **copy.deepcopy(definition["containerProperties"]),
        }
    if size := (request.get("arrayProperties") or {}).get("size"):
        record["arrayProperties"] = {"size": size, "statusSummary": dict.fromkeys(STATUSES, 0)}
    return record


def child_of(parent: Mapping[str, Any], index: int) -> Json:
    """The record of an array job's child."""
    job_id = f"{parent['jobId']}:{index}"
    base = {key: copy.deepcopy(value) for key, value in parent.items() if key != "arrayProperties"}
    arn = f"{parent['jobArn']}:{index}"
    return {**base, "jobId": job_id, "jobArn": arn, "arrayProperties": {"index": index}}


def _strategy(given: Mapping[str, Any] | None) -> Json:
    return {"attempts": 1, "evaluateOnExit": [], **(copy.deepcopy(dict(given)) if given else {})}


def begin(record: Json, task_arn: str, host_arn: str) -> None:
    """An attempt begins: where it runs, and where its log will be."""
    task_id, definition = task_arn.rpartition("/")[2], definition_name(record)
    place = {"taskArn": task_arn, **({"containerInstanceArn": host_arn} if host_arn else {})}
    whole = record["container"] if "container" in record else _task(record)
    whole |= place
    for name, each in containers(record):
        for key in ("exitCode", "reason"):
            each.pop(key, None)
        log = definitions.log_of({**each, "name": name}, definition, task_id)
        if log:
            each["logStreamName"] = log[1]


def exited(record: Json, codes: Mapping[str, int], reason: str) -> None:
    """What is known of the containers of an attempt that has ended."""
    for name, each in containers(record):
        if name in codes:
            each["exitCode"] = codes[name]
        if reason:
            each["reason"] = reason


def attempted(record: Json, end: End, now: int) -> None:
    """An attempt has ended."""
    made: Json = {
        "startedAt": record.get("startedAt", now),
        "stoppedAt": now,
        "statusReason": end.status_reason,
        "container": {"networkInterfaces": []},
    }
    if "container" in record:
        made["container"] |= _of_attempt(record["container"])
    else:
        kept = [{**_of_attempt(each), "name": name} for name, each in containers(record)]
        made["taskProperties"] = [{**_of_attempt(_task(record)), "containers": kept}]
    record["attempts"].append(made)
    record |= {"stoppedAt": now, "statusReason": end.status_reason}


def _task(record: Mapping[str, Any]) -> Json:
    found: Json = record["ecsProperties"]["taskProperties"][0]
    return found


def containers(record: Mapping[str, Any]) -> list[tuple[str, Json]]:
    """A job's containers, by their names."""
    if "container" in record:
        return [(definitions.DEFAULT, record["container"])]
    return [(each["name"], each) for each in _task(record)["containers"]]


def _of_attempt(part: Mapping[str, Any]) -> Json:
    return {key: part[key] for key in _ATTEMPT if key in part}


def lost(record: Json, reason: str) -> None:
    """A job that was not over when its cloud ended is over now."""
    if record["status"] not in OVER:
        record |= {"status": FAILED, "statusReason": reason}


def definition_name(record: Mapping[str, Any]) -> str:
    """The name of a job's definition."""
    return str(record["jobDefinition"]).rpartition("/")[2].partition(":")[0]


def detail(record: Mapping[str, Any]) -> Json:
    """A job as DescribeJobs and the events show it."""
    shown = {key: value for key, value in record.items() if key[0] != "_"}
    return copy.deepcopy({"eksAttempts": [], **shown})


def summary(record: Mapping[str, Any]) -> Json:
    """A job as ListJobs shows it."""
    made = {key: copy.deepcopy(record[key]) for key in _SUMMARY if key in record}
    container = record.get("container") or {}
    own = {key: container[key] for key in ("exitCode", "reason") if key in container}
    return {**made, **({"container": own} if own else {})}


def listed(
    records: Sequence[Mapping[str, Any]],
    *,
    status: str = "",
    name: str = "",
    values: Sequence[str] = (),
) -> list[Mapping[str, Any]]:
    """Those that ListJobs finds: by a filter's name and values, or else by their status."""
    if name:
        return sorted(
            (each for each in records if any(_fits(each, name, value) for value in values)),
            key=lambda each: -each["createdAt"],
        )
    return [each for each in records if each["status"] == (status or RUNNING)]


def _fits(record: Mapping[str, Any], name: str, value: str) -> bool:
    if name == "JOB_NAME":
        return matches(value, record["jobName"])
    if name == "JOB_DEFINITION":
        own = str(record["jobDefinition"])
        short = own.rpartition("/")[2]
        return any(matches(value, each) for each in (own, short, short.partition(":")[0]))
    if name == "BEFORE_CREATED_AT":
        return bool(record["createdAt"] < int(value))
    if name == "AFTER_CREATED_AT":
        return bool(record["createdAt"] > int(value))
    return False


def of_children(parent: Json, statuses: Sequence[str], now: int) -> str:
    """Count an array's children; the status that the parent has then."""
    counted = {status: statuses.count(status) for status in STATUSES}
    parent["arrayProperties"] |= {"statusSummary": counted, "statusSummaryLastUpdatedAt": now}
    if counted[SUCCEEDED] + counted[FAILED] < len(statuses):
        return PENDING
    return FAILED if counted[FAILED] else SUCCEEDED
