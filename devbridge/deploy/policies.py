"""IAM policy documents, and what `bind` and `permissions` become in them. Pure.

What binding gives, and nothing beyond it:

- Table: read and write items of the table and query its indexes; not change or delete the table.
- Bucket: list it, and read, write and delete its objects; not configure it, nor old versions.
- Queue: send, receive, delete and delay messages, and read its attributes.
- Topic: publish.
- Secret: read its own SSM parameter.
- Function: invoke it. Job: invoke its invoker, which starts, cancels and tells of runs.
- Config, Api: nothing; a value and a URL are all that there is.
- What has an `encryption_key`: encrypt and decrypt with that key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import (
    Bindable,
    Bucket,
    Function,
    Job,
    Permission,
    Queue,
    Secret,
    Table,
    Topic,
)
from devbridge.deploy.references import arn, arn_of, ref, sub

Json = dict[str, Any]
Grant = tuple[tuple[str, ...], list[Any]]
"""Actions, and the resources that they are allowed on."""


def _of(service: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions)


_TABLE: Final = _of(
    "dynamodb",
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
_BUCKET: Final = _of("s3", "ListBucket", "GetBucketLocation")
_OBJECTS: Final = _of(
    "s3",
    "GetObject",
    "PutObject",
    "DeleteObject",
    "AbortMultipartUpload",
    "ListMultipartUploadParts",
)
_QUEUE: Final = _of(
    "sqs",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "GetQueueUrl",
)
KEY_USE: Final = _of("kms", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")
_INVOKE: Final = ("lambda:InvokeFunction",)

INLINE_LIMIT: Final = 10_000
"""Characters in the policies within a role; AWS allows 10,240."""
MANAGED_LIMIT: Final = 6_000
"""Characters in a policy of its own; AWS allows 6,144."""
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_KNOWN: Final = {"AWS::Partition": 10, "AWS::Region": 14, "AWS::AccountId": 12}
_UNKNOWN: Final = 120
"""Characters of an ARN: few are longer, and a portion has room to spare."""


def grants(bind: Iterable[Bindable], stage: str) -> list[Json]:
    """The statements that binding gives: one for each kind of access, to keep policies small."""
    merged: dict[tuple[str, ...], list[Any]] = {}
    for target in bind:
        for actions, resources in (*_granted(target, stage), *_decrypting(target)):
            known = merged.setdefault(actions, [])
            known.extend(each for each in resources if each not in known)
    return [allow(actions, resources) for actions, resources in merged.items()]


def _granted(target: Bindable, stage: str) -> Iterator[Grant]:
    title = names.logical(target)
    match target:
        case Table():
            yield _TABLE, [arn_of(title), sub(f"${{{title}.Arn}}/index/*")]
        case Bucket():
            yield _BUCKET, [arn_of(title)]
            yield _OBJECTS, [sub(f"${{{title}.Arn}}/*")]
        case Queue():
            yield _QUEUE, [arn_of(title)]
        case Topic():
            yield ("sns:Publish",), [ref(title)]
        case Secret():
            name = names.secret(target.app.name, stage, target.name)
            yield _of("ssm", "GetParameter", "GetParameters"), [arn("ssm", f"parameter{name}")]
        case Function():
            yield _INVOKE, [arn_of(title)]
        case Job():
            yield _INVOKE, [arn_of(names.logical(target, "Invoker"))]


def _decrypting(target: Bindable) -> Iterator[Grant]:
    """What its data is encrypted with, as AWS's services ask of who uses them."""
    match target:
        case Table() | Bucket() | Queue() | Topic() | Secret():
            if target.encryption_key:
                yield KEY_USE, [target.encryption_key]


def permitted(permissions: Sequence[Permission]) -> list[Json]:
    """The statements that `permissions` give."""
    return [allow(item["actions"], item["resources"]) for item in permissions]


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


def split(statements: Sequence[Json]) -> list[list[Json]]:
    """The statements in portions that IAM takes: one within the role, the others as policies.

    What is allowed together is the same; a statement with many resources may be divided.
    """
    portions: list[list[Json]] = [[]]
    room = INLINE_LIMIT
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
