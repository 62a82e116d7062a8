from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from devbridge.deploy.refusals import (
    Overtaken,
    code_of,
    explained,
    is_denied,
    is_overtaken,
    message_of,
)
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("execute_change_set", "InvalidChangeSetStatus", "... is in EXECUTE_COMPLETE status"),
        ("execute_change_set", "ChangeSetNotFound", "ChangeSet [c] does not exist"),
        ("describe_change_set", "ChangeSetNotFound", "ChangeSet [c] does not exist"),
        ("create_change_set", "AlreadyExistsException", "Stack [s] already exists"),
        (
            "create_change_set",
            "ValidationError",
            "Stack:arn:aws:1 is in UPDATE_IN_PROGRESS state and can not be updated.",
        ),
        ("describe_stacks", "ValidationError", "Stack with id s does not exist"),
    ],
)
def test_what_cloudformation_refuses_because_of_another_deployment_is_told_apart(
    aws: FakeCloud, operation: str, code: str, message: str
) -> None:
    refused = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    with pytest.raises(Overtaken, match="another deployment has changed the stack"), explained(aws):
        raise refused


@pytest.mark.parametrize(
    ("code", "advised"), [("AccessDenied", True), ("AccessDeniedException", True), ("Boo", False)]
)
def test_a_permission_is_advised_only_where_one_is_missing(
    aws: FakeCloud, code: str, advised: bool
) -> None:
    with pytest.raises(DeployError, match="AWS refuses PutObject: no") as caught, explained(aws):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")
    assert ("needs that permission" in str(caught.value)) == advised


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


def test_what_aws_refuses_names_the_call_its_reason_and_who_asked(aws: FakeCloud) -> None:
    with pytest.raises(DeployError) as caught, explained(aws):
        raise refused("SlowDown", "please")
    error = caught.value
    assert type(error) is DeployError
    assert error.what == "AWS refuses PutObject: please"
    assert error.where == "arn:aws:iam::123456789012:user/ann, region eu-west-1"
    assert error.remedy is None


def test_what_has_been_overtaken_names_the_call_and_its_reason(aws: FakeCloud) -> None:
    with pytest.raises(Overtaken) as caught, explained(aws):
        raise refused("ChangeSetNotFound", "ChangeSet [c] does not exist")
    assert caught.value.where == "PutObject: ChangeSet [c] does not exist"
    assert caught.value.remedy == "try again: the changes will be worked out afresh"


def test_errors_that_are_not_awss_are_left_to_the_cloud(aws: FakeCloud) -> None:
    with pytest.raises(KeyError), explained(aws):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("code", "message", "overtaken"),
    [
        ("ValidationError", "Stack with id s does not exist", True),
        ("ValidationError", "Stack:s is in DELETE_IN_PROGRESS state", True),
        ("ValidationError", "Template error: X", False),
        ("ValidationError", "Role x does not exist", False),
        ("Throttling", "Stack with id s does not exist", False),
    ],
)
def test_a_stack_is_overtaken_if_it_is_not_what_it_was(
    code: str, message: str, overtaken: bool
) -> None:
    assert is_overtaken(refused(code, message)) is overtaken


@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("403", True),
        ("Forbidden", True),
        ("UnauthorizedOperation", True),
        ("AccessDeniedException", True),
        ("404", False),
        ("", False),
    ],
)
def test_who_may_not_is_told_by_the_errors_code(code: str, denied: bool) -> None:
    assert is_denied(refused(code, "AccessDenied")) is denied


def test_an_error_says_what_aws_says_without_botocores_preface() -> None:
    assert message_of(refused("X", "no")) == "no"
    nothing = ClientError({"Error": {"Code": "X"}}, "PutObject")
    assert message_of(nothing) == str(nothing)
    assert message_of(OSError("broken pipe")) == "broken pipe"
    assert (code_of(refused("X")), code_of(OSError("broken pipe"))) == ("X", "")
