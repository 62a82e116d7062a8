"""What a resource's failure means to the developer: which option of app.py, or what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_OPTIONS: Final[Mapping[str, str]] = {
    "Architectures": "architecture",
    "BuildSpec": "handler",
    "ComputeType": "memory_size",
    "CorsConfiguration": "cors",
    "Environment": "environment",
    "EnvironmentVariables": "environment",
    "FifoQueue": "fifo",
    "FifoTopic": "fifo",
    "Handler": "handler",
    "JwtConfiguration": "authorizers",
    "Endpoint": "subscribers",
    "EvaluationPeriods": "periods",
    "KeySchema": "partition_key",
    "MemorySize": "memory_size",
    "MessageRetentionPeriod": "retention",
    "MinimumLength": "password_length",
    "PermissionsBoundary": "permissions_boundary",
    "PolicyDocument": "permissions",
    "RedrivePolicy": "dead_letter",
    "ReservedConcurrentExecutions": "reserved_concurrency",
    "RetentionInDays": "log_retention",
    "RouteKey": "routes",
    "Runtime": "runtime",
    "SecurityGroupIds": "vpc",
    "SubnetIds": "vpc",
    "Subnets": "vpc",
    "Tags": "tags",
    "TimeoutInMinutes": "timeout",
    "Timeout": "timeout",
    "VersioningConfiguration": "versioned",
    "VisibilityTimeout": "visibility_timeout",
    "VpcConfig": "vpc",
    "VpcId": "vpc",
}
"""CloudFormation's property -> the option of the construct that it is made from."""

_CAUSES: Final = (
    (
        r"already exported",
        "an export's name is the only one of its account and region, stages included: put"
        " {app.stage} into `export` of app.output",
    ),
    (
        r"\bexport\b.*(in use|imported)",
        "take that Fn::ImportValue out of the other stack first: what a stack imports can be"
        " neither changed nor removed",
    ),
    (
        r"not empty",
        "a bucket must be empty: run `devbridge remove` again, it empties the buckets once more",
    ),
    (
        r"already exists",
        "another stage, stack or a person has made one of that name: delete it, or choose another"
        " --stage",
    ),
    (
        r"not authorized to perform|AccessDenied|access denied",
        "whoever deploys needs that permission: ask for it, or deploy with another --profile",
    ),
    (
        r"limit ?exceeded|exceeds? the limit|quota|TooMany",
        "the account's quota is used up: delete what is not needed, or ask AWS for more",
    ),
    (
        r"network ?interface|\beni\b|has dependencies|has a dependent object|in use",
        "AWS frees the network interfaces of a VPC after up to 40 minutes: try again then;"
        " otherwise something that is not of this stack uses it",
    ),
    (r"throttl|rate exceeded", "AWS had too many requests: try again"),
)


_AGAIN: Final = "correct it in app.py and deploy again"


def remedy(kind: str, reason: str, otherwise: str = _AGAIN) -> str:
    """What to do about the failure of a resource of that CloudFormation type."""
    for pattern, what in _CAUSES:
        if re.search(pattern, reason, re.IGNORECASE):
            return what
    if option := option_of(reason):
        return f"correct the option {option!r} in app.py and deploy again"
    if kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        return "correct the option 'permissions' in app.py and deploy again"
    return otherwise


def option_of(reason: str) -> str | None:
    """The construct's option that a failure is about, if its text names a property."""
    words = re.findall(r"[A-Za-z]+", reason)
    exact = {name.lower(): option for name, option in _OPTIONS.items()}
    # AWS names properties in the template's case or in that of its API.
    return next((exact[word.lower()] for word in words if _names(word, exact)), None)


def _names(word: str, known: Mapping[str, str]) -> bool:
    # "Timeout" or "timeoutInMinutes", but not any "timeout" or "environment" in a sentence.
    return word.lower() in known and any(letter.isupper() for letter in word)
