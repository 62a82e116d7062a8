"""A task's record, in ECS's words: how it begins, goes on and ends. Pure.

Times are seconds since the epoch, as the JSON protocol of AWS has them.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..machines import metadata
from ..machines.events import iso

Json = dict[str, Any]

USER: Final = "UserInitiated"
EXITED: Final = "EssentialContainerExited"
NOT_STARTED: Final = "TaskFailedToStart"
SPOT: Final = "SpotInterruption"
TERMINATED: Final = "TerminationNotice"
SPOT_REASON: Final = "Your Spot Task was interrupted."
EXITED_REASON: Final = "Essential container in task exited"
_TIMES: Final = (
    "connectivityAt",
    "createdAt",
    "executionStoppedAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppedAt",
    "stoppingAt",
)


def new_task(
    request: Mapping[str, Any],
    definition: Mapping[str, Any],
    *,
    arn: str,
    cluster_arn: str,
    strategy: Sequence[Mapping[str, Any]],
    now: float,
) -> Json:
    """The record of a task that RunTask was just asked for."""
    overrides = copy.deepcopy(request.get("overrides") or {})
    region = arn.split(":")[3]
    record: Json = {
        "attachments": [_interface(request)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": architecture_of(definition)}],
        "availabilityZone": f"{region}a",
        "clusterArn": cluster_arn,
        "connectivity": "CONNECTED",
        "connectivityAt": now,
        "containers": [_container(each, arn, overrides) for each in containers_of(definition)],
        "cpu": str(overrides.get("cpu") or definition.get("cpu", "256")),
        "createdAt": now,
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": bool(request.get("enableExecuteCommand")),
        "ephemeralStorage": overrides.get("ephemeralStorage")
        or definition.get("ephemeralStorage")
        or {"sizeInGiB": 20},
        "group": request.get("group") or f"family:{definition['family']}",
        "healthStatus": "UNKNOWN",
        "lastStatus": "PROVISIONING",
        "launchType": "FARGATE",
        "memory": str(overrides.get("memory") or definition.get("memory", "512")),
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "platformFamily": "Linux",
        "platformVersion": "1.4.0",
        "tags": list(request.get("tags") or []),
        "taskArn": arn,
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "version": 1,
    }
    if strategy:
        record["capacityProviderName"] = provider_of(strategy)
    if request.get("startedBy"):
        record["startedBy"] = request["startedBy"]
    return record


def provider_of(strategy: Sequence[Mapping[str, Any]]) -> str:
    """The capacity provider that a single task is placed with."""
    return str(
        max(strategy, key=lambda each: (each.get("base", 0), each.get("weight", 0)))[
            "capacityProvider"
        ]
    )


def containers_of(definition: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The definitions of a task definition's containers."""
    found: Sequence[Mapping[str, Any]] = definition.get("containerDefinitions") or []
    return found


def architecture_of(definition: Mapping[str, Any]) -> str:
    """``x86_64`` or ``arm64``."""
    platform = definition.get("runtimePlatform") or {}
    return str(platform.get("cpuArchitecture") or "X86_64").lower()


