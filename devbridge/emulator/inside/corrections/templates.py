"""What CloudFormation makes of templates: names that are new, and CORS as gateways read it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

_STACK: Final = "AWS::CloudFormation::Stack"


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


def tell_changes(cloudformation: Any) -> None:
    """Have an update's events tell what it has changed, and as created what is new, as AWS does:
    ministack tells each resource of the stack as updated."""
    stacks = cloudformation.stacks
    add = stacks._add_event
    held: dict[tuple[str, str], tuple[Any, ...]] = {}
    """Beginnings that are not told yet, and the properties that the resource had."""
    new: set[tuple[str, str]] = set()

    def resources(name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = cloudformation._stacks[name]["_resources"]
        return found

    def told(*event: Any, **more: Any) -> None:
        (stack, name, title, kind, status), (reason, *rest) = event[:5], event[5:] or ("",)
        which, event = (stack, title), (stack, name, title, kind)
        if status == "UPDATE_IN_PROGRESS" and not reason and kind != _STACK:
            if (known := resources(name).get(title)) is not None:
                held[which] = (*event, known["Properties"])
                return
            new.add(which)
        if which in held:
            *begun, before = held.pop(which)
            if status == "UPDATE_COMPLETE" and resources(name)[title]["Properties"] == before:
                return
            add(*begun, "UPDATE_IN_PROGRESS")
        if which in new:
            status = status.replace("UPDATE_", "CREATE_")
            if not status.endswith("_IN_PROGRESS"):
                new.discard(which)
        add(*event, status, reason, *rest, **more)

    stacks._add_event = told
