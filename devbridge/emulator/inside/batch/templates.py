"""CloudFormation's resources of Batch, which ministack has none of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ..host import ministack
from ..machines import requests

Json = dict[str, Any]


def keep(provisioners: Any) -> None:
    """Let CloudFormation make compute environments, queues and definitions."""

    def named(stack: str, title: str) -> str:
        return str(provisioners._physical_name(stack, title, max_len=128))

    provisioners._RESOURCE_HANDLERS |= {
        "AWS::Batch::ComputeEnvironment": _resource("ComputeEnvironment", named),
        "AWS::Batch::JobQueue": _resource("JobQueue", named),
        "AWS::Batch::JobDefinition": _definition(named),
    }


def call(operation: str, request: Mapping[str, Any]) -> Json:
    """An operation of Batch, by the end of its path; ValueError with its reason."""
    batch = ministack("app")._get_module("batch")
    status, _, body = batch._DISPATCH[f"/v1/{operation}"](dict(request))
    content: Json = json.loads(body)
    if status >= 400:
        raise ValueError(f"{content['message']} ({content['__type']})")
    return content


def _resource(kind: str, named: Callable[[str, str], str]) -> dict[str, Any]:
    """The handlers of a resource that has a name and is changed in place."""
    operation, key = kind.lower(), requests.camel(kind)

    def create(title: str, properties: Mapping[str, Any], stack: str) -> Any:
        name = properties.get(f"{kind}Name") or named(stack, title)
        request = {**requests.request_of(properties), f"{key}Name": name}
        return _made(call(f"create{operation}", request)[f"{key}Arn"])

    def update(physical: str, _: Mapping[str, Any], new: Mapping[str, Any], *__: Any) -> Any:
        call(f"update{operation}", {**requests.request_of(new), key: physical})
        return _made(physical)

    def delete(physical: str, _: Mapping[str, Any]) -> None:
        call(f"update{operation}", {key: physical, "state": "DISABLED"})
        call(f"delete{operation}", {key: physical})

    def _made(arn: str) -> tuple[str, Json]:
        return arn, {f"{kind}Arn": arn}

    return {"create": create, "update": update, "delete": delete}


def _definition(named: Callable[[str, str], str]) -> dict[str, Any]:
    """A definition's: each change is a new revision, and the one before is deregistered."""

    def register(name: str, properties: Mapping[str, Any]) -> Any:
        request = {**requests.request_of(properties), "jobDefinitionName": name}
        request.pop("resourceRetentionPolicy", None)
        arn = call("registerjobdefinition", request)["jobDefinitionArn"]
        return arn, {"JobDefinitionArn": arn}

    def create(title: str, properties: Mapping[str, Any], stack: str) -> Any:
        return register(properties.get("JobDefinitionName") or named(stack, title), properties)

    def update(physical: str, _: Mapping[str, Any], new: Mapping[str, Any], *__: Any) -> Any:
        made = register(physical.rpartition("/")[2].partition(":")[0], new)
        kept = (new.get("ResourceRetentionPolicy") or {}).get("SkipDeregisterOnUpdate")
        if str(kept).lower() != "true":
            delete(physical, new)
        return made

    def delete(physical: str, _: Mapping[str, Any]) -> None:
        with suppress(ValueError):  # an update has done so, and ministack does so once more
            call("deregisterjobdefinition", {"jobDefinition": physical})

    return {"create": create, "update": update, "delete": delete}
