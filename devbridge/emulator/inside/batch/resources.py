"""Compute environments, queues and definitions: what jobs are submitted to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..host import ministack
from ..machines.failure import Failure
from . import definitions
from .definitions import CLIENT, NAME
from .records import Json
from .run import Host, Place
from .scheduler import Environment

_GPUS: Final = re.compile(r"(?:p\d|g\d)")
_LIMIT: Final = (600, 86_400)
_ENVIRONMENTS: Final = 3
"""Compute environments that a queue has at most."""


class Resources:
    """What jobs are submitted to, of the caller's account and region."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        """Called when more jobs might run than before."""
        self.operations: dict[str, Callable[[Json], Json]] = {
            "createcomputeenvironment": self.create_environment,
            "updatecomputeenvironment": self.update_environment,
            "deletecomputeenvironment": self.delete_environment,
            "createjobqueue": self.create_queue,
            "updatejobqueue": self.update_queue,
            "deletejobqueue": self.delete_queue,
            "registerjobdefinition": self.register,
            "deregisterjobdefinition": self.deregister,
            "describejobdefinitions": self.describe_definitions,
        }

    def create_environment(self, request: Json) -> Json:
        """CreateComputeEnvironment. Raises Failure."""
        batch = ministack("services.batch")
        name = _named(request.get("computeEnvironmentName"), batch._compute_envs)
        resources = dict(request.get("computeResources") or {})
        if request.get("type", "MANAGED") == "MANAGED" and not resources.get("maxvCpus"):
            raise Failure(CLIENT, "computeResources of a managed environment must have maxvCpus")
        if not resources.get("subnets"):
            raise Failure(CLIENT, "computeResources must have subnets")
        arn = batch._ce_arn(name)
        cluster = f"AWSBatch-{name}-{uuid.uuid4()}"
        base = arn.partition(":compute-environment/")[0].replace(":batch:", ":ecs:")
        batch._compute_envs[name] = {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": arn,
            "ecsClusterArn": f"{base}:cluster/{cluster}",
            "containerOrchestrationType": "ECS",
            "type": request.get("type", "MANAGED"),
            "state": request.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "computeResources": resources,
            "serviceRole": request.get("serviceRole", ""),
            "tags": dict(request.get("tags") or {}),
            "uuid": str(uuid.uuid4()),
        }
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def update_environment(self, request: Json) -> Json:
        """UpdateComputeEnvironment. Raises Failure."""
        record = self.environment(request.get("computeEnvironment"))
        record["computeResources"] |= request.get("computeResources") or {}
        record |= {key: request[key] for key in ("state", "serviceRole") if key in request}
        self._changed()
        return {key: record[key] for key in ("computeEnvironmentName", "computeEnvironmentArn")}

    def delete_environment(self, request: Json) -> Json:
        """DeleteComputeEnvironment. Raises Failure."""
        record = self.environment(request.get("computeEnvironment"))
        batch, arn = ministack("services.batch"), record["computeEnvironmentArn"]
        if record["state"] != "DISABLED":
            raise Failure(CLIENT, "Cannot delete, resource must be disabled first")
        for queue in batch._job_queues.values():
            if arn in [self._arn_of(each) for each in queue["computeEnvironmentOrder"]]:
                raise Failure(CLIENT, "Cannot delete, found existing JobQueue relationship")
        batch._compute_envs.pop(record["computeEnvironmentName"])
        return {}

    def create_queue(self, request: Json) -> Json:
        """CreateJobQueue. Raises Failure."""
        batch = ministack("services.batch")
        name = _named(request.get("jobQueueName"), batch._job_queues)
        record: Json = {
            "jobQueueName": name,
            "jobQueueArn": batch._jq_arn(name),
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": 1,
            "computeEnvironmentOrder": [],
            "jobStateTimeLimitActions": [],
            "tags": dict(request.get("tags") or {}),
        }
        self._change_queue(record, request)
        batch._job_queues[name] = record
        return {"jobQueueName": name, "jobQueueArn": record["jobQueueArn"]}

    def update_queue(self, request: Json) -> Json:
        """UpdateJobQueue. Raises Failure."""
        record = self.queue(request.get("jobQueue"))
        self._change_queue(record, request)
        self._changed()
        return {key: record[key] for key in ("jobQueueName", "jobQueueArn")}

    def delete_queue(self, request: Json) -> Json:
        """DeleteJobQueue. Raises Failure."""
        record = self.queue(request.get("jobQueue"))
        if record["state"] != "DISABLED":
            raise Failure(CLIENT, "Cannot delete, resource must be disabled first")
        ministack("services.batch")._job_queues.pop(record["jobQueueName"])
        return {}

    def register(self, request: Json) -> Json:
        """RegisterJobDefinition: the next revision. Raises Failure."""
        batch, name = ministack("services.batch"), str(request.get("jobDefinitionName") or "")
        if not NAME.fullmatch(name):
            raise Failure(CLIENT, f"Job definition name {name!r} does not match {NAME.pattern}")
        definitions.check_definition(request)
        revisions = batch._job_definitions.setdefault(name, [])
        revision = len(revisions) + 1
        kept = {key: value for key, value in request.items() if value is not None}
        record = {
            "type": "container",
            **kept,
            "jobDefinitionArn": batch._jd_arn(name, revision),
            "revision": revision,
            "status": "ACTIVE",
            "containerOrchestrationType": "ECS",
            "tags": dict(request.get("tags") or {}),
        }
        revisions.append(record)
        shown = ("jobDefinitionName", "jobDefinitionArn", "revision")
        return {key: record[key] for key in shown}

    def deregister(self, request: Json) -> Json:
        """DeregisterJobDefinition. Raises Failure."""
        self.definition(str(request.get("jobDefinition") or ""))["status"] = "INACTIVE"
        return {}

    def describe_definitions(self, request: Json) -> Json:
        """DescribeJobDefinitions."""
        known = ministack("services.batch")._job_definitions
        found = [each for revisions in known.values() for each in revisions]
        name, status = request.get("jobDefinitionName"), request.get("status")
        asked = {str(each).rpartition("/")[2] for each in request.get("jobDefinitions") or ()}
        return {
            "jobDefinitions": [
                each
                for each in found
                if (not name or each["jobDefinitionName"] == name)
                and (not status or each["status"] == status)
                and (not asked or asked & {f"{each['jobDefinitionName']}:{each['revision']}"})
            ]
        }

    def environment(self, asked: Any) -> Json:
        """A compute environment, by its name or ARN. Raises Failure: there is none."""
        found = ministack("services.batch")._compute_envs.get(str(asked).rpartition("/")[2])
        return _there(found, f"Object does not exist: {asked}")

    def queue(self, asked: Any) -> Json:
        """A queue, by its name or ARN. Raises Failure: there is none."""
        found = ministack("services.batch")._job_queues.get(str(asked).rpartition("/")[2])
        return _there(found, f"Job queue {asked} does not exist")

    def definition(self, asked: str) -> Json:
        """A definition, by its name or ARN, with or without a revision. Raises Failure."""
        name, _, revision = asked.rpartition("/")[2].partition(":")
        revisions = ministack("services.batch")._job_definitions.get(name) or []
        active = [each for each in revisions if each["status"] == "ACTIVE"]
        if revision:
            active = [each for each in active if str(each["revision"]) == revision]
        found = active[-1] if active else None
        return _there(found, f"JobDefinition {asked} does not exist or is not active")

    def place(self, queue: Mapping[str, Any], fargate: bool) -> Place:
        """What a job needs of a queue. Raises Failure: the queue is for others."""
        batch = ministack("services.batch")
        scope = ministack("core.responses")
        account, region = scope.get_account_id(), scope.get_region()
        iam = ministack("app")._get_module("iam")
        logs = ministack("app")._get_module("cloudwatch_logs")

        def known() -> Sequence[Json]:
            with scope.request_scope(account, region):
                current = batch._job_queues.get(queue["jobQueueName"]) or queue
                names = [self._arn_of(e) for e in current["computeEnvironmentOrder"]]
                found = [batch._compute_envs.get(each.rpartition("/")[2]) for each in names]
                return [each for each in found if each]

        def environments() -> Sequence[Environment]:
            return [_as_environment(each) for each in known() if each["state"] == "ENABLED"]

        def limits() -> Mapping[str, float]:
            with scope.request_scope(account, region):
                current = batch._job_queues.get(queue["jobQueueName"]) or queue
                actions = current.get("jobStateTimeLimitActions") or ()
                return {each["reason"]: float(each["maxTimeSeconds"]) for each in actions}

        def host(arn: str) -> Host:
            record = next(each for each in known() if each["computeEnvironmentArn"] == arn)
            with scope.request_scope(account, region):
                return _as_host(record, iam)

        def make_group(name: str) -> None:
            with scope.request_scope(account, region):
                logs._create_log_group({"logGroupName": name})

        kinds = {_is_fargate(each) for each in known()}
        if kinds and fargate not in kinds:
            kind = "Fargate" if fargate else "EC2"
            raise Failure(
                CLIENT,
                f"The job definition is for {kind}, and the job queue {queue['jobQueueName']} has"
                " no such compute environment",
            )
        return Place(queue["jobQueueArn"], environments, limits, host, make_group)

    def _change_queue(self, record: Json, request: Mapping[str, Any]) -> None:
        order = request.get("computeEnvironmentOrder")
        if order is not None:
            if not 1 <= len(order) <= _ENVIRONMENTS:
                raise Failure(CLIENT, f"a job queue has 1 to {_ENVIRONMENTS} compute environments")
            kinds = {_is_fargate(self.environment(each["computeEnvironment"])) for each in order}
            if len(kinds) > 1:
                raise Failure(CLIENT, "a job queue cannot have both Fargate and EC2 environments")
        for each in request.get("jobStateTimeLimitActions") or ():
            if not _LIMIT[0] <= int(each["maxTimeSeconds"]) <= _LIMIT[1]:
                raise Failure(CLIENT, f"maxTimeSeconds must be from {_LIMIT[0]} to {_LIMIT[1]}")
        keys = ("state", "priority", "computeEnvironmentOrder", "jobStateTimeLimitActions")
        record |= {key: request[key] for key in keys if key in request}
        record["computeEnvironmentOrder"].sort(key=lambda each: each["order"])

    def _arn_of(self, entry: Mapping[str, Any]) -> str:
        name = str(entry["computeEnvironment"])
        return name if name.startswith("arn:") else ministack("services.batch")._ce_arn(name)


