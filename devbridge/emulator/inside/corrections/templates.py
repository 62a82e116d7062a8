"""What CloudFormation makes of templates: names that are new, and CORS as gateways read it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any


def name_anew(provisioners: Any) -> None:
    """Give each new table and queue a name that none has had, as AWS does and ministack does for
    buckets: one that an earlier stack has left must not be taken over, and emptied."""
    seed = provisioners._NAME_SEED

    def anew(create: Callable[..., Any]) -> Callable[..., Any]:
        def created(*arguments: Any) -> Any:
            if not seed.get():
                seed.set(uuid.uuid4().hex[:8])
            return create(*arguments)

        return created

    for kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue"):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = anew(handlers["create"])


def spell_cors(provisioners: Any) -> None:
    """Give an API its CORS configuration in the spelling that its gateway reads."""
    handlers, name = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"], "CorsConfiguration"
    create, update = handlers["create"], handlers["update"]

    def spelled(properties: Mapping[str, Any]) -> Mapping[str, Any]:
        if name not in properties:
            return properties
        return {**properties, name: provisioners._pascal_to_camel(properties[name])}

    handlers["create"] = lambda title, properties, stack: create(title, spelled(properties), stack)
    handlers["update"] = lambda physical, old, new, *rest: update(
        physical, old, spelled(new), *rest
    )
