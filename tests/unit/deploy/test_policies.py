"""Policies: their statements, and how they are split to fit into what IAM takes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.deploy.policies import (
    INLINE_LIMIT,
    KEY_USE,
    MANAGED_LIMIT,
    allow,
    document,
    logs_of,
    of_service,
    permitted,
    split,
    tls_only,
)
from devbridge.deploy.references import arn, arn_of, ref, sub

ROLE, MANAGED = 10_240, 6_144
"""Characters that IAM takes: in all policies within a role, and in a policy of its own."""
LONGEST = {"AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-1"}
LONGEST |= {"AWS::AccountId": "1" * 12}


def resolved(value: Any) -> Any:
    """As CloudFormation fills it in, with ARNs of 120 characters: few are longer."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: LONGEST.get(found[1], "x" * 120), text)
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return "x" * 118
        case dict():
            return {key: resolved(item) for key, item in value.items()}
        case list():
            return [resolved(item) for item in value]
    return value


def size(portion: list[dict[str, Any]]) -> int:
    return len(json.dumps(resolved(document(portion)), separators=(",", ":")))


def allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (action, json.dumps(resolved(each)), json.dumps(statement.get("Condition")))
        for statement in statements
        for action in statement["Action"]
        for each in statement["Resource"]
    }


def fits(statements: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    portions = split(statements)
    within, *more = portions
    assert size(within) <= ROLE
    assert all(size(portion) <= MANAGED for portion in more)
    assert allowed([each for portion in portions for each in portion]) == allowed(statements)
    assert all(each["Resource"] for portion in portions for each in portion)
    return portions


def short(count: int) -> list[str]:
    """So many resources whose names are short: little more than what stands between them."""
    return [f"arn:aws:s3:::{number:04}" for number in range(count)]


@pytest.mark.parametrize("count", [1, 100, 474, 475, 476, 700, 1000, 2000])
def test_many_short_arns_fit_into_what_aws_allows(count: int) -> None:
    portions = fits([allow(["s3:GetObject"], short(count))])
    # Nor is there room for another policy's worth: the quota of policies is small, too.
    assert len(portions) <= 2 + (count * 20) // (MANAGED_LIMIT - 200)


def test_what_fits_within_the_role_is_there() -> None:
    statements = [allow(["a:B"], ["*"]), allow(["c:D"], short(10))]
    assert split(statements) == [statements]
    assert split([]) == [[]]


def test_a_role_is_filled_before_a_policy_is_made() -> None:
    (within, *more) = fits([allow(["s3:GetObject"], short(1000))])
    assert INLINE_LIMIT * 0.97 < size(within) <= ROLE
    assert [size(portion) > MANAGED_LIMIT * 0.95 for portion in more[:-1]] == [True]
    (within, *_) = fits([allow(["s3:GetObject"], [arn("s3", f"{n:04}") for n in range(500)])])
    assert INLINE_LIMIT * 0.97 < size(within) <= ROLE


def test_actions_and_conditions_take_room_too() -> None:
    actions = [f"dynamodb:Action{number:03}" for number in range(60)]
    condition = {"StringEquals": {"aws:PrincipalTag/team": ["x" * 20 for _ in range(20)]}}
    fits([allow(actions, short(20), condition) for _ in range(8)])


def test_small_statements_share_the_room() -> None:
    statements = [allow([f"a:B{number}"], short(100)) for number in range(6)]
    within, other = fits(statements)
    assert (len(within), len(other)) == (5, 2), "the fifth is divided"


def test_a_statement_that_is_divided_keeps_its_effect_and_condition() -> None:
    condition = {"StringEquals": {"a:B": "c"}}
    portions = fits([allow(["a:B"], short(1000), condition)])
    assert len(portions) == 3
    for portion in portions:
        (statement,) = portion
        assert (statement["Effect"], statement["Action"]) == ("Allow", ["a:B"])
        assert statement["Condition"] == condition


def test_a_resource_that_is_too_long_for_any_policy_is_told_by_aws_not_lost() -> None:
    huge = "arn:aws:s3:::" + "x" * 11_000
    assert split([allow(["a:B"], [huge, "arn:x"])])[0][0]["Resource"] == [huge]


def test_a_resource_that_is_too_long_is_alone_in_a_policy() -> None:
    huge = "arn:aws:s3:::" + "x" * 7_000
    (within, other) = split([allow(["a:B"], short(300)), allow(["c:D"], [huge])])
    assert (len(within), len(other)) == (1, 1)
    assert other[0]["Resource"] == [huge]


def test_many_short_arns_of_this_account_fit_too() -> None:
    fits([allow(["s3:GetObject"], [arn("s3", f"{number:04}") for number in range(1000)])])


REFERENCES = [
    arn_of("NotesTable"),
    ref("NewsTopic"),
    sub("${NotesTable.Arn}/index/*"),
    arn("ssm", "parameter/devbridge/demo/prod/secrets/key"),
    "arn:aws:s3:::bucket/*",
]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda each: str(resolved(each))[:20])
def test_references_count_as_what_they_become(reference: Any) -> None:
    fits([allow(["a:B"], [reference] * 300)])


@given(
    st.lists(
        st.builds(
            allow,
            st.lists(st.sampled_from(("s3:GetObject", "a:B", *KEY_USE)), min_size=1, unique=True),
            st.lists(st.sampled_from([*REFERENCES, *short(40)]), min_size=1, max_size=120),
        ),
        max_size=12,
    )
)
def test_whatever_is_allowed_is_still_allowed_and_fits(statements: list[dict[str, Any]]) -> None:
    fits(statements)


def test_permissions_are_statements_as_they_are() -> None:
    assert permitted([{"actions": ("s3:Get*",), "resources": ("*",)}], "dev") == [
        {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["*"]}
    ]


def test_actions_are_of_their_service() -> None:
    assert of_service("kms", "Decrypt", "Encrypt") == ("kms:Decrypt", "kms:Encrypt")
    assert KEY_USE == ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")


def test_logs_are_written_to_ones_own_groups_only() -> None:
    assert resolved(logs_of("A", "B"))["Resource"] == ["x" * 118] * 2
    assert logs_of("A")["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_who_does_not_use_tls_is_refused_whoever_it_is() -> None:
    statement = tls_only("arn:x", action="sqs:*")
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert (statement["Action"], statement["Resource"]) == ("sqs:*", ["arn:x"])
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert tls_only("arn:x")["Action"] == "s3:*"
    assert document([statement]) == {"Version": "2012-10-17", "Statement": [statement]}
