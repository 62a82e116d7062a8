from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from devbridge.deploy.refusals import Overtaken, explained
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
