from __future__ import annotations

import json
from dataclasses import replace

import pytest

from devbridge.deploy.changes import Action, Change
from devbridge.deploy.plan import Plan
from devbridge.deploy.plan_text import as_json, lines
from tests.unit.deploy.cloudformation import CHANGE_SET, STACK

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
        "+   Job 'p' may a:B on NewTable",
        "-   Job 'p' may a:B on OldTable",
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


ROLE = Change("change", "R", "AWS::IAM::Role", "Job 'a'", iam=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace(ROLE, granted=("may a:B on T",)), ["", "+   Job 'a' may a:B on T"]),
        (replace(ROLE, revoked=("may a:B on T",)), ["", "-   Job 'a' may a:B on T"]),
        (replace(ROLE, properties=("Policies",)), ["  Policies"]),
    ],
)
def test_a_role_that_only_gains_or_only_loses_has_its_own_lines(
    change: Change, told: list[str]
) -> None:
    first, *rest = told
    assert list(lines(Plan(STACK, CHANGE_SET, False, (change,))))[1:] == [
        "who may do what:",
        f"~ Job 'a'  AWS::IAM::Role  R{first}",
        *rest,
    ]


@pytest.mark.parametrize(("action", "mark"), [("add", "+"), ("replace", "!"), ("remove", "-")])
def test_a_role_that_comes_or_goes_has_its_own_line_though_it_grants_nothing(
    action: Action, mark: str
) -> None:
    change = replace(ROLE, action=action)
    *_, line = lines(Plan(STACK, CHANGE_SET, False, (change,)))
    assert line.startswith(f"{mark} Job 'a'  AWS::IAM::Role  R")


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


def test_a_hash_in_a_sentence_is_short() -> None:
    hashed = "0123abcd" * 8
    change = replace(ROLE, granted=(f"may s3:GetObject on s3:b/{hashed}.zip",))
    assert list(lines(Plan("s", "c", False, (change,))))[-1].endswith("s3:b/0123abcd....zip")
