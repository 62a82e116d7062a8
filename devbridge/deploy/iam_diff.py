"""What an IAM role or a resource's policy allows, in words, and how that differs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from devbridge.deploy.template_text import condition as condition_text
from devbridge.deploy.template_text import named, text

IAM_TYPES: Final = frozenset(
    {
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::IAM::RolePolicy",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
)
"""The types that say who may do what."""

_Key = tuple[str, str, str]
"""Who and whether (``may``), on what, and on which condition."""


def compare(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is granted and what is revoked when a template's resource becomes another one.

    Args:
        labels: logical id -> construct, of what they refer to.
    """
    before, after = _grants(old or {}), _grants(new or {})
    granted, revoked = _sentences(after, before), _sentences(before, after)
    known = labels or {}
    return tuple(named(each, known) for each in granted), tuple(
        named(each, known) for each in revoked
    )


def _sentences(these: Mapping[_Key, set[str]], those: Mapping[_Key, set[str]]) -> tuple[str, ...]:
    """What only the first has. Resources with the same actions share a sentence."""
    merged: dict[tuple[str, tuple[str, ...], str], list[str]] = defaultdict(list)
    for (verb, resource, condition), actions in these.items():
        if left := actions - those.get((verb, resource, condition), set()):
            merged[verb, tuple(sorted(left)), condition].append(resource)
    result = []
    for (verb, shared, condition), resources in merged.items():
        where = sorted(filter(None, resources))
        on = f" on {', '.join(where)}" if where else ""
        result.append(f"{verb} {', '.join(shared)}{on}{condition}")
    return tuple(sorted(result))


def _grants(resource: Mapping[str, Any]) -> dict[_Key, set[str]]:
    found: dict[_Key, set[str]] = defaultdict(set)
    for key, action in _each(resource.get("Properties") or {}):
        found[key].add(action)
    return found


def _each(properties: Mapping[str, Any]) -> Iterator[tuple[_Key, str]]:
    for statement in _statements(properties.get("AssumeRolePolicyDocument")):
        condition = _condition(statement)
        denied = "may not" if statement.get("Effect") == "Deny" else "may"
        for who in _principals(statement.get("Principal")):
            yield (f"{denied} be assumed by", "", condition), who
    documents = [policy.get("PolicyDocument") for policy in _list(properties.get("Policies"))]
    for document in (*documents, properties.get("PolicyDocument")):
        for statement in _statements(document):
            yield from _allowed(statement)
    for name, verb in (
        ("ManagedPolicyArns", "has the policy"),
        ("PermissionsBoundary", "is bounded by"),
    ):
        for arn in _list(properties.get(name)):
            yield (verb, "", ""), text(arn)
    if "Principal" in properties:  # a Lambda permission
        who = text(properties["Principal"])
        source = properties.get("SourceArn")
        condition = f" for {text(source)}" if source else ""
        resource = text(properties.get("FunctionName"))
        yield (f"lets {who}", resource, condition), text(properties.get("Action"))


def _allowed(statement: Mapping[str, Any]) -> Iterator[tuple[_Key, str]]:
    verb = "may not" if statement.get("Effect") == "Deny" else "may"
    if who := ", ".join(_principals(statement.get("Principal"))):
        verb = f"{'forbids' if verb == 'may not' else 'lets'} {who}"
    condition = _condition(statement)
    resources = [text(item) for item in _list(statement.get("Resource"))]
    resources += [f"all but {text(item)}" for item in _list(statement.get("NotResource"))]
    actions = [text(item) for item in _list(statement.get("Action"))]
    actions += [f"all but {text(item)}" for item in _list(statement.get("NotAction"))]
    for resource in resources:
        for action in actions:
            yield (verb, resource, condition), action


def _statements(document: object) -> list[Mapping[str, Any]]:
    found = _list(document.get("Statement")) if isinstance(document, Mapping) else []
    return [statement for statement in found if isinstance(statement, Mapping)]


def _principals(principal: object) -> list[str]:
    if isinstance(principal, Mapping):
        return sorted(_principal(item) for value in principal.values() for item in _list(value))
    return [] if principal is None else [_principal(principal)]


def _principal(principal: object) -> str:
    said = text(principal)
    return {"*": "anybody", "iam:root": "this account"}.get(said, said)


def _condition(statement: Mapping[str, Any]) -> str:
    condition = statement.get("Condition")
    return f" if {condition_text(condition)}" if condition else ""


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
