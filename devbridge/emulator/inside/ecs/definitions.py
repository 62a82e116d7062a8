"""Task definitions: what Fargate refuses of one, and templates' as requests. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..machines import requests
from ..machines.container import Wanted
from ..machines.failure import Failure

Json = dict[str, Any]

_GIB: Final = 1024
SIZES: Final[Mapping[int, Iterable[int]]] = {
    256: (512, 1024, 2048),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
    32768: (60 * _GIB, 120 * _GIB, 244 * _GIB),
}
"""Fargate's combinations: CPU units, and MiB of memory."""
STOP_TIMEOUT: Final = 30
"""Seconds from SIGTERM to SIGKILL where a definition says nothing; and the most on Fargate."""
LONGEST_STOP_TIMEOUT: Final = 120
DISK: Final = (21, 200)
"""GiB of ephemeral storage that can be asked for."""
OVERRIDES: Final = 8192
"""Characters that a task's overrides have at most, as the JSON text that they are."""

_CPU: Final = re.compile(r"(\d*\.?\d+)\s*v?cpus?", re.IGNORECASE)
_MEMORY: Final = re.compile(r"(\d*\.?\d+)\s*gi?b", re.IGNORECASE)


def request_of(properties: Mapping[str, Any]) -> Json:
    """A template's task definition as the request that registers it."""
    made = requests.request_of(properties)
    for name in ("cpu", "memory"):
        if name in made:
            made[name] = str(made[name])
    return made


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """
    Raises:
        Failure: ECS takes no task with so much of it, whoever has it start one.
    """
    if len(json.dumps(overrides)) > OVERRIDES:
        raise Failure(
            "InvalidParameterException",
            f"Container Overrides length must be at most {OVERRIDES}",
        )


def check(request: Json) -> None:
    """Make sizes what ECS keeps, in place.

    Raises:
        Failure: Fargate has no such task.
    """
    if "cpu" in request:
        request["cpu"] = _units(str(request["cpu"]), _CPU)
    if "memory" in request:
        request["memory"] = _units(str(request["memory"]), _MEMORY)
    if "FARGATE" not in (request.get("requiresCompatibilities") or ()):
        return
    for name in ("cpu", "memory"):
        if name not in request:
            raise Failure(
                "ClientException", f"Fargate requires that '{name}' be defined at the task level."
            )
    check_size(request["cpu"], request["memory"])
    if request.get("networkMode", "awsvpc") != "awsvpc":
        raise Failure("ClientException", "Fargate only supports network mode awsvpc.")
    check_disk(request)
    for each in request.get("containerDefinitions") or ():
        driver = (each.get("logConfiguration") or {}).get("logDriver")
        if driver == "awslogs" and not request.get("executionRoleArn"):
            raise Failure(
                "ClientException",
                "Fargate requires task definition to have execution role ARN to support log driver"
                " awslogs.",
            )
        if each.get("stopTimeout", 0) > LONGEST_STOP_TIMEOUT:
            raise Failure(
                "ClientException",
                f"The stopTimeout of a container on Fargate is at most {LONGEST_STOP_TIMEOUT}"
                " seconds.",
            )


def check_size(cpu: str, memory: str, code: str = "ClientException") -> None:
    """
    Raises:
        Failure: Fargate has no such size.
    """
    sizes = SIZES.get(int(cpu) if cpu.isdecimal() else 0, ())
    if not memory.isdecimal() or int(memory) not in sizes:
        raise Failure(
            code,
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the"
            " Amazon ECS documentation for the valid values.",
        )


def check_disk(request: Mapping[str, Any]) -> None:
    """
    Raises:
        Failure: Fargate has no such disk.
    """
    disk = request.get("ephemeralStorage")
    if disk and not DISK[0] <= int(disk["sizeInGiB"]) <= DISK[1]:
        raise Failure(
            "ClientException",
            f"Ephemeral storage must be between {DISK[0]} and {DISK[1]} GiB.",
        )


def _units(text: str, pattern: re.Pattern[str]) -> str:
    """``1 vCPU`` and ``2 GB`` as units and MiB; a number as it is."""
    found = pattern.fullmatch(text.strip())
    return str(int(float(found[1]) * 1024)) if found else text


def shown(definition: Mapping[str, Any]) -> Json:
    """A definition without members that say nothing: AWS leaves them out."""
    lists = ("volumes", "placementConstraints", "containerDefinitions")
    return {n: value for n, value in definition.items() if n in lists or value not in ("", None)}


def wanted(container: Mapping[str, Any], log: tuple[str, str] | None) -> Wanted:
    """A container's definition, of ECS or of Batch, as what is to be started; but for an entry
    point, which Batch has not.

    Args:
        log: its group and stream.
    """
    options = (container.get("logConfiguration") or {}).get("options") or {}
    return Wanted(
        name=container["name"],
        image=container["image"],
        command=container.get("command") or (),
        environment={e["name"]: e.get("value", "") for e in container.get("environment") or ()},
        secrets={e["name"]: e["valueFrom"] for e in container.get("secrets") or ()},
        log=log,
        makes_group=options.get("awslogs-create-group") == "true",
        mounts=container.get("mountPoints") or (),
        essential=container.get("essential", True),
        stop_timeout=float(container.get("stopTimeout") or STOP_TIMEOUT),
    )