def override_of(overrides: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What is overridden of the container with that name."""
    each: Mapping[str, Any]
    for each in overrides.get("containerOverrides") or ():
        if each.get("name") == name:
            return each
    return {}


def move(record: Json, status: str, now: float) -> None:
    """The task is in its next state."""
    record["lastStatus"] = status
    record["version"] += 1
    for each in record["containers"]:
        if status == "RUNNING":
            each["lastStatus"] = "RUNNING"
    if status == "PENDING":
        record["pullStartedAt"] = now
    if status == "RUNNING":
        record |= {"pullStoppedAt": now, "startedAt": now}


def stopping(record: Json, code: str, reason: str, now: float) -> None:
    """The task is to stop, for that reason. The first reason counts."""
    if record["desiredStatus"] == "STOPPED":
        return
    record |= {
        "desiredStatus": "STOPPED",
        "stopCode": code,
        "stoppedReason": reason,
        "stoppingAt": now,
    }
    record["version"] += 1


def exited(record: Json, name: str, code: int) -> None:
    """A container has ended."""
    for each in record["containers"]:
        if each["name"] == name:
            each |= {"lastStatus": "STOPPED", "exitCode": code}


def stopped(record: Json, now: float) -> None:
    """The task has ended."""
    for each in record["containers"]:
        each["lastStatus"] = "STOPPED"
    for each in record["attachments"]:
        each["status"] = "DELETED"
    record |= {"executionStoppedAt": now, "stoppedAt": now, "lastStatus": "STOPPED"}
    record["version"] += 1


def event(record: Mapping[str, Any], now: float) -> Json:
    """The detail of a "Task State Change" event of the task as it is."""
    shown = {name: value for name, value in record.items() if name[0] != "_" and name != "tags"}
    shown |= {name: iso(record[name]) for name in _TIMES if name in record}
    return copy.deepcopy({**shown, "updatedAt": iso(now)})


def document(record: Mapping[str, Any], definition: Mapping[str, Any]) -> Json:
    """What the metadata endpoint says of the task, but for its containers."""
    made = {
        "Cluster": record["clusterArn"],
        "TaskARN": record["taskArn"],
        "Family": definition["family"],
        "Revision": str(definition["revision"]),
        "DesiredStatus": record["desiredStatus"],
        "KnownStatus": record["lastStatus"],
        "Limits": {"CPU": int(record["cpu"]) / 1024, "Memory": int(record["memory"])},
        "AvailabilityZone": record["availabilityZone"],
        "LaunchType": record["launchType"],
        "EphemeralStorageMetrics": {
            "Utilized": 0,
            "Reserved": record["ephemeralStorage"]["sizeInGiB"] * 1024,
        },
    }
    for name, key in (("PullStartedAt", "pullStartedAt"), ("PullStoppedAt", "pullStoppedAt")):
        if key in record:
            made[name] = iso(record[key])
    return made


def container_document(
    record: Mapping[str, Any],
    definition: Mapping[str, Any],
    name: str,
    log: tuple[str, str] | None,
) -> Json:
    """What the metadata endpoint says of a container."""
    arn, region = record["taskArn"], record["taskArn"].split(":")[3]
    own = next(each for each in record["containers"] if each["name"] == name)
    return {
        "DockerId": own["runtimeId"],
        "Name": name,
        "DockerName": name,
        "Image": own["image"],
        "ImageID": "",
        "Labels": {
            "com.amazonaws.ecs.cluster": record["clusterArn"],
            "com.amazonaws.ecs.container-name": name,
            "com.amazonaws.ecs.task-arn": arn,
            "com.amazonaws.ecs.task-definition-family": definition["family"],
            "com.amazonaws.ecs.task-definition-version": str(definition["revision"]),
        },
        "DesiredStatus": record["desiredStatus"],
        "KnownStatus": own["lastStatus"],
        "Limits": {"CPU": int(own["cpu"] or 0)},
        "CreatedAt": iso(record["createdAt"]),
        "StartedAt": iso(record.get("startedAt", record["createdAt"])),
        "Type": "NORMAL",
        "ContainerARN": own["containerArn"],
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["127.0.0.1"]}],
        **metadata.of_log(log, region),
    }


def stream_of(definition: Mapping[str, Any], task_id: str) -> tuple[str, str] | None:
    """The log group and stream of a container; None when its output goes nowhere."""
    log = definition.get("logConfiguration") or {}
    options = log.get("options") or {}
    if log.get("logDriver") != "awslogs" or not options.get("awslogs-group"):
        return None
    prefix = options.get("awslogs-stream-prefix")
    stream = f"{prefix}/{definition['name']}/{task_id}" if prefix else task_id
    return options["awslogs-group"], stream


def same(request: Mapping[str, Any]) -> str:
    """What two requests with the same token must have in common: all of it."""
    return json.dumps(request, sort_keys=True)


def _container(definition: Mapping[str, Any], arn: str, overrides: Mapping[str, Any]) -> Json:
    region, account, path = arn.split(":")[3], arn.split(":")[4], arn.partition(":task/")[2]
    own = override_of(overrides, definition["name"])
    task_id = path.rpartition("/")[2]
    made = {
        "containerArn": f"arn:aws:ecs:{region}:{account}:container/{path}/{uuid.uuid4()}",
        "taskArn": arn,
        "name": definition["name"],
        "image": definition["image"],
        "runtimeId": f"{task_id}-{uuid.uuid4().int % 10**10:010}",
        "lastStatus": "PENDING",
        "networkBindings": [],
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(own.get("cpu", definition.get("cpu", 0))),
    }
    for key in ("memory", "memoryReservation"):
        value = own.get(key, definition.get(key))
        if value is not None:
            made[key] = str(value)
    return made


def _interface(request: Mapping[str, Any]) -> Json:
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    subnets = network.get("subnets") or [""]
    details = [
        {"name": "subnetId", "value": subnets[0]},
        {"name": "privateIPv4Address", "value": "127.0.0.1"},
    ]
    return {
        "id": str(uuid.uuid4()),
        "type": "ElasticNetworkInterface",
        "status": "ATTACHED",
        "details": details,
    }
