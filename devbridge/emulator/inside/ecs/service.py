"""ECS's operations on tasks in the place of ministack's, and what its definitions keep."""

from __future__ import annotations

import contextvars
import copy
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ..corrections.alarms import SECONDS
from ..host import before, ministack
from ..machines import events, roles
from ..machines.failure import Failure
from ..machines.running import Machine, run_of
from ..machines.task import Room, unassumable
from . import definitions, records
from .records import Json
from .run import Live
from .services import Services

Answer = tuple[int, dict[str, str], bytes]

MOST: Final = 10
"""Tasks that one RunTask starts at most."""
_FARGATE: Final = ("FARGATE", "FARGATE_SPOT")
_ENDED: Final = "the embedded cloud was stopped while the task ran"


class Service:
    """Everything of ECS that lives in this process."""

    def __init__(self, room: Room, now: Callable[[], float] = time.time) -> None:
        self._room = room
        self._now = now
        self._lock = threading.Lock()
        self._live: dict[str, Live] = {}
        self.services = Services(self.run_task, self.live, float(os.environ.get(SECONDS) or 5))
        self._stop_own: Callable[[Json], Any] = self.stop_task

    def plug_in(self) -> None:
        """Put the operations in the place of ministack's, and end tasks before it ends."""
        ecs = ministack("services.ecs")
        register, list_tasks = ecs._register_task_definition, ecs._list_tasks
        self._stop_own = ecs._stop_task

        def answered(operation: Callable[[Json], Any]) -> Callable[[Json], Any]:
            def answer(request: Json) -> Any:
                try:
                    return operation(request)
                except Failure as failure:
                    body = {"__type": failure.code, "message": failure.message}
                    return ministack("core.responses").json_response(body, 400)

            return answer

        def register_checked(request: Json) -> Any:
            definitions.check(request)
            content = _content(register(request))
            key = content["taskDefinition"]["taskDefinitionArn"].rpartition("/")[2]
            made = definitions.shown(content["taskDefinition"])
            ecs._task_defs[key] = made
            return ministack("core.responses").json_response({**content, "taskDefinition": made})

        for name in ("get_state", "reset"):
            before(ecs, name, lambda: self.end_all(_ENDED))
        ecs._register_task_definition = answered(register_checked)
        ecs._ACTION_MAP |= {
            "RegisterTaskDefinition": ecs._register_task_definition,
            "RunTask": answered(self.run_task),
            "StopTask": answered(self.stop_task),
            "DescribeTasks": answered(self.describe_tasks),
            "ListTasks": answered(self._alone(list_tasks)),
        }
        ecs._stop_task = ecs._ACTION_MAP["StopTask"]
        self.services.plug_in(ecs)

    def live(self) -> list[Live]:
        """The tasks that have not ended."""
        with self._lock:
            return list(self._live.values())

    def machines(self) -> Iterable[Machine]:
        """The tasks that have not ended."""
        for each in self.live():
            record = each.snapshot()
            overrides = record["overrides"].get("containerOverrides") or ()
            variables = [v for o in overrides for v in o.get("environment") or ()]
            yield Machine(
                compute="fargate",
                id=record["taskArn"],
                status=record["lastStatus"],
                names=[record[key] for key in ("startedBy",) if key in record],
                run=run_of(variables),
                pids=each.task.pids,
                interrupt=each.interrupt,
            )

    def end_all(self, reason: str) -> None:
        """End every task, and its processes at once. What is left of their logs may be lost: who
        takes them may be who calls this."""
        for each in self.live():
            each.end(records.TERMINATED, reason)

    def run_task(self, request: Json) -> Any:
        """RunTask; the same token gives the same tasks.

        Raises:
            Failure: it is refused.
        """
        ecs, responses = ministack("services.ecs"), ministack("core.responses")
        with self._lock:
            if known := self._started(ecs, request):
                return responses.json_response({"tasks": known, "failures": []})
            cluster, definition, strategy = _checked(ecs, request)
            started = [
                self._new(ecs, request, cluster, definition, strategy)
                for _ in range(int(request.get("count", 1)))
            ]
            shown = [ecs._sanitize(each.snapshot()) for each in started]
        for each in started:
            run = contextvars.copy_context().run
            threading.Thread(
                target=run, args=(self._life, each), name="ecs-task", daemon=True
            ).start()
        return responses.json_response({"tasks": shown, "failures": []})

    def stop_task(self, request: Json) -> Any:
        """StopTask, also of one that has ended.

        Raises:
            Failure: there is no such task.
        """
        ecs, responses = ministack("services.ecs"), ministack("core.responses")
        cluster = _cluster(ecs, request)
        with self._lock:
            task = ecs._resolve_task(str(request.get("task") or ""), cluster["clusterName"])
        if task is None:
            raise Failure("InvalidParameterException", "The referenced task was not found.")
        live = self._live.get(task["taskArn"])
        if live:
            reason = request.get("reason") or "Task stopped by user"
            live.stop(records.USER, reason)
        elif task["lastStatus"] != "STOPPED":  # ministack's own, of a service
            return self._stop_own(request)
        shown = live.snapshot() if live else copy.deepcopy(task)
        return responses.json_response({"task": ecs._sanitize(shown)})

    def describe_tasks(self, request: Json) -> Any:
        """DescribeTasks.

        Raises:
            Failure: there is no such cluster.
        """
        ecs, responses = ministack("services.ecs"), ministack("core.responses")
        cluster, found, failures = _cluster(ecs, request), [], []
        for asked in request.get("tasks") or ():
            with self._lock:
                task = ecs._resolve_task(str(asked), cluster["clusterName"])
            if task is None:
                arn = f"{cluster['clusterArn'].replace(':cluster/', ':task/')}/{asked}"
                arn = asked if asked.startswith("arn:") else arn
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            live = self._live.get(task["taskArn"])
            shown = ecs._sanitize(live.snapshot() if live else copy.deepcopy(task))
            tags = ecs._tags.get(task["taskArn"], [])
            found.append(
                {**shown, "tags": tags if "TAGS" in (request.get("include") or ()) else []}
            )
        return responses.json_response({"tasks": found, "failures": failures})

    def _alone(self, operation: Callable[[Json], Any]) -> Callable[[Json], Any]:
        """An operation of ministack's, while no task is added: its requests have threads."""

        def alone(request: Json) -> Any:
            with self._lock:
                return operation(request)

        return alone

    def _life(self, live: Live) -> None:
        try:
            live.run()
        finally:
            with self._lock:
                self._live.pop(live.record["taskArn"], None)

    def _started(self, ecs: Any, request: Json) -> list[Json]:
        token = request.get("clientToken")
        if not token:
            return []
        known = [task for task in ecs._tasks.values() if task.get("_token") == token]
        if known and known[0]["_request"] != records.same(request):
            raise Failure(
                "ConflictException",
                f"The clientToken was used before with other parameters for {known[0]['taskArn']}.",
            )
        return [ecs._sanitize(copy.deepcopy(task)) for task in known]

    def _new(
        self, ecs: Any, request: Json, cluster: Json, definition: Json, strategy: list[Json]
    ) -> Live:
        region, account = cluster["clusterArn"].split(":")[3:5]
        path = f"{cluster['clusterName']}/{uuid.uuid4().hex}"
        arn = f"arn:aws:ecs:{region}:{account}:task/{path}"
        record = records.new_task(
            request,
            definition,
            arn=arn,
            cluster_arn=cluster["clusterArn"],
            strategy=strategy,
            now=int(self._now() * 1000) / 1000,
        )
        if request.get("clientToken"):
            record |= {"_token": request["clientToken"], "_request": records.same(request)}
        ecs._tasks[arn] = record
        if record["tags"]:
            ecs._tags[arn] = list(record["tags"])
        put = events.putter("aws.ecs", account, region)
        live = self._live[arn] = Live(record, definition, self._room, put, now=self._now)
        return live


