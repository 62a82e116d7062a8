from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from devbridge.deploy.access import Progress
from devbridge.deploy.changes import Change
from devbridge.deploy.execute import execute
from devbridge.deploy.plan import Plan
from devbridge.deploy.validation import Invalid
from devbridge.errors import DeployError
from tests.unit.deploy.cloudformation import (
    CHANGE_SET,
    STACK,
    STACK_ID,
    Script,
    at_once,
    event,
    stack,
)
from tests.unit.deploy.conftest import FakeCloud

CHANGES = (
    Change("add", "A", "AWS::X::Y", "Job 'a'"),
    Change("add", "B", "AWS::X::Y", "Job 'b'"),
)

LABELS = {"A": "Job 'a'", "B": "Job 'b'"}


def run(
    aws: FakeCloud,
    told: list[Progress] | None = None,
    *,
    creates: bool = True,
    changes: tuple[Change, ...] = CHANGES,
) -> list[Progress]:
    told = [] if told is None else told
    execute(aws, Plan(STACK, CHANGE_SET, creates, changes), LABELS, told.append, at_once)
    return told


def begun(script: Script, *old: dict[str, Any], status: str = "REVIEW_IN_PROGRESS") -> None:
    """What is asked until the change set is executed."""
    script.stacks(stack(status))
    script.events(*old)
    script.stub.add_response(
        "execute_change_set", {}, {"StackName": STACK, "ChangeSetName": CHANGE_SET}
    )


def test_each_planned_resource_is_reported_once_when_it_has_settled(
    aws: FakeCloud, script: Script
) -> None:
    old = event(0, "A", "CREATE_COMPLETE")
    begun(script, old)
    script.stacks(stack("CREATE_IN_PROGRESS"))
    first = (old, event(1, "A", "CREATE_IN_PROGRESS"), event(2, "A", "CREATE_COMPLETE"))
    script.events(*first)
    script.stacks(stack("CREATE_COMPLETE"))
    rest = (event(3, "untouched", "UPDATE_COMPLETE"), event(4, "B", "CREATE_COMPLETE"))
    script.events(*first, *rest, event(5, STACK, "CREATE_COMPLETE"))
    assert [(p.text, p.status) for p in run(aws)] == [
        ("Job 'a'", "CREATE_COMPLETE"),
        ("Job 'b'", "CREATE_COMPLETE"),
    ]


def test_the_first_cause_of_a_failure_is_named_and_the_roll_back_watched(
    aws: FakeCloud, script: Script
) -> None:
    begun(script)
    script.stacks(stack("ROLLBACK_IN_PROGRESS"))
    first = (
        event(1, "B", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "A", "CREATE_FAILED", "Value at 'timeoutInMinutes' failed"),
        event(3, STACK, "ROLLBACK_IN_PROGRESS"),
    )
    script.events(*first)
    script.stacks(stack("ROLLBACK_COMPLETE"))
    script.events(*first, event(4, "B", "DELETE_COMPLETE"))
    told: list[Progress] = []
    with pytest.raises(DeployError) as caught:
        run(aws, told)
    assert "Job 'a': AWS::X::Y CREATE_FAILED: Value at" in str(caught.value)
    assert "which is now ROLLBACK_COMPLETE" in str(caught.value)
    assert caught.value.remedy is not None
    assert "the option 'timeout'" in caught.value.remedy
    assert "everything is as it was before" in caught.value.remedy
    said = [(p.step, p.text, p.status) for p in told]
    assert said[2:] == [
        ("wait", "rolling back: putting everything back as it was", ""),
        ("resource", "Job 'b'", "DELETE_COMPLETE"),
    ]


def test_a_failure_that_no_resource_has_caused_has_the_stacks_reason(
    aws: FakeCloud, script: Script
) -> None:
    begun(script)
    script.stacks(stack("ROLLBACK_COMPLETE"))
    script.events()
    script.stacks(stack("ROLLBACK_COMPLETE", StackStatusReason="an output has no value"))
    script.events()
    with pytest.raises(DeployError, match="ROLLBACK_COMPLETE: an output has no value"):
        run(aws)


def test_a_roll_back_that_fails_too_says_what_to_do(aws: FakeCloud, script: Script) -> None:
    begun(script)
    script.stacks(stack("UPDATE_ROLLBACK_FAILED"))
    script.events(event(1, "A", "UPDATE_FAILED", "no"))
    with pytest.raises(DeployError, match="continue it in the AWS console"):
        run(aws)


