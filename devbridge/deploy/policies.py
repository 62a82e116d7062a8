"""IAM policy documents: their statements, split where IAM takes no more. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from devbridge.constructs import (
    Permission,
)
from devbridge.deploy.attributes import resolved
from devbridge.deploy.references import arn_of, dump

Json = dict[str, Any]


def of_service(service: str, *actions: str) -> tuple[str, ...]:
    """Actions of one service: ``s3:GetObject``."""
    return tuple(f"{service}:{action}" for action in actions)


KEY_USE: Final = of_service("kms", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")

INLINE_LIMIT: Final = 10_000
"""Characters in the policies within a role; AWS allows 10,240."""
MANAGED_LIMIT: Final = 6_000
"""Characters in a policy of its own; AWS allows 6,144."""
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_KNOWN: Final = {"AWS::Partition": 10, "AWS::Region": 14, "AWS::AccountId": 12}
_UNKNOWN: Final = 120
"""Characters of an ARN: few are longer, and a portion has room to spare."""


def permitted(permissions: Sequence[Permission], stage: str) -> list[Json]:
    """The statements that `permissions` give."""
    return [
        allow(item["actions"], [resolved(each, stage) for each in item["resources"]])
        for item in permissions
    ]


def allow(
    actions: Iterable[str], resources: Iterable[Any], condition: Mapping[str, Any] | None = None
) -> Json:
    """One statement."""
    statement: Json = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": dict(condition)} if condition else statement


def logs_of(*log_groups: str) -> Json:
    """The statement that lets a function or build write to its own log groups."""
    # A log group's Arn ends with ":*", which is what its streams match.
    return allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"], [arn_of(title) for title in log_groups]
    )


def sends(queue: Any, service: str, sources: Any) -> Json:
    """The statement of a queue's policy that lets a service send to it.

    Args:
        queue: its ARN.
        service: ``sns.amazonaws.com``
        sources: the ARN, or the ARNs, of what of the service's may.
    """
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": sources}},
    }


def tls_only(*resources: Any, action: str = "s3:*") -> Json:
    """The statement of a resource's policy that refuses everybody who does not use TLS."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def document(statements: Sequence[Json]) -> Json:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def merged(statements: Iterable[Json]) -> list[Json]:
    """The same statements; those that differ in their resources only are one."""
    found: dict[str, Json] = {}
    for statement in statements:
        key = dump({name: value for name, value in statement.items() if name != "Resource"})
        if key in found:
            found[key]["Resource"] += statement["Resource"]
        else:
            found[key] = {**statement, "Resource": list(statement["Resource"])}
    return list(found.values())


def split(statements: Sequence[Json], room: int = INLINE_LIMIT) -> list[list[Json]]:
    """The statements in portions that IAM takes: one within the role, the others as policies.

    What is allowed together is the same; a statement with many resources may be divided.

    Args:
        room: of the first portion.
    """
    portions: list[list[Json]] = [[]]
    for statement in statements:
        resources = list(statement["Resource"])
        head = _size({**statement, "Resource": []}) + 1
        while resources:
            count, used = 0, head
            while count < len(resources) and used + _size(resources[count]) + 1 <= room:
                used += _size(resources[count]) + 1
                count += 1
            if count == 0 and room < MANAGED_LIMIT:
                portions.append([])
                room = MANAGED_LIMIT
                continue
            count = count or 1
            portions[-1].append({**statement, "Resource": resources[:count]})
            resources = resources[count:]
            room -= used
    return portions


def _size(value: Any) -> int:
    """How many characters something will have in a policy, at the most likely."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, dict):
        if "Fn::Sub" in value:
            return len(_REFERENCE.sub(_resolved, value["Fn::Sub"])) + 2
        if {"Ref", "Fn::GetAtt"} & value.keys():
            return _UNKNOWN
        return 2 + sum(len(key) + 4 + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return 2 + sum(_size(item) + 1 for item in value)
    return len(str(value)) + 2


def _resolved(found: re.Match[str]) -> str:
    return "x" * _KNOWN.get(found[1], _UNKNOWN)
