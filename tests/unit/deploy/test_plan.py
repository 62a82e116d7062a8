from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge import names
from devbridge.deploy.access import Progress
from devbridge.deploy.changes import LABELS as LABELS_KEY
from devbridge.deploy.changes import Action, Change
from devbridge.deploy.package import ensure_bucket
from devbridge.deploy.plan import Plan, as_it_is, discard, is_current, plan
from devbridge.deploy.stacks import patient
from devbridge.deploy.synth import Template
from devbridge.deploy.validation import Invalid
from devbridge.errors import DeployError
from tests.unit.deploy.cloudformation import (
    CHANGE_SET,
    STACK,
    STACK_ID,
    TAGS,
    TEMPLATE,
    Script,
    at_once,
    event,
    stack,
)
from tests.unit.deploy.conftest import FakeCloud


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
    assert (made.stack, made.change_set, made.creates) == (STACK, CHANGE_SET, False)
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
    assert planned(aws) == Plan(STACK, "", False, ())


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


def test_a_plan_without_a_change_set_has_nothing_to_discard() -> None:
    cloud = FakeCloud()
    discard(cloud, Plan(STACK, "", True, ()))
    assert not cloud.clients, "somebody was asked"


@pytest.mark.parametrize("refused", ["delete_change_set", "describe_stacks", "delete_stack"])
def test_a_plan_that_cannot_be_discarded_says_so(
    aws: FakeCloud, script: Script, refused: str
) -> None:
    for operation in ("delete_change_set", "describe_stacks", "delete_stack"):
        if operation == refused:
            script.stub.add_client_error(operation, "Throttling", "Rate exceeded")
            break
        if operation == "describe_stacks":
            script.stacks(stack("REVIEW_IN_PROGRESS"))
        else:
            script.stub.add_response(operation, {})
    with pytest.raises(ClientError, match="Rate exceeded"):
        discard(aws, Plan(STACK, CHANGE_SET, True, ()))


def test_a_stack_that_others_have_made_meanwhile_is_not_discarded(
    aws: FakeCloud, script: Script
) -> None:
    script.stub.add_response("delete_change_set", {})
    script.stacks(stack("CREATE_COMPLETE"))
    discard(aws, Plan(STACK, CHANGE_SET, True, ()))


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
    with pytest.raises(DeployError, match=r"belongs to another app or stage(.|\n)*app 'dem'"):
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


@pytest.mark.parametrize(
    ("code", "message"),
    [("AccessDenied", "no"), ("AlreadyExistsException", "Stack [s] already exists")],
)
def test_who_may_not_plan_or_was_overtaken_is_not_said_to_have_a_wrong_template(
    aws: FakeCloud, script: Script, code: str, message: str
) -> None:
    script.stacks()
    script.stub.add_client_error("create_change_set", code, message)
    with pytest.raises(ClientError, match=re.escape(message)):
        planned(aws)


def test_a_change_set_is_waited_for_and_read_to_its_last_page(
    aws: FakeCloud, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("devbridge.deploy.plan.time.sleep", slept.append)

    def page(name: str, token: str = "") -> dict[str, Any]:
        change = {"Action": "Add", "LogicalResourceId": name, "ResourceType": "AWS::X::Y"}
        found = [{"Type": "Resource", "ResourceChange": change}]
        return {"Changes": found, **({"NextToken": token} if token else {})}

    named = {"StackName": STACK, "ChangeSetName": CHANGE_SET}
    script.stacks()
    script.stub.add_response("create_change_set", {"Id": CHANGE_SET})
    for status in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        script.stub.add_response("describe_change_set", {"Status": status}, named)
    first = {"Status": "CREATE_COMPLETE", **page("A", "2")}
    script.stub.add_response("describe_change_set", first, named)
    for name, token, after in (("B", "2", "3"), ("C", "3", "")):
        script.stub.add_response(
            "describe_change_set", page(name, after), {**named, "NextToken": token}
        )
    made = plan(aws, STACK, TEMPLATE, tags=TAGS, on_progress=lambda _: None, pace=patient)
    assert [change.logical_id for change in made.changes] == ["A", "B", "C"]
    assert made.creates
    assert slept == pytest.approx([0.05, 0.07])


def test_what_validation_has_found_is_said_in_place_of_where_to_look(
    aws: FakeCloud, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Invalid("NotesTable", "AWS::DynamoDB::Table", "the name is taken")]
    asked: list[object] = []

    def failed_validations(_: object, *about: object) -> list[Invalid]:
        asked.append(about)
        return found

    monkeypatch.setattr("devbridge.deploy.plan.failed_validations", failed_validations)
    script.stacks()
    script.change_set("CREATE", "FAILED", "Early Validation failed")
    script.stub.add_response("delete_change_set", {})
    with pytest.raises(DeployError, match=r"Table 'notes'.*the name is taken"):
        planned(aws)
    assert asked == [(STACK, CHANGE_SET)]


TABLE, QUEUE = "AWS::DynamoDB::Table", "AWS::SQS::Queue"


def gone(kind: str, action: Action = "remove", *, kept: bool = False) -> Change:
    return Change(action, "X", kind, "X", data=True, kept=kept, physical_id="x")


def test_a_table_without_items_is_data_all_the_same(aws: FakeCloud) -> None:
    (change,) = as_it_is(aws, (gone(TABLE),))
    assert change.data
    assert not aws.clients


def test_what_is_added_or_changed_has_no_data_to_look_into(aws: FakeCloud) -> None:
    changes = (
        Change("add", "New", QUEUE, "New"),
        Change("change", "Old", QUEUE, "Old", physical_id="https://sqs/old"),
    )
    assert tuple(as_it_is(aws, changes)) == changes
    assert not aws.clients


def test_the_embedded_cloud_keeps_no_table_that_it_replaces(aws: FakeCloud) -> None:
    changes = (
        gone(TABLE, "replace", kept=True),
        gone(TABLE, kept=True),
        gone("AWS::S3::Bucket", "replace", kept=True),
    )
    assert [change.kept for change in as_it_is(aws, changes)] == [True, True, True]
    aws.endpoint_url = "http://127.0.0.1:1"
    assert [change.kept for change in as_it_is(aws, changes)] == [False, True, True]


def test_a_plan_is_dangerous_if_it_takes_data_and_true_if_there_is_anything_to_do() -> None:
    harmless = Change("remove", "X", "AWS::X::Y", "X")
    made = Plan(STACK, "", False, (harmless, gone(TABLE)))
    assert made.dangerous == (gone(TABLE),)
    assert made
    assert Plan(STACK, CHANGE_SET, False, ())  # outputs alone
    assert not Plan(STACK, "", True, ())
