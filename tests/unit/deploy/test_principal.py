from __future__ import annotations

import json

import pytest

from devbridge.deploy.principal import trust, trusted_principal
from tests.unit.deploy.conftest import FakeCloud

ACCOUNT = "arn:aws:iam::123456789012"


@pytest.mark.parametrize(
    "arn",
    [
        f"{ACCOUNT}:user/team/ann",
        f"{ACCOUNT}:root",
        "arn:aws:sts::123456789012:federated-user/ann",
        "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123/ann@example.com",
    ],
)
def test_who_keeps_the_same_arn_is_trusted_by_it(arn: str, aws: FakeCloud) -> None:
    assert trusted_principal(arn, aws.client("iam")) == arn


def test_a_roles_session_is_trusted_as_the_role_with_its_path(aws: FakeCloud) -> None:
    iam = aws.client("iam")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust("ec2.amazonaws.com")]})
    iam.create_role(RoleName="dev", Path="/team/", AssumeRolePolicyDocument=policy)
    session = "arn:aws:sts::123456789012:assumed-role/dev/botocore-session-1"
    assert trusted_principal(session, iam) == f"{ACCOUNT}:role/team/dev"


def test_a_role_that_cannot_be_read_is_trusted_without_a_path(aws: FakeCloud) -> None:
    session = "arn:aws-cn:sts::123456789012:assumed-role/gone/x"
    principal = trusted_principal(session, aws.client("iam"))
    assert principal == "arn:aws-cn:iam::123456789012:role/gone"


def test_the_root_user_is_trusted_and_not_the_whole_account() -> None:
    assert trust(f"{ACCOUNT}:root")["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": f"{ACCOUNT}:root"}
    }
    assert "Condition" not in trust(f"{ACCOUNT}:user/ann")