def _named(name: Any, known: Any) -> str:
    if not NAME.fullmatch(str(name or "")):
        raise Failure(CLIENT, f"the name {name!r} does not match {NAME.pattern}")
    if name in known:
        raise Failure(CLIENT, f"Object already exists: {name}")
    return str(name)


def _there(found: Json | None, words: str) -> Json:
    if found is None:
        raise Failure(CLIENT, words)
    return found


def _is_fargate(environment: Mapping[str, Any]) -> bool:
    return str(environment["computeResources"].get("type", "")).startswith("FARGATE")


def _as_environment(record: Mapping[str, Any]) -> Environment:
    resources = record["computeResources"]
    kinds = [str(each) for each in resources.get("instanceTypes") or ()]
    has_gpus = not _is_fargate(record) and any(_GPUS.match(each) for each in kinds)
    return Environment(record["computeEnvironmentArn"], float(resources["maxvCpus"]), has_gpus)


def _as_host(record: Mapping[str, Any], iam: Any) -> Host:
    name = str(record["computeResources"].get("instanceRole") or "").rpartition("/")[2]
    profile = iam._instance_profiles.get(name) or {}
    found = next((iam._roles.get(each) for each in profile.get("Roles") or ()), None)
    return Host(
        name=record["computeEnvironmentName"],
        cluster=record["ecsClusterArn"].rpartition("/")[2],
        fargate=_is_fargate(record),
        role_arn=found["Arn"] if found else "",
    )