def keep_definitions(provisioners: Any) -> None:
    """Let CloudFormation register task definitions as their users would: whole, and checked."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ECS::TaskDefinition"]
    update = handlers["update"]

    def create(title: str, properties: Mapping[str, Any], stack: str) -> Any:
        ecs = ministack("app")._get_module("ecs")
        request = definitions.request_of(properties)
        request.setdefault("family", f"{stack}-{title}")
        made = _content(ecs._register_task_definition(request))
        arn = made["taskDefinition"]["taskDefinitionArn"]
        return arn, {"TaskDefinitionArn": arn}

    def updated(
        physical: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: str, title: Any = None
    ) -> Any:
        if {**old, "Tags": None} == {**new, "Tags": None}:
            return update(physical, old, new, stack, title)
        family = physical.rpartition("/")[2].rpartition(":")[0]
        return create(title or physical, {"Family": family, **new}, stack)

    handlers["create"] = create
    handlers["update"] = updated


def _content(answer: Answer) -> Json:
    """What an answer of ministack's says; a Failure if that is an error."""
    content: Json = json.loads(answer[2])
    if answer[0] >= 400:
        raise Failure(str(content.get("__type")), str(content.get("message")))
    return content


def _cluster(ecs: Any, request: Json) -> Json:
    name = ecs._resolve_cluster_name(request.get("cluster") or "default")
    cluster: Json | None = ecs._clusters.get(name) if name else None
    if cluster is None or cluster.get("status") != "ACTIVE":
        raise Failure("ClusterNotFoundException", "Cluster not found.")
    return cluster


