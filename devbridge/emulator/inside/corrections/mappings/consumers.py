"""AWS::Kinesis::StreamConsumer, which ministack's CloudFormation does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ...host import ministack

Json = Mapping[str, Any]

KIND: Final = "AWS::Kinesis::StreamConsumer"


def keep(provisioners: Any) -> None:
    """Let CloudFormation make, replace and delete consumers."""

    def create(_title: str, properties: Json, _stack: str) -> Any:
        kinesis = ministack("services.kinesis")
        asked = {name: properties.get(name) for name in ("ConsumerName", "StreamARN")}
        status, _, body = kinesis._register_consumer(asked)
        told = json.loads(body)
        if status >= 300:
            raise ValueError(
                f"{told.get('message')} (Service: Kinesis, Status Code: {status},"
                f" {told.get('__type')})"
            )
        made = told["Consumer"]
        return made["ConsumerARN"], {**made, "StreamARN": properties.get("StreamARN")}

    def delete(physical: str, _properties: Json) -> None:
        ministack("services.kinesis")._deregister_consumer({"ConsumerARN": physical})

    def update(physical: str, old: Json, new: Json, stack: str, *_rest: Any) -> Any:
        names = ("ConsumerName", "StreamARN")
        if all(old.get(name) == new.get(name) for name in names):
            return physical, ministack("services.kinesis")._consumers.get(physical, {})
        answer = create("", new, stack)
        delete(physical, old)
        return answer

    handlers = {"create": create, "update": update, "delete": delete}
    provisioners._RESOURCE_HANDLERS[KIND] = handlers