def test_events_are_read_over_as_many_pages_as_are_new(aws: FakeCloud, script: Script) -> None:
    begun(script)
    script.stacks(stack("CREATE_COMPLETE"))
    page = {"StackEvents": [event(2, "B", "CREATE_COMPLETE")], "NextToken": "more"}
    script.stub.add_response("describe_stack_events", page, {"StackName": STACK_ID})
    script.events(event(1, "A", "CREATE_COMPLETE"))
    assert [p.logical_id for p in run(aws)] == ["A", "B"]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Ctrl-C comes in as many pauses as are in the list."""
    left: list[float] = []

    def sleep(seconds: float) -> None:
        if left:
            left.pop()
            raise KeyboardInterrupt

    monkeypatch.setattr("devbridge.deploy.stacks.time.sleep", sleep)
    return left


def test_ctrl_c_cancels_an_update_and_watches_the_roll_back(
    aws: FakeCloud, script: Script, interrupt: list[float]
) -> None:
    interrupt.append(1)
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_IN_PROGRESS"))
    script.events()
    script.stub.add_response("cancel_update_stack", {}, {"StackName": STACK_ID})
    script.stacks(stack("UPDATE_ROLLBACK_COMPLETE"))
    script.events(event(1, "A", "UPDATE_COMPLETE"))
    told: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        run(aws, told, creates=False)
    assert [p.text for p in told] == [
        "cancelling the update; press Ctrl-C again to stop waiting for that",
        "Job 'a'",
        "the stack is UPDATE_ROLLBACK_COMPLETE; everything is as it was before",
    ]


def test_ctrl_c_again_leaves_the_roll_back_to_cloudformation(
    aws: FakeCloud, script: Script, interrupt: list[float]
) -> None:
    interrupt += [1, 1]
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_IN_PROGRESS"))
    script.events()
    script.stub.add_response("cancel_update_stack", {}, {"StackName": STACK_ID})
    script.stacks(stack("UPDATE_ROLLBACK_IN_PROGRESS"))
    script.events()
    with pytest.raises(KeyboardInterrupt):
        run(aws, creates=False)


def test_an_update_that_is_too_far_to_be_cancelled_is_watched_to_its_end(
    aws: FakeCloud, script: Script, interrupt: list[float]
) -> None:
    interrupt.append(1)
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    script.events()
    script.stub.add_client_error("cancel_update_stack", "ValidationError", "too late")
    script.stacks(stack("UPDATE_COMPLETE"))
    script.events()
    told: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        run(aws, told, creates=False)
    assert [p.text for p in told] == [
        "the update cannot be cancelled: too late",
        "the stack is UPDATE_COMPLETE",
    ]


def test_ctrl_c_during_a_creation_says_that_cloudformation_goes_on(
    aws: FakeCloud, script: Script, interrupt: list[float]
) -> None:
    interrupt.append(1)
    begun(script)
    script.stacks(stack("CREATE_IN_PROGRESS"))
    script.events()
    told: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        run(aws, told)
    assert [str(p) for p in told] == [
        f"wait     CloudFormation goes on creating {STACK} by itself;",
        "wait     the next deployment waits for it",
    ]


def test_a_removed_bucket_that_cloudformation_could_not_delete_is_emptied_and_deleted(
    aws: FakeCloud, script: Script
) -> None:
    s3 = aws.client("s3")
    where = {"LocationConstraint": aws.region}
    for name in ("going", "kept"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        s3.put_object(Bucket=name, Key="a", Body=b"")

    def gone(name: str, *, kept: bool = False) -> Change:
        kind = "AWS::S3::Bucket"
        return Change(
            "remove", name, kind, f"Bucket {name!r}", data=True, kept=kept, physical_id=name
        )

    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_COMPLETE"))
    script.events(event(1, "going", "DELETE_FAILED", "The bucket is not empty"))
    changes = (gone("kept", kept=True), gone("gone-already"), gone("going"))
    told = run(aws, creates=False, changes=changes)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]
    assert [p.status for p in told] == ["DELETE_FAILED", "", "DELETE_COMPLETE"]


def failed(script: Script, *news: dict[str, Any], **more: str) -> None:
    """What is asked once a deployment without a cause has been rolled back."""
    begun(script, event(0, "A", "CREATE_COMPLETE"))
    script.stacks(stack("ROLLBACK_COMPLETE"))
    script.events(event(0, "A", "CREATE_COMPLETE"), *news)
    script.stacks(stack("ROLLBACK_COMPLETE", **more))
    script.events(event(0, "A", "CREATE_COMPLETE"), *news)


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks whose validations are asked for: a bucket's name is taken."""
    asked: list[str] = []

    def failed_validations(_: object, stack_id: str) -> list[Invalid]:
        asked.append(stack_id)
        return [Invalid("A", "AWS::S3::Bucket", "the name is taken")]

    monkeypatch.setattr("devbridge.deploy.execute.failed_validations", failed_validations)
    return asked


