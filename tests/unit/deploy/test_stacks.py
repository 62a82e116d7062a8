from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

from devbridge import names
from devbridge.deploy.access import Progress
from devbridge.deploy.stacks import (
    check_owner,
    deployed_template,
    describe,
    event_ids,
    find,
    is_unusable,
    new_events,
    not_deleted,
    outputs_of,
    patient,
    settled,
    status_of,
    wait_until_gone,
    watch,
)
from devbridge.errors import DeployError
from tests.unit.deploy.cloudformation import STACK, STACK_ID, TAGS, Script, at_once, event, stack
from tests.unit.deploy.conftest import FakeCloud


def test_a_stack_that_is_not_there_or_deleted_is_none(aws: FakeCloud, script: Script) -> None:
    script.stacks()
    assert describe(aws, STACK) is None
    script.stacks(stack("DELETE_COMPLETE"))
    assert describe(aws, STACK) is None


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


def test_only_what_is_not_there_is_none_other_errors_are_raised(
    aws: FakeCloud, script: Script
) -> None:
    script.stub.add_client_error("describe_stacks", "Throttling", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        describe(aws, STACK)
    script.stub.add_client_error("describe_stacks", "Throttling", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        status_of(aws.client("cloudformation"), STACK_ID)
    script.stub.add_client_error("describe_stack_events", "Throttling", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        event_ids(aws.client("cloudformation"), STACK_ID)


def test_a_stack_that_is_no_longer_known_is_deleted_and_has_no_events(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks()
    assert status_of(aws.client("cloudformation"), STACK_ID) == "DELETE_COMPLETE"
    gone = "Stack [s] does not exist"
    script.stub.add_client_error("describe_stack_events", "ValidationError", gone)
    assert event_ids(aws.client("cloudformation"), STACK_ID) == set()


def test_events_are_read_up_to_the_page_that_is_known_and_come_oldest_first(
    aws: FakeCloud, script: Script
) -> None:
    client = aws.client("cloudformation")
    for page, token in ((("5", "4"), "a"), (("3", "2"), "b")):
        found = [{**event(0, "A", "X"), "EventId": number} for number in page]
        answer = {"StackEvents": found, "NextToken": token}
        script.stub.add_response("describe_stack_events", answer)
    seen = {"1", "2"}
    assert [each["EventId"] for each in new_events(client, STACK_ID, seen)] == ["3", "4", "5"]
    assert seen == {"1", "2", "3", "4", "5"}


def test_each_resource_is_told_of_as_it_settles_and_the_first_failure_is_the_cause(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack("UPDATE_IN_PROGRESS"))
    first = (
        event(1, "A", "UPDATE_IN_PROGRESS"),
        event(2, "B", "UPDATE_FAILED", "Resource update Cancelled"),
        event(3, "C", "UPDATE_FAILED", "no such key"),
    )
    script.events(*first)
    script.stacks(stack("UPDATE_ROLLBACK_COMPLETE"))
    script.events(
        *first,
        event(4, STACK, "UPDATE_ROLLBACK_IN_PROGRESS"),
        event(5, "D", "CREATE_FAILED", "later"),
        event(6, STACK, "UPDATE_ROLLBACK_COMPLETE"),
    )
    told: list[Progress] = []
    labels = {"C": "Job 'c'"}
    status, cause = watch(aws, STACK_ID, set(), told.append, pace=at_once, labels=labels)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert cause == Progress(
        "resource",
        "Job 'c'",
        type="AWS::X::Y",
        status="UPDATE_FAILED",
        logical_id="C",
        reason="no such key",
    )
    assert [(p.step, p.text) for p in told] == [
        ("resource", "B"),
        ("resource", "Job 'c'"),
        ("wait", "rolling back: putting everything back as it was"),
        ("resource", "D"),
    ]


def test_the_stamp_is_nobodys_resource_and_not_told_of(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack("CREATE_COMPLETE"))
    script.events({**event(1, "Stamp", "CREATE_COMPLETE"), "ResourceType": names.STAMP})
    told: list[Progress] = []
    watch(aws, STACK_ID, set(), told.append, pace=at_once)
    assert not told


def test_between_two_questions_is_a_pause(
    aws: FakeCloud, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("devbridge.deploy.stacks.time.sleep", slept.append)
    for status in ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"):
        script.stacks(stack(status))
        script.events()
    watch(aws, STACK_ID, set(), lambda _: None, pace=patient)
    assert slept == pytest.approx([0.05, 0.07])


@pytest.mark.parametrize(
    ("cause", "what", "remedy"),
    [
        (None, "no reason is given", "remove what stands in the way"),
        (
            Progress("resource", "the Files", type="AWS::S3::Bucket", reason="it is not empty"),
            "the Files: it is not empty",
            "a bucket must be empty",
        ),
        (
            Progress("resource", "the Files", type="AWS::S3::Bucket", reason="who knows"),
            "the Files: who knows",
            "remove what stands in the way",
        ),
    ],
)
def test_a_stack_that_cannot_be_deleted_says_why_and_what_to_do(
    cause: Progress | None, what: str, remedy: str
) -> None:
    error = not_deleted("DELETE_FAILED", cause, STACK_ID)
    assert (error.what, error.where) == (f"the stack is DELETE_FAILED: {what}", STACK_ID)
    assert error.remedy
    assert error.remedy.startswith(remedy)


def test_a_stack_that_is_being_removed_is_waited_for_until_it_is_gone(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack("DELETE_IN_PROGRESS"))
    for status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
        script.stacks(stack(status))
        script.events()
    told: list[Progress] = []
    assert settled(aws, STACK, told.append, at_once) is None
    assert [str(p) for p in told] == [f"wait     stack {STACK} is being removed"]


def test_a_stack_that_does_not_go_is_an_error(aws: FakeCloud, script: Script) -> None:
    script.stacks(stack("DELETE_FAILED"))
    script.events(event(1, "Files", "DELETE_FAILED", "The bucket is not empty"))
    with pytest.raises(DeployError, match="the stack is DELETE_FAILED: Files: The bucket is not"):
        wait_until_gone(aws, STACK_ID, at_once)


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"]
)
def test_a_stack_at_rest_can_be_changed_at_once(
    aws: FakeCloud, script: Script, status: str
) -> None:
    script.stacks(stack(status))
    told: list[Progress] = []
    found = settled(aws, STACK, told.append, at_once)
    assert found
    assert found["StackStatus"] == status
    assert not told


def test_another_deployment_is_waited_for_and_then_looked_at_again(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack("UPDATE_IN_PROGRESS"))
    script.stacks(stack("UPDATE_ROLLBACK_FAILED"))
    script.events(event(1, "A", "UPDATE_FAILED", "theirs"))
    script.stacks(stack("UPDATE_ROLLBACK_FAILED"))
    told: list[Progress] = []
    with pytest.raises(DeployError, match="the stack is UPDATE_ROLLBACK_FAILED"):
        settled(aws, STACK, told.append, at_once)
    assert [p.text for p in told] == [f"stack {STACK}: another deployment is under way"]


def test_the_template_that_a_stack_was_made_from_is_read_as_it_was_sent(
    aws: FakeCloud, script: Script
) -> None:
    script.template(A={"Type": "AWS::X::Y"})
    assert deployed_template(aws, STACK)["Resources"] == {"A": {"Type": "AWS::X::Y"}}
    script.stub.add_response("get_template", {"TemplateBody": "Resources:\n  A: {}\n"})
    with pytest.raises(DeployError, match="the stack's template is not JSON"):
        deployed_template(aws, STACK)


def test_a_stack_belongs_to_whom_all_of_its_tags_name() -> None:
    check_owner(stack(), TAGS)
    check_owner(stack(Tags=[*stack()["Tags"], {"Key": "team", "Value": "a"}]), TAGS)
    both = stack()["Tags"]
    for tags in (both[:0], both[:1], both[1:]):
        with pytest.raises(DeployError, match="the stack belongs to another app or stage"):
            check_owner(stack(Tags=tags), TAGS)
    with pytest.raises(DeployError, match=rf"stack {STACK}, of app 'other', stage '\?'"):
        check_owner(stack(Tags=[{"Key": "devbridge:app", "Value": "other"}]), TAGS)


@pytest.mark.parametrize(
    ("status", "unusable"),
    [
        ("REVIEW_IN_PROGRESS", True),
        ("ROLLBACK_COMPLETE", True),
        ("ROLLBACK_FAILED", True),
        ("CREATE_FAILED", True),
        ("DELETE_FAILED", True),
        ("CREATE_COMPLETE", False),
        ("UPDATE_ROLLBACK_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
        ("DELETE_IN_PROGRESS", False),
    ],
)
def test_a_stack_whose_creation_or_removal_failed_can_only_be_made_anew(
    status: str, unusable: bool
) -> None:
    assert is_unusable(stack(status)) is unusable
    assert not is_unusable(None)


def test_outputs_are_a_dictionary() -> None:
    assert outputs_of(stack()) == {}
    assert outputs_of(stack(Outputs=[{"OutputKey": "A", "OutputValue": "1"}])) == {"A": "1"}


def test_who_asks_for_a_stage_is_not_told_of_older_names_where_there_is_one_of_today(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack())
    assert find(aws, "demo", "dev") == (STACK, stack())
    script.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    script.stub.add_client_error("describe_stacks", "Throttling", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        find(aws, "demo", "dev")


def test_what_a_failed_creation_has_left_is_said_to_be_made_again(
    aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack("ROLLBACK_COMPLETE"))
    script.stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
    script.stacks(stack("DELETE_COMPLETE"))
    script.events()
    told: list[Progress] = []
    assert settled(aws, STACK, told.append, at_once) is None
    assert [str(p) for p in told] == [
        f"wait     stack {STACK} is ROLLBACK_COMPLETE: making it again"
    ]
