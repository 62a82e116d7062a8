from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.refusals import (
    IDENTITY,
    RESOURCE,
    TRUST,
    is_taken,
    problem_of,
)

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUSTING = {"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}


def policy(*statements: Any, **elements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **elements}


@pytest.mark.parametrize(
    ("document", "purpose"),
    [
        (policy(ALLOW), IDENTITY),
        ({"Statement": ALLOW}, IDENTITY),
        (json.dumps(policy(ALLOW, Id="x")), IDENTITY),
        (policy({**ALLOW, "Effect": "Deny", "Condition": {"Bool": {"a": "true"}}}), IDENTITY),
        (policy({"Effect": "Allow", "NotAction": "a", "NotResource": "b", "Sid": "s"}), IDENTITY),
        (policy(TRUSTING), TRUST),
        (policy({**TRUSTING, "Resource": "*"}), RESOURCE),
        (policy({**ALLOW, "Principal": "*"}, Version="2008-10-17"), RESOURCE),
    ],
)
def test_a_policy_that_iam_takes_has_no_problem(document: Any, purpose: str) -> None:
    assert problem_of(document, purpose) is None


@pytest.mark.parametrize(
    ("document", "purpose", "problem"),
    [
        (policy({**ALLOW, "Effect": "Perhaps"}), IDENTITY, "Effect is 'Perhaps'"),
        (policy({**ALLOW, "Effect": "allow"}), IDENTITY, "Effect is 'allow'"),
        (policy({"Action": "a", "Resource": "*"}), IDENTITY, "Effect is None"),
        (policy(ALLOW, Version="2012-10-18"), IDENTITY, "Version '2012-10-18'"),
        (policy(ALLOW, Statements=[]), IDENTITY, "unknown element Statements"),
        (policy(), IDENTITY, "no Statement"),
        ({"Version": "2012-10-17"}, IDENTITY, "no Statement"),
        (policy("Allow"), IDENTITY, "not an object"),
        (policy({**ALLOW, "Actions": "a"}), IDENTITY, "unknown element Actions"),
        (policy({"Effect": "Allow", "Resource": "*"}), IDENTITY, "must contain actions"),
        (policy({**ALLOW, "Action": []}), IDENTITY, "must contain actions"),
        (policy({"Effect": "Allow", "Action": "a"}), IDENTITY, "must contain resources"),
        (policy({**ALLOW, "Principal": "*"}), IDENTITY, "should not specify a principal"),
        (policy(ALLOW), RESOURCE, "field Principal"),
        (policy({**TRUSTING, "Resource": "*"}), TRUST, "prohibited field Resource"),
        (policy({"Effect": "Allow", "Action": "sts:AssumeRole"}), TRUST, "field Principal"),
        ("{", IDENTITY, "not JSON"),
        ([], IDENTITY, "not an object"),
    ],
)
def test_a_policy_that_iam_refuses_is_told_why(document: Any, purpose: str, problem: str) -> None:
    assert problem in (problem_of(document, purpose) or "")


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ({"notes": 1}, True),
        ({"arn:aws:sns:us-east-1:0:notes": 1}, True),
        ({"arn:aws:iam::0:policy/path/notes": 1}, True),
        ({"notes-2": 1, "arn:aws:sns:us-east-1:0:my-notes": 1}, False),
        ({}, False),
    ],
)
def test_a_name_is_taken_if_something_has_it(names: dict[str, int], taken: bool) -> None:
    assert is_taken(names, "notes") is taken
