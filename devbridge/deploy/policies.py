"""IAM policy documents, and what `bind` and `permissions` become in them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from devbridge.constructs import Bindable, Permission, Table
from devbridge.deploy import names

Json = dict[str, Any]

_TABLE_ACTIONS: Final = (
    "BatchGetItem",
    "BatchWriteItem",
    "ConditionCheckItem",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "UpdateItem",
)


def grants(bind: Sequence[Bindable], permissions: Sequence[Permission]) -> list[Json]:
    """The statements that a construct's `bind` and `permissions` give to its role."""
    statements = []
    for target in bind:
        if isinstance(target, Table):
            index = sub(f"${{{names.logical(target)}.Arn}}/index/*")
            actions = [f"dynamodb:{action}" for action in _TABLE_ACTIONS]
            statements.append(allow(actions, [arn_of(names.logical(target)), index]))
        else:
            invoker = arn_of(names.logical(target, "Invoker"))
            statements.append(allow(["lambda:InvokeFunction"], [invoker]))
    for item in permissions:
        statements.append(allow(list(item["actions"]), list(item["resources"])))
    return statements


def allow(actions: list[str], resources: list[Any]) -> Json:
    """One statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def logs_of(*log_groups: str) -> Json:
    """The statement that lets a function or build write to its own log groups."""
    # A log group's Arn ends with ":*", which is what its streams match.
    return allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"], [arn_of(title) for title in log_groups]
    )


def document(statements: Sequence[Json]) -> Json:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def ref(title: str) -> Any:
    """A reference to a resource."""
    import troposphere  # noqa: PLC0415

    return troposphere.Ref(title)


def attribute(title: str, name: str) -> Any:
    """A reference to a resource's attribute."""
    import troposphere  # noqa: PLC0415

    return troposphere.GetAtt(title, name)


def arn_of(title: str) -> Any:
    """A reference to a resource's ARN."""
    return attribute(title, "Arn")


def sub(text: str) -> Any:
    """Text with ``${references}``."""
    import troposphere  # noqa: PLC0415

    return troposphere.Sub(text)


def dump(value: Any) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
