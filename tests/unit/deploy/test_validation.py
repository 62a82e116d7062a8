"""Why CloudFormation refused a template before it touched any resource."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from devbridge.deploy.validation import Invalid, failed_validations, of_last_operation, refusal
from tests.unit.deploy.conftest import FakeCloud

TAKEN = Invalid("FilesBucket", "AWS::S3::Bucket", "it already exists", "/Resources/FilesBucket")


def event(number: int, operation: str = "o1", **fields: str) -> dict[str, Any]:
    return {
        "EventId": str(number),
        "OperationId": operation,
        "OperationType": "UPDATE_STACK",
        "Timestamp": f"2026-01-01T00:00:0{number}Z",
        **fields,
    }


def failed(number: int, operation: str = "o1", **fields: str) -> dict[str, Any]:
    about = {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": TAKEN.logical_id,
        "ResourceType": TAKEN.type,
        "ValidationStatusReason": TAKEN.reason,
        "ValidationPath": TAKEN.path,
        "ValidationFailureMode": "FAIL",
        "ValidationStatus": "FAILED",
    }
    return event(number, operation, **{**about, **fields})


def test_only_what_the_last_operation_was_refused_for_counts() -> None:
    old = failed(1, "o0", ValidationStatusReason="of long ago")
    progress = event(3, EventType="STACK_EVENT")
    assert of_last_operation([progress, failed(2), failed(2), old]) == (TAKEN,)
    assert of_last_operation([old, event(2, "o1", EventType="STACK_EVENT")]) == ()
    assert of_last_operation([]) == ()


def test_the_roll_back_that_follows_is_not_the_operation() -> None:
    after = event(9, "o2", OperationType="ROLLBACK", EventType="STACK_EVENT")
    assert of_last_operation([after, failed(2)]) == (TAKEN,)


def test_a_warning_refuses_nothing() -> None:
    assert of_last_operation([failed(1, ValidationFailureMode="WARN")]) == ()


def test_a_hook_that_refuses_is_named() -> None:
    hook = event(
        1,
        EventType="HOOK_INVOCATION_ERROR",
        LogicalResourceId="Q",
        ResourceType="AWS::SQS::Queue",
        HookType="Company::Rules::Hook",
        HookFailureMode="FAIL",
    )
    (found,) = of_last_operation([hook])
    assert found.reason == "the hook Company::Rules::Hook refuses it"


def test_the_error_names_each_resource_its_cause_and_what_to_do() -> None:
    wrong = Invalid(
        "Job",
        "AWS::CodeBuild::Project",
        "not one of A, B",
        "/Resources/Job/Properties/TimeoutInMinutes",
    )
    error = refusal(
        "the stack is X",
        [TAKEN, wrong],
        {"FilesBucket": "Bucket 'files'"},
        where="stack s",
        afterwards="; all is as before",
    )
    assert error.what == (
        "Bucket 'files': AWS::S3::Bucket fails CloudFormation's validation: it already exists; "
        "Job: AWS::CodeBuild::Project fails CloudFormation's validation, TimeoutInMinutes:"
        " not one of A, B"
    )
    assert error.where == "stack s"
    assert error.remedy
    assert error.remedy.endswith("; all is as before")
    assert "delete it, or choose another" in error.remedy
    option = refusal("", [wrong], {}, where="s").remedy
    assert option == "correct the option 'timeout' in app.py and deploy again"


def test_without_a_cause_the_error_is_what_the_stack_says() -> None:
    error = refusal("the stack is X: y", (), {}, where="s")
    assert (error.what, error.remedy) == ("the stack is X: y", None)


def test_who_may_not_ask_is_told_what_to_allow(aws: FakeCloud) -> None:
    with Stubber(aws.client("cloudformation")) as stub:
        stub.add_client_error("describe_events", "AccessDenied", expected_params={"StackName": "s"})
        found = failed_validations(aws, "s")
    assert found is None
    error = refusal("the stack is X", found, {}, where="s")
    assert error.what == "the stack is X"
    assert "cloudformation:DescribeEvents" in str(error.remedy)


@pytest.mark.parametrize("change_set", [None, "c"])
def test_all_pages_of_events_are_read(aws: FakeCloud, change_set: str | None) -> None:
    about = {"StackName": "s", **({"ChangeSetName": change_set} if change_set else {})}
    with Stubber(aws.client("cloudformation")) as stub:
        first = {"OperationEvents": [event(3, EventType="STACK_EVENT")], "NextToken": "t"}
        stub.add_response("describe_events", first, about)
        second = {"OperationEvents": [failed(2)]}
        stub.add_response("describe_events", second, {**about, "NextToken": "t"})
        assert failed_validations(aws, "s", change_set) == (TAKEN,)