def _checked(ecs: Any, request: Json) -> tuple[Json, Json, list[Json]]:
    """The cluster, the definition and the strategy of a request that AWS would take."""
    cluster = _cluster(ecs, request)
    definition = ecs._task_defs.get(ecs._resolve_td_key(str(request.get("taskDefinition") or "")))
    if definition is None:
        raise Failure("ClientException", "TaskDefinition not found.")
    if definition["status"] != "ACTIVE":
        raise Failure("ClientException", "TaskDefinition is inactive")
    if not 1 <= int(request.get("count", 1)) <= MOST:
        raise Failure("InvalidParameterException", f"Count must be from 1 to {MOST}.")
    overrides = request.get("overrides") or {}
    definitions.check_overrides(overrides)
    strategy = _strategy(request, cluster)
    _check_fargate(definition, request, overrides)
    for key, kind in (("taskRoleArn", "task"), ("executionRoleArn", "execution")):
        arn = overrides.get(key) or definition.get(key)
        if arn and not roles.admits(arn, roles.TASKS, cluster["clusterArn"]):
            raise Failure("ClientException", unassumable(arn, kind))
    return cluster, definition, strategy


def _strategy(request: Json, cluster: Json) -> list[Json]:
    launch, strategy = request.get("launchType"), request.get("capacityProviderStrategy")
    if launch and strategy:
        raise Failure(
            "InvalidParameterException",
            "Specifying both a launch type and capacity provider strategy is not supported."
            " Remove one and try again.",
        )
    strategy = strategy or (() if launch else cluster.get("defaultCapacityProviderStrategy"))
    for each in strategy or ():
        name = each["capacityProvider"]
        if name not in (cluster.get("capacityProviders") or ()):
            raise Failure(
                "InvalidParameterException",
                "The specified capacity provider strategy cannot contain a capacity provider that"
                f" is not associated with the cluster: {name}. Associate the capacity provider"
                " with the cluster and try again.",
            )
    names = {each["capacityProvider"] for each in strategy or ()} or {launch or "EC2"}
    if not names <= set(_FARGATE):
        raise Failure(
            "InvalidParameterException", "No Container Instances were found in your cluster."
        )
    return list(strategy or ())


def _check_fargate(definition: Json, request: Json, overrides: Json) -> None:
    if "FARGATE" not in (definition.get("requiresCompatibilities") or ()):
        raise Failure(
            "InvalidParameterException", "Task definition does not support launch_type FARGATE."
        )
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if not network.get("subnets"):
        raise Failure(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    names = {each["name"] for each in records.containers_of(definition)}
    for each in overrides.get("containerOverrides") or ():
        if each.get("name") not in names:
            raise Failure(
                "InvalidParameterException",
                f"Override for container named {each.get('name')} is not a container in the"
                " TaskDefinition.",
            )
    cpu, memory = (str(overrides.get(key) or definition[key]) for key in ("cpu", "memory"))
    definitions.check_size(cpu, memory, "InvalidParameterException")
