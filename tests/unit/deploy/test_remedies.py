from __future__ import annotations

import pytest

from devbridge.deploy.remedies import option_of, remedy


@pytest.mark.parametrize(
    ("reason", "option"),
    [
        ("1 validation error: Value '4' at 'timeoutInMinutes' failed to satisfy", "timeout"),
        ("Properties validation failed: #/MemorySize: 99 is not greater", "memory_size"),
        ("The subnet ID 'subnet-1' does not exist (VpcConfig)", "vpc"),
        ("the request timed out after its timeout", None),
        ("something is wrong with the environment", None),
    ],
)
def test_the_option_is_known_where_the_reason_names_its_property(
    reason: str, option: str | None
) -> None:
    assert option_of(reason) == option


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("x already exists in stack y", "--stage"),
        ("User: ann is not authorized to perform: iam:CreateRole", "permission"),
        ("The bucket you tried to delete is not empty", "once more"),
        ("resource sg-1 has a dependent object", "40 minutes"),
        ("Export with name a is already exported by stack b", "{app.stage}"),
        ("Export a cannot be deleted as it is in use by b", "Fn::ImportValue"),
        ("Rate exceeded", "try again"),
        ("Project LimitExceededException", "quota"),
        ("Value at 'timeoutInMinutes'", "the option 'timeout'"),
        ("no idea", "correct it in app.py"),
    ],
)
def test_each_known_cause_has_its_remedy(reason: str, said: str) -> None:
    assert said in remedy("AWS::X::Y", reason)


def test_a_role_that_is_wrong_is_about_its_permissions() -> None:
    assert "'permissions'" in remedy("AWS::IAM::Role", "Syntax errors in policy")
