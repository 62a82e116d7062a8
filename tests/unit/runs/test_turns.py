"""Turns in a table with DynamoDB's transactions; what becomes of them when somebody dies between
two steps is in `test_starting`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from devbridge.runs.turns import Turns
from tests.unit.aws import FakeDynamo, Refused
from tests.unit.codebuild import client

A, B, C, D = (f"{letter * 8}-0000-4000-8000-000000000001" for letter in "abcd")


def turns(fake: FakeDynamo, limit: int = 1, **options: Any) -> Turns:
    return Turns(lambda: fake.client, "demo_prod_turns", "factorial", limit, **options)


@pytest.fixture(params=["fake", "moto"])
def made(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What makes the turns of a job, over the fake and over a second opinion."""
    if request.param == "fake":
        fake = FakeDynamo()
        yield lambda limit: turns(fake, limit)
        return
    with mock_aws():
        dynamodb = client("dynamodb")
        dynamodb.create_table(
            TableName="t",
            KeySchema=[
                {"AttributeName": "job", "KeyType": "HASH"},
                {"AttributeName": "entry", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("job", "entry")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield lambda limit: Turns(lambda: dynamodb, "t", "factorial", limit)


def test_as_many_as_may_hold_a_turn_and_the_others_wait_in_their_order(made: Any) -> None:
    two = made(2)
    assert [two.enter(run, at) for run, at in ((A, 1), (B, 2), (D, 4), (C, 3))] == [
        [A], [B], [], [],
    ]  # fmt: skip
    assert [holder.uuid for holder in two.holders()] == [A, B]
    assert two.leave(A, 1)
    assert two.hand_on() == [C]
    assert two.hand_on() == []
    assert two.leave(B, 2)
    assert two.leave(C, 3)
    assert two.hand_on() == [D]
    assert [holder.uuid for holder in two.holders()] == [D]


def test_who_comes_twice_gets_one_turn_or_one_place_in_the_line(made: Any) -> None:
    one = made(1)
    assert one.enter(A, 1) == [A]
    assert one.enter(A, 1) == one.enter(B, 2) == one.enter(B, 2) == one.enter(A, 1) == []
    assert one.leave(A, 1)
    assert not one.leave(A, 1)
    assert one.hand_on() == [B]
    assert one.leave(B, 2)
    assert one.hand_on() == one.holders() == []


def test_who_waits_and_goes_is_not_waited_for(made: Any) -> None:
    one = made(1)
    one.enter(A, 1)
    one.enter(B, 2)
    assert not one.leave(B, 2)
    assert one.leave(A, 1)
    assert one.hand_on() == []


def test_nobody_overtakes_who_waits_though_a_turn_is_free(made: Any) -> None:
    one = made(1)
    one.enter(A, 1)
    one.enter(B, 2)
    one.leave(A, 1)  # and dies before it hands on
    assert one.enter(C, 3) == [B]
    assert [holder.uuid for holder in one.holders()] == [B]


def test_who_holds_a_turn_and_waits_too_waits_no_more(made: Any) -> None:
    one = made(1)
    one.enter(A, 1)
    one.enter(B, 2)
    one.leave(A, 1)
    assert one.hand_on() == [B]
    one.enter(C, 3)
    assert one.enter(B, 2) == []
    one.leave(B, 2)
    assert one.hand_on() == [C]


def test_a_larger_limit_counts_from_the_next_question_on(made: Any) -> None:
    one = made(1)
    assert [one.enter(run, at) for at, run in enumerate((A, B, C))] == [[A], [], []]
    assert made(3).hand_on() == [B, C]


def test_who_was_started_is_known(made: Any) -> None:
    one = made(1)
    one.enter(A, 1)
    assert one.holds(A).placed is False
    one.placed(A)
    assert one.holds(A).placed is True
    one.leave(A, 1)
    one.placed(A)
    assert one.holds(A) is None
    assert one.holders() == []


def conflict(*codes: str) -> Refused:
    reasons = [{"Code": code} for code in codes]
    return Refused("TransactionCanceledException", CancellationReasons=reasons)


@pytest.mark.parametrize(
    "error", [conflict("TransactionConflict", "None"), Refused("TransactionInProgressException")]
)
def test_who_meets_another_transaction_tries_again_a_little_later(error: Refused) -> None:
    fake, pauses, errors = FakeDynamo(), list[float](), itertools.chain([error] * 3)
    fake.refuses = lambda name: next(errors, None) if name == "TransactWriteItems" else None
    assert turns(fake, sleep=pauses.append).enter(A, 1) == [A]
    assert len(pauses) == 3
    assert 0 < sum(pauses) < 0.5


@pytest.mark.parametrize(
    "error",
    [
        conflict("TransactionConflict", "None"),
        conflict("ThrottlingError", "None"),
        Refused("TransactionInProgressException"),
    ],
)
def test_what_does_not_go_away_is_an_error(error: Refused) -> None:
    fake = FakeDynamo()
    fake.refuses = lambda name: error if name == "TransactWriteItems" else None
    with pytest.raises(ClientError):
        turns(fake, sleep=lambda _: None).enter(A, 1)


def test_each_job_has_its_own_turns() -> None:
    fake = FakeDynamo()
    other = Turns(lambda: fake.client, "demo_prod_turns", "other", 1)
    assert turns(fake).enter(A, 1) == [A]
    assert other.enter(B, 2) == [B]
