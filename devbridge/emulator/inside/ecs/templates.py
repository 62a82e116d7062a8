"""What CloudFormation makes of what scales services, and of alarms of several metrics for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..host import ministack
from . import scaling
from .records import Json

_TARGET: Final = "AWS::ApplicationAutoScaling::ScalableTarget"
_POLICY: Final = "AWS::ApplicationAutoScaling::ScalingPolicy"
_ALARM: Final = "AWS::CloudWatch::Alarm"


def keep_scaling(provisioners: Any) -> None:
    """Let CloudFormation make both."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers[_TARGET] = _handlers(_put_target)
    handlers[_POLICY] = _handlers(_put_policy)
    own = handlers[_ALARM]

    def create(title: str, properties: Json, stack: str) -> Any:
        if not properties.get("Metrics"):
            return own["create"](title, properties, stack)
        name = provisioners._physical_name(stack, title, max_len=255)
        return _put_alarm(properties.get("AlarmName") or name, properties)

    def update(physical: str, old: Json, new: Json, *more: Any) -> Any:
        if not new.get("Metrics"):
            return own["update"](physical, old, new, *more)
        return _put_alarm(physical, new)

    def delete(physical: str, properties: Json) -> None:
        if not properties.get("Metrics"):
            own["delete"](physical, properties)

    handlers[_ALARM] = {**own, "create": create, "update": update, "delete": delete}


def _handlers(put: Callable[[str, Json], Any]) -> dict[str, Any]:
    def create(title: str, properties: Json, _stack: str) -> Any:
        return put(title, properties)

    def update(_physical: str, _old: Json, new: Json, _stack: str, title: Any = None) -> Any:
        return put(str(title), new)

    def delete(_physical: str, _properties: Json) -> None:
        """It goes with its service."""

    return {"create": create, "update": update, "delete": delete}


def _service(text: str) -> Json:
    """That an ARN or a resource id names: ``...service/CLUSTER/NAME...``."""
    cluster, name = text.partition("service/")[2].split("|")[0].split(":")[0].split("/")[:2]
    found: Json | None = ministack("services.ecs")._services.get(f"{cluster}/{name}")
    if found is None:
        raise ValueError(f"No ECS service found for {text} (Service: ApplicationAutoScaling)")
    return found


def _put_target(_title: str, properties: Json) -> Any:
    resource, dimension = properties["ResourceId"], properties["ScalableDimension"]
    scaling.put_target(_service(resource), properties)
    return f"{resource}|{dimension}|{properties['ServiceNamespace']}", {}


def _put_policy(title: str, properties: Json) -> Any:
    service, name = _service(properties["ScalingTargetId"]), properties.get("PolicyName") or title
    arn = scaling.put_policy(service, name, properties)
    return arn, {"Arn": arn}


def _put_alarm(name: str, properties: Json) -> Any:
    for action in properties.get("AlarmActions") or ():
        scaling.put_alarm(_service(action), name, properties)
    own = ministack("core.responses")
    arn = f"arn:aws:cloudwatch:{own.get_region()}:{own.get_account_id()}:alarm:{name}"
    return name, {"Arn": arn}
