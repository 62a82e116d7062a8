"""References within a template: making them and finding them. Pure, except that the first imports
troposphere, which is slow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def ref(title: str) -> Any:
    """A reference to a resource."""
    import troposphere

    return troposphere.Ref(title)


def attribute(title: str, name: str) -> Any:
    """A reference to a resource's attribute."""
    import troposphere

    return troposphere.GetAtt(title, name)


def arn_of(title: str) -> Any:
    """A reference to a resource's ARN."""
    return attribute(title, "Arn")


def sub(text: str) -> Any:
    """Text with ``${references}``."""
    import troposphere

    return troposphere.Sub(text)


def arn(service: str, resource: str) -> Any:
    """The ARN of a resource of this account and region, by its name."""
    place = "${AWS::Region}:${AWS::AccountId}"
    if service == "s3":
        place = ":"
    return sub(f"arn:${{AWS::Partition}}:{service}:{place}:{resource}")


def dump(value: Any) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def references(value: object) -> Iterator[str]:
    """The logical ids that a property refers to."""
    return (name.partition(".")[0] for name in attributes(value))


def attributes(value: object) -> Iterator[str]:
    """The same with what of each is meant, if not Ref: ``Notes``, ``Notes.Arn``."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *more]}:
            yield ".".join([name, *map(str, more)])
        case {"Fn::GetAtt": str(text)}:
            yield text
        case {"Fn::Sub": str(text)}:
            for part in text.split("${")[1:]:
                yield part.partition("}")[0]
        case Mapping():
            for inner in value.values():
                yield from attributes(inner)
        case list():
            for inner in value:
                yield from attributes(inner)
