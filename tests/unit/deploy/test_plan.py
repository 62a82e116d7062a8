from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from devbridge.deploy import names
from devbridge.deploy.access import Progress
from devbridge.deploy.execute import execute, patient, remove
from devbridge.deploy.plan import Change, Plan, describe, is_current, plan
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud

STACK = "devbridge-demo-dev"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
TAGS = {"devbridge:app": "demo", "devbridge:stage": "dev"}
TEMPLATE = Template("{}", "hash", {"NotesTable": "Table 'notes'"})
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/c/1"


def at_once() -> Iterator[float]:
    return itertools.repeat(0.0)


def stack(status: str = "CREATE_COMPLETE", **fields: Any) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    made = {"StackName": STACK, "StackId": STACK_ID, "CreationTime": "2024-01-01T00:00:00Z"}
    return {**made, "StackStatus": status, "Tags": tags, **fields}


def event(number: int, logical_id: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "EventId": str(number),
        "StackName": STACK,
        "Timestamp": "2024-01-01T00:00:00Z",
        "LogicalResourceId": logical_id,
        "ResourceType": "AWS::CloudFormation::Stack" if logical_id == STACK else "AWS::X::Y",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


class Script:
    """CloudFormation's answers in the order in which they will be asked for."""

    def __init__(self, aws: FakeCloud) -> None:
        self.stub = Stubber(aws.client("cloudformation"))

    def stacks(self, *found: dict[str, Any]) -> None:
        if found:
            self.stub.add_response("describe_stacks", {"Stacks": list(found)})
        else:
            self.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")

    def events(self, *events: dict[str, Any]) -> None:
        answer = {"StackEvents": list(events)[::-1]}
        self.stub.add_response("describe_stack_events", answer)

    def change_set(self, kind: str, status: str, reason: str, *changes: dict[str, Any]) -> None:
        expected = {
            "StackName": STACK,
            "ChangeSetName": ANY,
            "ChangeSetType": kind,
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": ANY,
            "TemplateBody": TEMPLATE.body,
        }
        self.stub.add_response("create_change_set", {"Id": CHANGE_SET}, expected)
        answer: dict[str, Any] = {"Status": "CREATE_IN_PROGRESS"}
        self.stub.add_response("describe_change_set", answer)
        found = [{"Type": "Resource", "ResourceChange": change} for change in changes]
        answer = {"Status": status, "StatusReason": reason, "Changes": found}
        self.stub.add_response("describe_change_set", answer)


@pytest.fixture
def script(aws: FakeCloud) -> Iterator[Script]:
    script = Script(aws)
    with script.stub:
        yield script
    script.stub.assert_no_pending_responses()


def planned(aws: FakeCloud, told: list[Progress] | None = None) -> Plan:
    tell = (told if told is not None else []).append
    return plan(aws, STACK, TEMPLATE, tags=TAGS, on_progress=tell, pace=at_once)


def test_a_stack_is_current_if_it_was_completely_made_from_the_same_template() -> None:
    same = [{"OutputKey": names.TEMPLATE_HASH, "OutputValue": "hash"}]
    other = [{"OutputKey": names.TEMPLATE_HASH, "OutputValue": "other"}]
    assert is_current(stack(Outputs=same), TEMPLATE)
    assert not is_current(stack(Outputs=other), TEMPLATE)
    assert not is_current(stack("UPDATE_ROLLBACK_COMPLETE", Outputs=same), TEMPLATE)
    assert not is_current(stack(), TEMPLATE)
    assert not is_current(None, TEMPLATE)


def test_a_stack_that_is_not_there_or_deleted_is_none(aws: FakeCloud, script: Script) -> None:
    script.stacks()
    assert describe(aws, STACK) is None
    script.stacks(stack("DELETE_COMPLETE"))
    assert describe(aws, STACK) is None


def test_a_plan_tells_what_is_added_changed_replaced_and_removed(
    aws: FakeCloud, script: Script
) -> None:
    def change(action: str, name: str, **fields: str) -> dict[str, Any]:
        kind = names.STAMP if name == "Stamp" else "AWS::X::Y"
        return {"Action": action, "LogicalResourceId": name, "ResourceType": kind, **fields}

    script.stacks(stack())
    script.change_set(
        "UPDATE",
        "CREATE_COMPLETE",
        "",
        change("Add", "NotesTable"),
        change("Modify", "B", Replacement="False"),
        change("Modify", "C", Replacement="True"),
        change("Remove", "D"),
        change("Add", "Stamp"),
    )
    made = planned(aws)
    assert bool(made)
    assert made.changes == (
        Change("add", "NotesTable", "AWS::X::Y", "Table 'notes'"),
        Change("change", "B", "AWS::X::Y", "B"),
        Change("replace", "C", "AWS::X::Y", "C"),
        Change("remove", "D", "AWS::X::Y", "D"),
    )


def test_a_change_set_without_changes_is_an_empty_plan(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack())
    script.change_set("UPDATE", "FAILED", "The submitted information didn't contain changes.")
    script.stub.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    assert not planned(aws)


def test_a_change_set_that_fails_is_an_error_with_its_reason(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks()
    script.change_set("CREATE", "FAILED", "circular dependency")
    script.stub.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    with pytest.raises(DeployError, match="circular dependency"):
        planned(aws)


def test_a_refused_template_is_an_error_with_what_cloudformation_said(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks()
    script.stub.add_client_error("create_change_set", "ValidationError", "Template error: X")
    with pytest.raises(DeployError, match="Template error: X"):
        planned(aws)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_FAILED"])
def test_what_a_failed_first_creation_left_is_deleted_and_made_again(
    aws: FakeCloud, script: Script, status: str
) -> None:
    script.stacks(stack(status))
    script.stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
    for now in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
        script.stacks(stack(now))
        script.events(event(1, STACK, now))
    script.change_set("CREATE", "CREATE_COMPLETE", "")
    told: list[Progress] = []
    assert planned(aws, told).creates
    assert [p.step for p in told] == ["wait"]


def test_another_deployment_is_waited_for(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack("UPDATE_IN_PROGRESS"))
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"):
        script.stacks(stack(status))
        script.events()
    script.stacks(stack("UPDATE_COMPLETE"))
    script.change_set("UPDATE", "CREATE_COMPLETE", "")
    assert not planned(aws).creates


def test_a_stack_that_is_stuck_says_what_to_do(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack("UPDATE_ROLLBACK_FAILED"))
    with pytest.raises(DeployError, match="devbridge remove"):
        planned(aws)


def test_a_stack_of_another_app_with_the_same_name_is_left_alone(
    aws: FakeCloud, script: Script
) -> None:
    theirs = [
        {"Key": "devbridge:app", "Value": "dem"},
        {"Key": "devbridge:stage", "Value": "o-dev"},
    ]
    script.stacks(stack(Tags=theirs))
    with pytest.raises(DeployError, match=r"not of this app and stage(.|\n)*app 'dem'"):
        planned(aws)


def test_a_template_over_51200_bytes_goes_through_s3(aws: FakeCloud, script: Script) -> None:
    large = Template("x" * 51_201, "hash", {})
    script.stacks()
    url = f"https://s3.eu-west-1.amazonaws.com/devbridge-assets-{aws.account}-eu-west-1/"
    seen: list[str] = []
    events = aws.client("cloudformation").meta.events
    events.register(
        "provide-client-params.cloudformation.CreateChangeSet",
        lambda params, **_: seen.append(params["TemplateURL"]),
    )
    script.stub.add_client_error("create_change_set", "ValidationError", "enough")
    with pytest.raises(DeployError, match="enough"):
        plan(aws, STACK, large, tags=TAGS, on_progress=lambda _: None, pace=at_once)
    key = seen[0].removeprefix(url)
    bucket = f"devbridge-assets-{aws.account}-eu-west-1"
    body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body.decode() == large.body


CHANGES = (
    Change("add", "A", "AWS::X::Y", "Job 'a'"),
    Change("add", "B", "AWS::X::Y", "Job 'b'"),
)
LABELS = {"A": "Job 'a'", "B": "Job 'b'"}


def run(aws: FakeCloud) -> list[Progress]:
    told: list[Progress] = []
    execute(aws, Plan(STACK, CHANGE_SET, True, CHANGES), LABELS, told.append, at_once)
    return told


def test_each_planned_resource_is_reported_once_when_it_has_settled(
    aws: FakeCloud, script: Script
) -> None:
    old = event(0, "A", "CREATE_COMPLETE")
    script.events(old)
    script.stub.add_response("execute_change_set", {}, {"ChangeSetName": CHANGE_SET})
    script.stacks(stack("CREATE_IN_PROGRESS"))
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
    script.events()
    script.stub.add_response("execute_change_set", {})
    script.stacks(stack("CREATE_IN_PROGRESS"))
    script.stacks(stack("ROLLBACK_IN_PROGRESS"))
    first = (
        event(1, "B", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "A", "CREATE_FAILED", "the role is wrong"),
    )
    script.events(*first)
    script.stacks(stack("ROLLBACK_COMPLETE"))
    script.events(*first, event(3, "B", "DELETE_COMPLETE"))
    with pytest.raises(DeployError) as caught:
        run(aws)
    assert "Job 'a': AWS::X::Y CREATE_FAILED: the role is wrong" in str(caught.value)
    assert "which is now ROLLBACK_COMPLETE" in str(caught.value)


def test_events_are_read_over_as_many_pages_as_are_new(aws: FakeCloud, script: Script) -> None:
    script.events()
    script.stub.add_response("execute_change_set", {})
    script.stacks(stack("CREATE_COMPLETE"))
    script.stacks(stack("CREATE_COMPLETE"))
    page = {"StackEvents": [event(2, "B", "CREATE_COMPLETE")], "NextToken": "more"}
    script.stub.add_response("describe_stack_events", page, {"StackName": STACK_ID})
    script.events(event(1, "A", "CREATE_COMPLETE"))
    assert [p.logical_id for p in run(aws)] == ["A", "B"]


def test_a_removal_that_fails_says_what_stands_in_the_way(aws: FakeCloud, script: Script) -> None:
    script.events()
    script.stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
    script.stacks(stack("DELETE_FAILED"))
    script.events(event(1, "A", "DELETE_FAILED", "the bucket is not empty"))
    with pytest.raises(DeployError, match="A: the bucket is not empty"):
        remove(aws, STACK_ID, lambda _: None, at_once)


def test_pauses_grow_to_two_seconds() -> None:
    pauses = list(itertools.islice(patient(), 20))
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0
