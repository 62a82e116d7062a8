from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.emulator.inside.corrections.mappings.decisions import (
    AGED,
    Batch,
    Rules,
    aged,
    failed,
    rules,
    sequence,
    succeeded,
    throttled,
    told,
)

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


def record(number: int, at: float = 100.0) -> dict[str, Any]:
    return {"kinesis": {"sequenceNumber": str(number), "approximateArrivalTimestamp": at}}


def batch(*numbers: int, tries: int = 0) -> Batch:
    return Batch(tuple(record(each) for each in numbers), str(numbers[-1]), tries)


def numbers(found: Batch) -> list[int]:
    return [int(sequence(each)) for each in found.records]


def test_a_shard_is_done_until_the_end_of_a_batch_that_ended_well() -> None:
    assert succeeded(Batch((record(1),), "7")).done == "7"


def test_a_batch_that_fails_comes_again_and_is_given_up_after_its_retries() -> None:
    rule, now = Rules(retries=2), batch(1, 2)
    for _ in range(2):
        step = failed(now, 0, rule, 100)
        (now,) = step.batches
        assert (numbers(now), step.done, step.dropped) == ([1, 2], "", None)
    step = failed(now, 0, rule, 100)
    assert (step.batches, step.done, step.condition) == ((), "2", "RetryAttemptsExhausted")
    assert step.dropped is not None
    assert step.dropped.tries == 3


def test_the_pauses_between_retries_grow_and_are_bounded() -> None:
    pauses, now = [], batch(1)
    for _ in range(30):
        step = failed(now, 0, Rules(), 100)
        (now,) = step.batches
        pauses.append(step.pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.2, 5.0)


def test_what_comes_before_the_first_that_failed_is_done() -> None:
    step = failed(batch(1, 2, 3), 1, Rules(), 100)
    assert (step.done, [numbers(each) for each in step.batches]) == ("1", [[2, 3]])


def test_a_bisected_batch_comes_in_halves_which_are_no_retries() -> None:
    step = failed(batch(1, 2, 3), 0, Rules(retries=0, bisect=True), 100)
    assert [numbers(each) for each in step.batches] == [[1], [2, 3]]
    assert [(each.tries, each.end) for each in step.batches] == [(0, "1"), (0, "3")]
    step = failed(batch(1, 2, 3), 1, Rules(retries=0, bisect=True), 100)
    assert (step.done, [numbers(each) for each in step.batches]) == ("1", [[2, 3]])


@given(st.integers(1, 30), st.sets(st.integers(1, 30)), st.integers(0, 3))
def test_bisected_all_but_the_bad_records_get_through_in_order(
    size: int, bad: set[int], retries: int
) -> None:
    waiting, rule = [batch(*range(1, size + 1))], Rules(retries=retries, bisect=True)
    through: list[int] = []
    dropped: list[int] = []
    while waiting:
        now = waiting.pop(0)
        if bad.isdisjoint(numbers(now)):
            step = succeeded(now)
            through += numbers(now)
        else:
            step = failed(now, 0, rule, 100)
            dropped += numbers(step.dropped) if step.dropped else []
        waiting[:0] = step.batches
    there = set(range(1, size + 1))
    assert (through, dropped) == (sorted(there - bad), sorted(there & bad))


def test_a_throttled_batch_comes_again_without_end() -> None:
    step = throttled(batch(1), Rules(retries=0), 100)
    assert (numbers(step.batches[0]), step.batches[0].tries) == ([1], 0)


def test_records_that_are_too_old_are_given_up_and_the_others_are_not() -> None:
    mixed = Batch((record(1, 10), record(2, 95)), "9", tries=4)
    step = aged(mixed, Rules(age=60), 100)
    assert step is not None
    assert step.dropped is not None
    assert (numbers(step.dropped), step.condition, step.done) == ([1], AGED, "1")
    assert [(numbers(each), each.tries) for each in step.batches] == [([2], 4)]
    assert aged(mixed, Rules(), 100) is None
    step = aged(mixed, Rules(age=1), 100)
    assert step is not None
    assert (step.batches, step.done) == ((), "9")


@pytest.mark.parametrize(
    ("mapping", "rule"),
    [
        ({}, Rules(math.inf, 50)),
        ({"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}, Rules(math.inf, 50)),
        ({"MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60}, Rules(0, 50)),
        ({"BisectBatchOnFunctionError": True}, Rules(math.inf, 50, True)),
    ],
)
def test_a_mapping_says_when_it_gives_up(mapping: dict[str, Any], rule: Rules) -> None:
    assert rules(mapping, 50) == rule


def test_a_destination_is_told_which_records_but_not_what_was_in_them() -> None:
    found = told(
        Batch((record(1, 0.5), record(4, 61)), "5", tries=3),
        AGED,
        function_arn="arn:f",
        request_id="r",
        source_arn=f"{STREAM}/consumer/c:1",
        shard="shardId-000000000000",
        result={"error": True},
        now=120,
    )
    assert found == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "arn:f",
            "condition": AGED,
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "1970-01-01T00:02:00.000Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": "1",
            "endSequenceNumber": "4",
            "approximateArrivalOfFirstRecord": "1970-01-01T00:00:00.500Z",
            "approximateArrivalOfLastRecord": "1970-01-01T00:01:01.000Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }
