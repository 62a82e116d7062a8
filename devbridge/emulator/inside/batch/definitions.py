"""What a job's definition asks for, whichever of the two ways it says so. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..ecs.definitions import SIZES
from ..machines.failure import Failure

Json = dict[str, Any]

CLIENT: Final = "ClientException"
GROUP: Final = "/aws/batch/job"
"""The log group of a definition that names none."""
DEFAULT: Final = "default"
"""What the only container of `containerProperties` is called."""
SHORTEST: Final = 60
"""Seconds that an attempt's timeout has at least."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
"""Of a compute environment, a queue, a definition or a job."""
MOST_ATTEMPTS: Final = 10
MOST_CONDITIONS: Final = 5
_OLD: Final = {"vcpus": "VCPU", "memory": "MEMORY"}
"""Members of their own that some of the required resources had before."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a job needs of a compute environment."""

    vcpus: float
    gpus: int = 0


def is_fargate(definition: Mapping[str, Any]) -> bool:
    """Whether it is for Fargate, not for EC2."""
    return "FARGATE" in (definition.get("platformCapabilities") or ())


def check(request: Mapping[str, Any]) -> None:
    """
    Raises:
        Failure: Batch takes no such definition, or no job with such overrides.
    """
    timeout = (request.get("timeout") or {}).get("attemptDurationSeconds")
    if timeout is not None and timeout < SHORTEST:
        raise Failure(
            CLIENT, f"attemptDurationSeconds of the timeout must be at least {SHORTEST} seconds"
        )
    strategy = request.get("retryStrategy") or {}
    if not 1 <= int(strategy.get("attempts") or 1) <= MOST_ATTEMPTS:
        raise Failure(CLIENT, f"attempts of the retry strategy must be from 1 to {MOST_ATTEMPTS}")
    conditions = strategy.get("evaluateOnExit") or ()
    if len(conditions) > MOST_CONDITIONS:
        raise Failure(CLIENT, f"evaluateOnExit must have {MOST_CONDITIONS} conditions at most")
    if conditions and "attempts" not in strategy:
        raise Failure(CLIENT, "attempts must be specified with evaluateOnExit")


def check_definition(request: Mapping[str, Any]) -> None:
    """
    Raises:
        Failure: Batch takes no such definition.
    """
    check(request)
    properties = [name for name in ("containerProperties", "ecsProperties") if request.get(name)]
    if len(properties) != 1:
        raise Failure(
            CLIENT,
            "a job definition must have either containerProperties or ecsProperties (others do not"
            " run on the embedded cloud)",
        )
    if not containers_of(request):
        raise Failure(CLIENT, "ecsProperties must have a task with containers")
    if is_fargate(request):
        _check_fargate(request)


def _check_fargate(request: Mapping[str, Any]) -> None:
    if not task_of(request).get("executionRoleArn"):
        raise Failure(CLIENT, "executionRoleArn must be specified for Fargate jobs")
    needs = [_resources(each) for each in containers_of(request)]
    vcpus = sum(float(each.get("VCPU", 0)) for each in needs)
    memory = sum(int(each.get("MEMORY", 0)) for each in needs)
    if any("GPU" in each for each in needs):
        raise Failure(CLIENT, "GPU resource requirements are not supported on Fargate")
    if memory not in SIZES.get(round(vcpus * 1024), ()):
        raise Failure(
            CLIENT,
            "Error executing request, Exception : Fargate resource requirements"
            f" ({vcpus:.2f} vCPU, {memory} MiB) not valid.",
        )


def task_of(definition: Mapping[str, Any]) -> Json:
    """The task of a definition, as ECS would have it: roles, volumes and containers."""
    if definition.get("ecsProperties"):
        tasks = definition["ecsProperties"].get("taskProperties") or [{}]
        return copy.deepcopy(dict(tasks[0]))
    own = copy.deepcopy(dict(definition.get("containerProperties") or {}))
    return {
        "taskRoleArn": own.get("jobRoleArn"),
        "executionRoleArn": own.get("executionRoleArn"),
        "volumes": own.get("volumes"),
        "containers": [{**own, "name": DEFAULT}],
    }


def containers_of(definition: Mapping[str, Any]) -> Sequence[Json]:
    """Its containers, in the words of ECS."""
    found: Sequence[Json] = task_of(definition).get("containers") or []
    return found


def overridden(definition: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
    """The definition with what a SubmitJob overrides.

    Raises:
        Failure: what is overridden is not there.
    """
    made = copy.deepcopy(dict(definition))
    own, ecs = request.get("containerOverrides"), request.get("ecsPropertiesOverride")
    if made.get("ecsProperties"):
        if own:
            raise Failure(
                CLIENT,
                "containerOverrides is not for ecsProperties: ecsPropertiesOverride is",
            )
        tasks = (ecs or {}).get("taskProperties") or [{}]
        known = {
            each.get("name"): each
            for each in made["ecsProperties"]["taskProperties"][0]["containers"]
        }
        for override in tasks[0].get("containers") or ():
            name = override.get("name")
            if name not in known and len(known) != 1:
                raise Failure(CLIENT, f"the definition has no container {name!r} to override")
            _override(known.get(name) or next(iter(known.values())), override)
    else:
        if ecs:
            raise Failure(CLIENT, "ecsPropertiesOverride is not for containerProperties")
        _override(made["containerProperties"], own or {})
    return made


def overrides(request: Mapping[str, Any]) -> list[Json]:
    """What ECS is told to override of a job's containers, but for what Batch adds."""
    tasks = (request.get("ecsPropertiesOverride") or {}).get("taskProperties") or [{}]
    own = request.get("containerOverrides")
    found: Sequence[Json] = tasks[0].get("containers") or [{"name": DEFAULT, **(own or {})}]
    return copy.deepcopy(list(found))


def _override(container: Json, override: Mapping[str, Any]) -> None:
    if override.get("command"):
        container["command"] = list(override["command"])
    given = [*(container.get("environment") or ()), *(override.get("environment") or ())]
    variables = {each["name"]: each.get("value", "") for each in given}
    container["environment"] = [{"name": n, "value": v} for n, v in variables.items()]
    needs = _resources(container) | {
        each["type"]: each["value"] for each in override.get("resourceRequirements") or ()
    }
    needs |= {kind: str(override[name]) for name, kind in _OLD.items() if name in override}
    container["resourceRequirements"] = [{"type": t, "value": v} for t, v in needs.items()]


def _resources(container: Mapping[str, Any]) -> dict[str, str]:
    old = {kind: container.get(name) for name, kind in _OLD.items()}
    found = {kind: str(value) for kind, value in old.items() if value is not None}
    for each in container.get("resourceRequirements") or ():
        found[each["type"]] = str(each["value"])
    return found


def need_of(definition: Mapping[str, Any]) -> Need:
    """What a job of that definition needs."""
    resources = [_resources(each) for each in containers_of(definition)]
    return Need(
        vcpus=sum(float(each.get("VCPU", 0)) for each in resources),
        gpus=sum(int(each.get("GPU", 0)) for each in resources),
    )


def log_of(container: Mapping[str, Any], name: str, task_id: str) -> tuple[str, str] | None:
    """Log group and stream of a container; `name` is the definition's."""
    log = container.get("logConfiguration") or {"logDriver": "awslogs"}
    if log.get("logDriver") != "awslogs":
        return None
    options = log.get("options") or {}
    prefix = options.get("awslogs-stream-prefix") or name
    return options.get("awslogs-group") or GROUP, f"{prefix}/{container['name']}/{task_id}"
