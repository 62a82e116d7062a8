"""Templates' properties as the requests that they stand for: names and types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_KEPT_MAPS: Final = ("DockerLabels", "DriverOpts", "Labels", "Options", "Parameters")
"""Properties whose own keys are the user's; ``Tags``, too, where they are no list."""
_NUMBERS: Final = frozenset(
    {
        *("attemptDurationSeconds", "attempts", "bidPercentage", "containerPort", "cpu"),
        *("desiredvCpus", "hardLimit", "hostPort", "interval", "maxSwap", "maxTimeSeconds"),
        *("maxvCpus", "memory", "memoryReservation", "minvCpus", "order", "priority", "retries"),
        *("schedulingPriority", "sharedMemorySize", "size", "sizeInGiB", "softLimit"),
        *("startPeriod", "startTimeout", "stopTimeout", "swappiness", "timeout"),
        *("transitEncryptionPort", "unmanagedvCpus", "vcpus"),
    }
)
_FLAGS: Final = frozenset(
    {
        *("disableNetworking", "enableExecuteCommand", "essential", "initProcessEnabled"),
        *("interactive", "isDefault", "privileged", "propagateTags", "pseudoTerminal"),
        *("readOnly", "readonlyRootFilesystem"),
    }
)
_TEXTS: Final = ("onExitCode", "value")
_OTHERWISE: Final = {
    "EFSVolumeConfiguration": "efsVolumeConfiguration",
    "FilesystemId": "fileSystemId",
    "IAM": "iam",
}


def request_of(properties: Mapping[str, Any]) -> Json:
    """The request with a template's properties."""
    made: Json = _request(properties, "")
    return made


def _request(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        if name in (*_KEPT_MAPS, "Tags"):
            return {key: _text(each) for key, each in value.items()}
        return {camel(key): _request(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_request(each, "") for each in value]
    return _typed(value, camel(name))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(value: Any, key: str) -> Any:
    """Templates may say numbers and flags as texts, and texts as numbers."""
    if key in _TEXTS:
        return _text(value)
    if not isinstance(value, str):
        return value
    if key in _NUMBERS and value.isdecimal():
        return int(value)
    if key in _FLAGS and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def camel(key: str) -> str:
    """A property's name in the API."""
    return _OTHERWISE.get(key) or key[:1].lower() + key[1:]
