"""What CloudFormation refuses on AWS and ministack would take: names that are taken, roles that a
service cannot assume, policies that say nothing. As failures of the resource, which roll back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..host import ministack

Json = Mapping[str, Any]

_NAMED: Final[Mapping[str, tuple[str, str, str]]] = {
    "AWS::CodeBuild::Project": ("Name", "codebuild", "_projects"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "_tables"),
    "AWS::ECR::Repository": ("RepositoryName", "ecr", "_repositories"),
    "AWS::IAM::Group": ("GroupName", "iam", "_groups"),
    "AWS::IAM::Role": ("RoleName", "iam", "_roles"),
    "AWS::IAM::User": ("UserName", "iam", "_users"),
    "AWS::Kinesis::Stream": ("Name", "kinesis", "_streams"),
    "AWS::Lambda::Function": ("FunctionName", "lambda_svc", "_functions"),
    "AWS::Logs::LogGroup": ("LogGroupName", "cloudwatch_logs", "_log_groups"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "_queue_name_to_url"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager", "_secrets"),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        "stepfunctions",
        "_state_machines",
    ),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam", "_policies"),
    "AWS::SNS::Topic": ("TopicName", "sns", "_topics"),
}
"""Per type: the property with the name, and which of ministack's services keeps them where: by
their names, or by ARNs that end with them. Buckets and parameters it checks itself."""

_SERVICES: Final[Mapping[str, tuple[str, str]]] = {
    "AWS::CodeBuild::Project": ("ServiceRole", "codebuild.amazonaws.com"),
    "AWS::Lambda::Function": ("Role", "lambda.amazonaws.com"),
    "AWS::StepFunctions::StateMachine": ("RoleArn", "states.amazonaws.com"),
}
"""Per type: the property with the role, and the service that must be able to assume it."""

TRUST: Final = "a trust policy"
IDENTITY: Final = "a policy"
RESOURCE: Final = "a resource's policy"
_DOCUMENTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "AWS::IAM::Group": (("Policies", IDENTITY),),
    "AWS::IAM::ManagedPolicy": (("PolicyDocument", IDENTITY),),
    "AWS::IAM::Policy": (("PolicyDocument", IDENTITY),),
    "AWS::IAM::Role": (("AssumeRolePolicyDocument", TRUST), ("Policies", IDENTITY)),
    "AWS::IAM::User": (("Policies", IDENTITY),),
    "AWS::S3::BucketPolicy": (("PolicyDocument", RESOURCE),),
    "AWS::SNS::TopicPolicy": (("PolicyDocument", RESOURCE),),
    "AWS::SQS::QueuePolicy": (("PolicyDocument", RESOURCE),),
}
"""Per type: the properties that are, or have, policies."""

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_STATEMENT: Final = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)

Admits = Callable[[str, str], bool]
"""Whether there is a role (its ARN) that admits a service."""


def refuse(provisioners: Any, admits: Admits) -> None:
    """Put these checks in front of what makes and changes resources."""
    for kind in {*_NAMED, *_SERVICES, *_DOCUMENTS} & provisioners._RESOURCE_HANDLERS.keys():
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = _checked_create(kind, handlers["create"], admits)
        if "update" in handlers:
            handlers["update"] = _checked_update(kind, handlers["update"], admits)


def _checked_create(kind: str, create: Callable[..., Any], admits: Admits) -> Callable[..., Any]:
    def checked(title: str, properties: Json, stack: str) -> Any:
        _check_name(kind, properties)
        _check(kind, properties, admits)
        return create(title, properties, stack)

    return checked


def _checked_update(kind: str, update: Callable[..., Any], admits: Admits) -> Callable[..., Any]:
    def checked(physical: str, old: Json, new: Json, *rest: Any) -> Any:
        name = _NAMED[kind][0] if kind in _NAMED else None
        if name and new.get(name) and new.get(name) != old.get(name) and new[name] != physical:
            _check_name(kind, new)
        _check(kind, new, admits)
        return update(physical, old, new, *rest)

    return checked


def _check_name(kind: str, properties: Json) -> None:
    """
    Raises:
        ValueError: the name is taken.
    """
    if kind not in _NAMED:
        return
    key, service, store = _NAMED[kind]
    name = properties.get(key)
    if isinstance(name, str) and is_taken(getattr(ministack(f"services.{service}"), store), name):
        raise ValueError(
            f"Resource of type '{kind}' with identifier '{name}' already exists."
            " (HandlerErrorCode: AlreadyExists)"
        )


def is_taken(names: Any, name: str) -> bool:
    """Whether one has that name, or an ARN that ends with it. Pure."""
    if name in names:
        return True
    ends = (f":{name}", f"/{name}")
    return any(
        isinstance(key, str) and key.startswith("arn:") and key.endswith(ends) for key in names
    )


def _check(kind: str, properties: Json, admits: Admits) -> None:
    """
    Raises:
        ValueError: a policy is not one, or the role cannot be assumed.
    """
    for key, purpose in _DOCUMENTS.get(kind, ()):
        for document in _documents(properties.get(key)):
            if problem := problem_of(document, purpose):
                raise ValueError(
                    f"{problem} (Service: Iam, Status Code: 400, MalformedPolicyDocument)"
                )
    if kind in _SERVICES:
        key, service = _SERVICES[kind]
        role = properties.get(key)
        if isinstance(role, str) and not admits(role, service):
            raise ValueError(
                f"The role defined for the resource cannot be assumed by {service}: {role}"
                " (it does not exist, or its trust policy does not admit the service)"
            )


def _documents(value: Any) -> Iterator[Any]:
    """The documents in a property: it is one, or is a list of named ones."""
    if isinstance(value, list):
        for each in value:
            yield each.get("PolicyDocument") if isinstance(each, Mapping) else each
    elif value is not None:
        yield value


def problem_of(document: Any, purpose: str) -> str | None:
    """What IAM would say of a policy; None: nothing. Pure.

    The rules are those of IAM's "Grammar of the IAM JSON policy language".
    """
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return "Syntax errors in policy: not JSON."
    if not isinstance(document, Mapping):
        return "Syntax errors in policy: not an object."
    if extra := document.keys() - {"Version", "Id", "Statement"}:
        return f"Syntax errors in policy: unknown element {min(extra)}."
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        return f"The policy's Version {document['Version']!r} is none of {', '.join(_VERSIONS)}."
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        return "Syntax errors in policy: it has no Statement."
    problems = (_problem_of_statement(each, purpose) for each in statements)
    return next((problem for problem in problems if problem), None)


def _problem_of_statement(statement: Any, purpose: str) -> str | None:
    if not isinstance(statement, Mapping):
        return "Syntax errors in policy: a Statement is not an object."
    extra, effect = statement.keys() - _STATEMENT, statement.get("Effect")
    principals, resources = _count(statement, "Principal"), _count(statement, "Resource")
    wrong = {
        f"Syntax errors in policy: unknown element {min(extra, default='')}.": bool(extra),
        f"Syntax errors in policy: Effect is {effect!r}, not Allow or Deny.": effect
        not in ("Allow", "Deny"),
        "Policy statement must contain actions.": _count(statement, "Action") != 1,
        "Has prohibited field Resource.": purpose == TRUST and resources > 0,
        "Policy document should not specify a principal.": purpose == IDENTITY and principals > 0,
        "Missing required field Principal.": purpose != IDENTITY and principals != 1,
        "Policy statement must contain resources.": purpose != TRUST and resources != 1,
    }
    return next((problem for problem, found in wrong.items() if found), None)


def _count(statement: Json, element: str) -> int:
    found = (statement.get(key) for key in (element, f"Not{element}"))
    return sum(value not in (None, "", [], {}) for value in found)
