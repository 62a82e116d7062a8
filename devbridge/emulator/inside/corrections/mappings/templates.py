"""What CloudFormation makes of a mapping: only what has changed in the template changes in it.

ministack enables a mapping again that was disabled since, when anything else of it changes; says of
one that is disabled in its template that it is enabled; and takes texts for numbers and truths.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from ...host import ministack
from . import terms
from .poller import is_enabled

Json = Mapping[str, Any]

KIND: Final = "AWS::Lambda::EventSourceMapping"
_REPLACES: Final = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp")
_NUMBERS: Final = (
    *("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts"),
    *("MaximumRecordAgeInSeconds", "ParallelizationFactor"),
)
_TRUTHS: Final = ("Enabled", "BisectBatchOnFunctionError")
_KEPT: Final = (
    *_NUMBERS,
    *("BisectBatchOnFunctionError", "FunctionResponseTypes", "FilterCriteria"),
    *("DestinationConfig", "ScalingConfig"),
)


def keep(provisioners: Any) -> None:
    """Correct CloudFormation's mappings."""
    handlers = provisioners._RESOURCE_HANDLERS[KIND]
    create, delete = handlers["create"], handlers["delete"]
    lambdas = ministack("services.lambda_svc")

    def created(title: str, properties: Json, stack: str) -> Any:
        asked = plain(properties)
        _check(asked)
        answer = create(title, {"BatchSize": _default_size(asked), **asked}, stack)
        mapping = lambdas._esms[answer[0]]
        mapping["State"] = _state(mapping)
        if ":sqs:" in mapping["EventSourceArn"]:
            mapping.pop("StartingPosition", None)
        lambdas._esm_wake.set()
        return answer

    def updated(physical: str, old: Json, new: Json, stack: str, *_rest: Any) -> Any:
        asked, mapping = plain(new), lambdas._esms.get(physical)
        if mapping is None or any(old.get(name) != new.get(name) for name in _REPLACES):
            answer = created(physical, new, stack)
            delete(physical, old)
            return answer
        _check({**asked, "StartingPosition": mapping.get("StartingPosition")})
        change(mapping, plain(old), asked)
        function, name, arn, qualifier = provisioners._lambda_function_for_cfn_ref(
            asked.get("FunctionName", "")
        )
        if function:
            mapping |= {"FunctionName": name, "FunctionArn": arn, "Qualifier": qualifier}
        mapping["LastModified"] = int(time.time())
        lambdas._esm_wake.set()
        return physical, provisioners._lambda_esm_attrs(physical)

    handlers["create"], handlers["update"] = created, updated


def plain(properties: Json) -> dict[str, Any]:
    """The properties as numbers and truths: a template may have both as texts. Pure."""
    found = dict(properties)
    for name in _NUMBERS:
        if found.get(name) is not None:
            found[name] = int(found[name])
    for name in _TRUTHS:
        if isinstance(found.get(name), str):
            found[name] = found[name].lower() == "true"
    scaling = found.get("ScalingConfig") or {}
    if isinstance(scaling.get("MaximumConcurrency"), str):
        found["ScalingConfig"] = {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}
    return found


def change(mapping: dict[str, Any], old: Json, new: Json) -> None:
    """Change in a mapping what differs between two templates; what the new one says no more is as
    if it had never been said, but it stays enabled or disabled."""
    for name in _KEPT:
        if old.get(name) == new.get(name):
            continue
        if new.get(name) is not None:
            mapping[name] = new[name]
        elif name == "BatchSize":
            mapping[name] = _default_size(mapping)
        else:
            mapping.pop(name, None)
    if old.get("Enabled") != new.get("Enabled") and new.get("Enabled") is not None:
        mapping["Enabled"] = new["Enabled"]
        mapping["State"] = _state(mapping)


def _default_size(properties: Json) -> int:
    return 10 if ":sqs:" in str(properties.get("EventSourceArn")) else 100


def _state(mapping: Json) -> str:
    return "Enabled" if is_enabled(mapping) else "Disabled"


def _check(asked: Json) -> None:
    """
    Raises:
        ValueError: AWS refuses this.
    """
    if said := terms.problem(asked):
        raise ValueError(
            f"Invalid request provided: {said}"
            " (Service: Lambda, Status Code: 400, InvalidParameterValueException)"
        )