def test_what_validation_has_refused_is_named_with_its_construct(
    aws: FakeCloud, script: Script, validations: list[str]
) -> None:
    status = {"DetailedStatus": "VALIDATION_FAILED"}
    failed(script, {**event(1, STACK, "ROLLBACK_IN_PROGRESS"), **status})
    with pytest.raises(DeployError, match=r"Job 'a'.*the name is taken") as caught:
        run(aws)
    assert validations == [STACK_ID]
    assert caught.value.where == f"stack {STACK}, which is now ROLLBACK_COMPLETE"
    assert caught.value.remedy
    assert caught.value.remedy.endswith("; everything is as it was before")


def test_validations_are_not_asked_for_where_none_has_failed(
    aws: FakeCloud, script: Script, validations: list[str]
) -> None:
    failed(script, event(1, STACK, "ROLLBACK_IN_PROGRESS"), StackStatusReason="no")
    with pytest.raises(DeployError) as caught:
        run(aws)
    assert validations == []
    assert caught.value.what == "the stack is ROLLBACK_COMPLETE: no"


def test_a_stack_without_a_reason_is_not_given_one(aws: FakeCloud, script: Script) -> None:
    failed(script)
    with pytest.raises(DeployError) as caught:
        run(aws)
    assert caught.value.what == "the stack is ROLLBACK_COMPLETE"


def test_what_has_failed_without_a_label_is_called_by_its_planned_one(
    aws: FakeCloud, script: Script
) -> None:
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_ROLLBACK_COMPLETE"))
    script.events(event(1, "Old", "DELETE_FAILED", "it is in use"))
    changes = (Change("remove", "Old", "AWS::X::Y", "Job 'old'"),)
    with pytest.raises(DeployError) as caught:
        run(aws, creates=False, changes=changes)
    assert caught.value.what == "Job 'old': AWS::X::Y DELETE_FAILED: it is in use"
    assert caught.value.where == f"stack {STACK}, which is now UPDATE_ROLLBACK_COMPLETE"


def test_a_bucket_that_nobody_may_look_for_is_left(aws: FakeCloud, script: Script) -> None:
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_COMPLETE"))
    script.events()
    kind = "AWS::S3::Bucket"
    changes = tuple(
        Change("remove", name, kind, f"Bucket {name!r}", data=True, physical_id=f"{name}-1")
        for name in ("theirs", "ours")
    )
    with Stubber(aws.client("s3")) as s3:
        s3.add_client_error("head_bucket", "403")
        s3.add_response("head_bucket", {"BucketRegion": "eu-west-1"})
        s3.add_response("list_object_versions", {})
        s3.add_response("delete_bucket", {})
        told = run(aws, creates=False, changes=changes)
        assert [p.text for p in told] == ["Bucket 'ours'"]
        s3.assert_no_pending_responses()


@pytest.mark.parametrize(
    "change",
    [
        Change("remove", "B", "AWS::S3::Bucket", "B", data=False, physical_id="b-1"),
        Change("remove", "B", "AWS::S3::Bucket", "B", data=True, physical_id=""),
        Change("remove", "T", "AWS::DynamoDB::Table", "T", data=True, physical_id="t-1"),
    ],
)
def test_only_buckets_with_data_that_go_are_deleted_afterwards(
    aws: FakeCloud, script: Script, change: Change
) -> None:
    begun(script, status="UPDATE_COMPLETE")
    script.stacks(stack("UPDATE_COMPLETE"))
    script.events()
    with Stubber(aws.client("s3")), Stubber(aws.client("dynamodb")):  # which answer nothing
        assert run(aws, creates=False, changes=(change,)) == []
