from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from devbridge import names
from devbridge.deploy.access import Progress
from devbridge.deploy.changes import LABELS as LABELS_KEY
from devbridge.deploy.changes import Change
from devbridge.deploy.execute import execute
from devbridge.deploy.package import ensure_bucket
from devbridge.deploy.plan import Plan, discard, is_current, plan
from devbridge.deploy.plan_text import as_json, lines
from devbridge.deploy.refusals import Overtaken, explained
from devbridge.deploy.stacks import describe, find, patient
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud

STACK = "devbridge-demo--dev-"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
TAGS = {"devbridge:app": "demo", "devbridge:stage": "dev"}
TEMPLATE = Template('{"Resources":{}}', "hash", {"NotesTable": "Table 'notes'"})
SENT = '{"Metadata":{"DevbridgeLabels":{"NotesTable":"Table \'notes\'"}},"Resources":{}}'
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

    def template(self, **resources: Any) -> None:
        body = json.dumps({"Resources": resources, "Metadata": {LABELS_KEY: {"D": "Job 'd'"}}})
        expected = {"StackName": STACK, "TemplateStage": "Original"}
        self.stub.add_response("get_template", {"TemplateBody": body}, expected)

    def change_set(self, kind: str, status: str, reason: str, *changes: dict[str, Any]) -> None:
        expected = {
            "StackName": STACK,
            "ChangeSetName": ANY,
            "ChangeSetType": kind,
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": ANY,
            "TemplateBody": SENT,
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
    def change(action: str, name: str, kind: str = "AWS::X::Y", **fields: str) -> dict[str, Any]:
        return {"Action": action, "LogicalResourceId": name, "ResourceType": kind, **fields}

    script.stacks(stack())
    script.change_set(
        "UPDATE",
        "CREATE_COMPLETE",
        "",
        change("Add", "NotesTable"),
        change("Modify", "B", Replacement="False"),
        change("Modify", "C", Replacement="True"),
        change("Remove", "D", PhysicalResourceId="d-1"),
        change("Add", "Stamp", names.STAMP),
    )
    script.template()
    made = planned(aws)
    assert bool(made)
    assert made.changes == (
        Change("add", "NotesTable", "AWS::X::Y", "Table 'notes'"),
        Change("change", "B", "AWS::X::Y", "B"),
        Change("replace", "C", "AWS::X::Y", "C", "CloudFormation does not say which property"),
        Change("remove", "D", "AWS::X::Y", "Job 'd'", physical_id="d-1"),
    )


@pytest.mark.parametrize(
    ("attributes", "data"),
    [
        ({"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}, False),
        ({"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "1"}, True),
        (None, True),
    ],
)
def test_a_queue_holds_data_if_it_has_messages_or_nobody_knows(
    aws: FakeCloud, script: Script, attributes: dict[str, str] | None, data: bool
) -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/1/q"
    gone = {
        "Action": "Remove",
        "LogicalResourceId": "Q",
        "ResourceType": "AWS::SQS::Queue",
        "PhysicalResourceId": url,
    }
    script.stacks(stack())
    script.change_set("UPDATE", "CREATE_COMPLETE", "", gone)
    script.template(Q={"Type": "AWS::SQS::Queue"})
    with Stubber(aws.client("sqs")) as sqs:
        if attributes is None:
            sqs.add_client_error("get_queue_attributes", "AccessDenied")
        else:
            sqs.add_response("get_queue_attributes", {"Attributes": attributes})
        made = planned(aws)
    assert made.changes[0].data is data
    assert bool(made.dangerous) is data


def test_a_change_set_without_changes_is_an_empty_plan(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack())
    script.change_set("UPDATE", "FAILED", "The submitted information didn't contain changes.")
    script.stub.add_response(
        "delete_change_set", {}, {"StackName": STACK, "ChangeSetName": CHANGE_SET}
    )
    assert not planned(aws)


def test_a_change_set_that_fails_is_an_error_with_its_reason(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks()
    script.change_set("CREATE", "FAILED", "circular dependency")
    script.stub.add_response(
        "delete_change_set", {}, {"StackName": STACK, "ChangeSetName": CHANGE_SET}
    )
    with pytest.raises(DeployError, match="circular dependency"):
        planned(aws)


def test_a_refused_template_is_an_error_with_what_cloudformation_said(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks()
    script.stub.add_client_error("create_change_set", "ValidationError", "Template error: X")
    with pytest.raises(DeployError, match="Template error: X"):
        planned(aws)


@pytest.mark.parametrize("creates", [True, False])
def test_a_plan_that_is_not_wanted_leaves_nothing(
    aws: FakeCloud, script: Script, creates: bool
) -> None:
    script.stub.add_response(
        "delete_change_set", {}, {"StackName": STACK, "ChangeSetName": CHANGE_SET}
    )
    script.stacks(stack("REVIEW_IN_PROGRESS" if creates else "CREATE_COMPLETE"))
    if creates:
        script.stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
    discard(aws, Plan(STACK, CHANGE_SET, creates, ()))


def test_a_plan_without_a_change_set_has_nothing_to_discard(aws: FakeCloud, script: Script) -> None:
    discard(aws, Plan(STACK, "", True, ()))


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
    script.template()
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
    body = json.dumps({"Description": "x" * 51_201, "Resources": {}})
    large = Template(body, "hash", {"A": "Job 'a'"})
    aws.endpoint_url = "http://127.0.0.1:1"  # moto does not know the condition for TLS
    ensure_bucket(aws)
    aws.endpoint_url = None
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
    key, _, version = seen[0].removeprefix(url).partition("?versionId=")
    assert re.fullmatch(r"templates/demo/[0-9a-f]{64}\.template", key)
    bucket = f"devbridge-assets-{aws.account}-eu-west-1"
    stored = aws.client("s3").get_object(Bucket=bucket, Key=key, VersionId=version)
    sent = json.loads(stored["Body"].read())
    assert sent.pop("Metadata") == {LABELS_KEY: {"A": "Job 'a'"}}
    assert sent == json.loads(body)


PLAN = Plan(
    STACK,
    CHANGE_SET,
    False,
    (
        Change("remove", "OldTable", "AWS::DynamoDB::Table", "Table 'old'", data=True, kept=True),
        Change("add", "NewTable", "AWS::DynamoDB::Table", "Table 'new'"),
        Change("replace", "T", "AWS::DynamoDB::Table", "Table 't'", reason="KeySchema", data=True),
        Change("change", "P", "AWS::CodeBuild::Project", "Job 'p'", properties=("Environment",)),
        Change(
            "change",
            "PRole",
            "AWS::IAM::Role",
            "Job 'p'",
            properties=("Policies",),
            iam=True,
            granted=("may a:B on NewTable",),
            revoked=("may a:B on OldTable",),
        ),
        Change("change", "I", "AWS::X::Y", "Api 'i'", reason="follows Job 'p'"),
    ),
)


def test_a_plan_for_people_has_a_line_a_change_and_who_may_do_what_apart() -> None:
    assert list(lines(PLAN)) == [
        f"stack {STACK}: 1 added, 3 changed, 1 replaced, 1 removed",
        "+ Table 'new'  AWS::DynamoDB::Table  NewTable",
        "~ Api 'i'      AWS::X::Y  I  follows Job 'p'",
        "~ Job 'p'      AWS::CodeBuild::Project  P  Environment",
        "! Table 't'    AWS::DynamoDB::Table  T  replaced: KeySchema  ITS DATA IS LOST",
        "- Table 'old'  AWS::DynamoDB::Table  OldTable  its data is kept, outside of the app",
        "who may do what:",
        "~ Job 'p'      AWS::IAM::Role  PRole  Policies",
        "+   PRole may a:B on NewTable",
        "-   PRole may a:B on OldTable",
    ]


def test_permissions_that_only_follow_other_changes_are_one_line() -> None:
    follows = [
        Change("change", f"R{n}", "AWS::IAM::Role", "Job 'a'", reason="follows Job 'p'", iam=True)
        for n in range(3)
    ]
    assert list(lines(Plan(STACK, CHANGE_SET, False, tuple(follows))))[1:] == [
        "who may do what:",
        "~ 3 more that follow what they refer to; who may do what stays the same",
    ]


def test_a_queue_without_messages_that_is_kept_is_said_to_be_kept() -> None:
    queue = Change("remove", "Q", "AWS::SQS::Queue", "Queue 'q'", kept=True)
    *_, line = lines(Plan(STACK, CHANGE_SET, False, (queue,)))
    assert line == "- Queue 'q'  AWS::SQS::Queue  Q  kept, outside of the app"


def test_a_plan_of_outputs_alone_says_so() -> None:
    assert list(lines(Plan(STACK, CHANGE_SET, True, ()))) == [
        f"stack {STACK} (new): only its outputs"
    ]


def test_a_plan_for_programs_has_the_same() -> None:
    made = as_json(PLAN)
    assert (made["stack"], made["creates"], len(made["changes"])) == (STACK, False, 6)
    assert json.loads(json.dumps(made)) == made
    assert made["changes"][2] == {
        "action": "replace",
        "construct": "Table 't'",
        "logicalId": "T",
        "type": "AWS::DynamoDB::Table",
        "physicalId": None,
        "reason": "KeySchema",
        "properties": [],
        "iam": False,
        "granted": [],
        "revoked": [],
        "data": True,
        "kept": False,
    }


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
        ("wait", "rolling back: what was changed becomes as it was", ""),
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
        "the update is cancelled; Ctrl-C again does not wait for it",
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
    assert "goes on creating" in told[0].text


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
    changes = (gone("going"), gone("kept", kept=True), gone("gone-already"))
    told = run(aws, creates=False, changes=changes)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]
    assert [p.status for p in told] == ["DELETE_FAILED", "", "DELETE_COMPLETE"]


def test_pauses_grow_to_two_seconds() -> None:
    pauses = list(itertools.islice(patient(), 20))
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


def test_who_may_not_ask_for_the_stack_of_an_older_devbridge_is_told_so(
    aws: FakeCloud, script: Script
) -> None:
    told: list[Progress] = []
    script.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    script.stub.add_client_error("describe_stacks", "AccessDenied")
    assert find(aws, "demo", "dev", told.append) == (STACK, None)
    assert "whether an older devbridge has deployed the stage as devbridge-demo-dev" in told[0].text


@pytest.mark.parametrize(
    ("tags", "status", "ours"),
    [
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "UPDATE_COMPLETE", True),
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "ROLLBACK_COMPLETE", False),
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "DELETE_IN_PROGRESS", False),
        ({"devbridge:app": "demo-dev", "devbridge:stage": "x"}, "UPDATE_COMPLETE", False),
        ({}, "UPDATE_COMPLETE", False),
    ],
)
def test_a_stack_of_the_old_name_is_taken_if_it_says_that_it_is_ours(
    aws: FakeCloud, script: Script, tags: dict[str, str], status: str, ours: bool
) -> None:
    script.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    script.stacks(stack(status, StackName="devbridge-demo-dev", Tags=listed))
    name, found = find(aws, "demo", "dev")
    assert (name, bool(found)) == (("devbridge-demo-dev", True) if ours else (STACK, False))
