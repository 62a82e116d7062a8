from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.mappings.answers import failures

IDS = ("a", "b", "c")


@pytest.mark.parametrize(
    "answer",
    [None, "", "null", {}, {"statusCode": 200}, {"batchItemFailures": None}, "{}"],
)
def test_an_answer_that_names_nothing_is_a_success(answer: Any) -> None:
    assert failures(answer, IDS) == frozenset()


@pytest.mark.parametrize("answer", [{"batchItemFailures": []}, '{"batchItemFailures": []}'])
def test_so_is_one_that_names_none(answer: Any) -> None:
    assert failures(answer, IDS) == frozenset()


def test_what_is_named_has_failed_and_nothing_else() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "a"}]}
    assert failures(answer, IDS) == {"a", "c"}


@pytest.mark.parametrize(
    "item",
    [{"itemIdentifier": ""}, {"itemIdentifier": None}, {}, {"itemidentifier": "a"}, "a", None, 5],
)
def test_an_item_that_is_not_understood_fails_the_whole_batch(item: Any) -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "a"}, item]}
    assert failures(answer, IDS) == {"a", "b", "c"}


def test_so_does_an_id_of_another_batch() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "z"}]}
    assert failures(answer, IDS) == {"a", "b", "c"}


@pytest.mark.parametrize("answer", ["no JSON", 5, [], {"batchItemFailures": "a"}, True])
def test_so_does_an_answer_of_another_form(answer: Any) -> None:
    assert failures(answer, IDS) == {"a", "b", "c"}
