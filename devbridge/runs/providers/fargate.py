"""Runs as tasks of Amazon ECS on AWS Fargate, which forgets them an hour after they have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge.runs.model import State
from devbridge.runs.providers import containers
from devbridge.runs.providers.base import (
    Asked,
    Client,
    Ended,
    Look,
    NoRoom,
    by_hundreds,
    epoch,
    pairs,
)
from runner.outcome import Failure

NAME: Final = "fargate"
_STATES: Final = {
    "PROVISIONING": State.QUEUED,
    "PENDING": State.STARTING,
    "ACTIVATING": State.STARTING,
}
_TAKEN_AWAY: Final = ("SpotInterruption", "TerminationNotice")
_NOT_STARTED: Final = "TaskFailedToStart"
_STOPPED: Final = "UserInitiated"


class Fargate:
    """The tasks of one cluster."""

    name = NAME
    repeatable = True
    printers = ""

    def __init__(self, client: Client, place: Mapping[str, Any]) -> None:
        """`place` is ``{"cluster", "definition", "container", "subnets", "groups", "publicIp",
        "spot"}``."""
        self._client = client
        self._place = place

    def start(self, asked: Asked) -> str:
        """See `Provider.start`."""
        place = self._place
        network = {
            "subnets": place["subnets"],
            "securityGroups": place.get("groups") or [],
            "assignPublicIp": "ENABLED" if place.get("publicIp") else "DISABLED",
        }
        container = {
            "name": place.get("container") or containers.CONTAINER,
            "environment": pairs(asked.variables),
        }
        capacity = "FARGATE_SPOT" if place.get("spot") else "FARGATE"
        done = self._client("ecs").run_task(
            cluster=place["cluster"],
            taskDefinition=place["definition"],
            count=1,
            clientToken=asked.token,
            startedBy=asked.uuid,
            capacityProviderStrategy=[{"capacityProvider": capacity, "weight": 1}],
            networkConfiguration={"awsvpcConfiguration": network},
            overrides={"containerOverrides": [container]},
        )
        if done["tasks"]:
            return str(done["tasks"][0]["taskArn"])
        why = [
            f"{each.get('reason', '')} {each.get('detail', '')}".strip()
            for each in done.get("failures") or ()
        ]
        raise NoRoom("; ".join(why) or "Fargate has started no task")

    def stop(self, place: str) -> None:
        """See `Provider.stop`."""
        ecs = self._client("ecs")
        ecs.stop_task(cluster=_cluster(place), task=place, reason=containers.CANCELLED)

    def look(self, places: Sequence[str]) -> Mapping[str, Look]:
        """See `Provider.look`."""
        ecs, found = self._client("ecs"), {}
        for cluster in sorted({_cluster(place) for place in places}):
            for some in by_hundreds([place for place in places if _cluster(place) == cluster]):
                try:
                    tasks = ecs.describe_tasks(cluster=cluster, tasks=list(some))["tasks"]
                except ecs.exceptions.ClusterNotFoundException:
                    continue  # no job of the stage runs here any more
                found.update({task["taskArn"]: looked(task) for task in tasks})
        return found


def _cluster(arn: str) -> str:
    """The cluster's name in ``arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID``."""
    return arn.split("/")[1]


def looked(task: Mapping[str, Any]) -> Look:
    """What ECS's description of a task tells. Pure."""
    status = task["lastStatus"]
    container: Mapping[str, Any] = next(
        (c for c in task.get("containers") or () if c.get("name") == containers.CONTAINER), {}
    )
    started = epoch(task.get("startedAt"))
    stream = f"{containers.CONTAINER}/{containers.CONTAINER}/{task['taskArn'].rpartition('/')[2]}"
    logs = (("", stream),) if started is not None else ()
    if status != "STOPPED":
        return Look(state=_STATES.get(status, State.RUNNING), started_at=started, logs=logs)
    code = container.get("exitCode")
    reason = container.get("reason") or task.get("stoppedReason") or ""
    state, failure, gone = _ended(task, code, reason)
    return Look(
        state=state,
        failure=failure,
        infrastructure=gone,
        exit_code=code,
        started_at=started,
        ended_at=epoch(task.get("stoppedAt")),
        logs=logs,
    )


def _ended(
    task: Mapping[str, Any], code: int | None, reason: str
) -> tuple[State, Failure | None, bool]:
    stop, why = task.get("stopCode"), task.get("stoppedReason") or ""
    gone = stop in _TAKEN_AWAY or containers.gone(why)
    if code == 0 and not gone:
        return State.SUCCEEDED, None, False
    if stop == _STOPPED and not gone:
        return State.CANCELLED, None, False
    if stop == _NOT_STARTED and not gone and code is None:
        state, failure, _ = containers.ended(None, why or reason, gone=False)
        return state, failure or Failure(_NOT_STARTED, why), False
    return containers.ended(code, why if gone else reason, gone=gone)


def ended(event: Mapping[str, Any]) -> Ended | None:
    """What an "ECS Task State Change" event tells; None: it is none, or no end."""
    task = event.get("detail") or {}
    if event.get("source") != "aws.ecs" or task.get("lastStatus") != "STOPPED":
        return None
    uuid = containers.uuid_of(task.get("startedBy"))
    return Ended(uuid, str(task["taskArn"]), looked(task)) if uuid else None
