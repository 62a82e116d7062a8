"""The developer as an IAM principal: who the dev stage's roles trust beside AWS itself."""

from __future__ import annotations

import re
from typing import Any, Final

_ASSUMED = re.compile(
    r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/(?P<session>.+)"
)
_ROOT = re.compile(r"arn:[\w-]+:iam::\d{12}:root")
_SSO: Final = "AWSReservedSSO_"


def trusted_principal(caller_arn: str, iam: Any) -> str:
    """The ARN that a trust policy names for whom ``sts:GetCallerIdentity`` calls `caller_arn`.

    A user stays as it is. A session of IAM Identity Center is named by the user: the session
    itself is trusted. Other sessions of a role are named at random: their role is trusted, by its
    full ARN, which has the path that the session's ARN lacks.

    Args:
        iam: a boto3 client; asked (GetRole) only for a role's session.
    """
    match = _ASSUMED.fullmatch(caller_arn)
    if not match or match["role"].startswith(_SSO):
        return caller_arn
    try:
        return str(iam.get_role(RoleName=match["role"])["Role"]["Arn"])
    except iam.exceptions.ClientError:
        return f"arn:{match['partition']}:iam::{match['account']}:role/{match['role']}"


def trust(principal: str) -> dict[str, Any]:
    """The trust policy statement that admits one principal: a service's name or an ARN."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    if not principal.startswith("arn:"):
        return {**statement, "Principal": {"Service": principal}}
    if _ROOT.fullmatch(principal):
        # As a principal this ARN means the whole account: only the condition means the root user.
        statement["Condition"] = {"ArnEquals": {"aws:PrincipalArn": principal}}
    return {**statement, "Principal": {"AWS": principal}}


def trust_account() -> dict[str, Any]:
    """The trust policy statement that admits who is allowed to by a policy of their own."""
    import troposphere

    root = troposphere.Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": root}}
