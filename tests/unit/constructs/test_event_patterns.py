"""What EventBridge, SNS and Lambda would refuse, or never match."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs.event_patterns import (
    EVENTBRIDGE,
    LAMBDA,
    SNS,
    Rules,
    fields,
    pattern_problem,
)
from devbridge.messages.patterns import matches, matching

EVERY = [
    {"prefix": "r"},
    {"suffix": "r"},
    {"equals-ignore-case": "R"},
    {"anything-but": "r"},
    {"anything-but": ["r", 1]},
    {"numeric": ["=", 5]},
    {"numeric": [">", 0, "<=", 5.5]},
    {"exists": False},
]
"""What all of them know."""
MORE: dict[Rules, list[Any]] = {
    EVENTBRIDGE: [
        {"prefix": {"equals-ignore-case": "r"}},
        {"suffix": {"equals-ignore-case": "r"}},
        {"wildcard": "a*"},
        {"cidr": "10.0.0.0/24"},
        {"anything-but": {"prefix": "r"}},
        {"anything-but": {"suffix": "r"}},
        {"anything-but": {"suffix": ["r", "s"]}},
        {"anything-but": {"equals-ignore-case": "r"}},
        {"anything-but": {"wildcard": "*/lib/*"}},
    ],
    LAMBDA: [
        {"prefix": {"equals-ignore-case": "r"}},
        {"suffix": {"equals-ignore-case": "r"}},
    ],
    SNS: [
        {"cidr": "10.0.0.0/24"},
        {"anything-but": {"prefix": "r"}},
        {"anything-but": {"suffix": "r"}},
    ],
}
"""What some of them know."""
ALL = [one for each in MORE.values() for one in each]


@pytest.mark.parametrize("rules", MORE, ids=lambda rules: rules.service)
def test_each_service_has_its_own_operators(rules: Rules) -> None:
    for one in (*EVERY, *ALL):
        found = pattern_problem("filter", {"detail": {"state": [one]}}, rules)
        assert (found is None) == (one in EVERY or one in MORE[rules]), one
        if found:
            assert found[0].startswith("filter: detail.state has ")
            assert rules.service in found[1] or "a text" in found[1]


def test_what_is_allowed_can_be_made_an_example_of() -> None:
    for one in (*EVERY, *MORE[EVENTBRIDGE]):
        pattern = {"detail": {"state": [one]}}
        assert matches(pattern, matching(pattern)), one


@pytest.mark.parametrize(
    ("one", "problem", "allowed"),
    [
        ({"begins-with": "r"}, "the operator 'begins-with'", "EventBridge knows: prefix, suffix"),
        ({"perfix": "r"}, "'perfix'; did you mean 'prefix'?", "prefix"),
        ({"prefix": 5}, "prefix 5", "a text"),
        ({"suffix": ["r"]}, "suffix ['r']", "a text"),
        ({"wildcard": {"equals-ignore-case": "r"}}, "wildcard {", "a text"),
        ({"exists": "true"}, "exists 'true'", "true or false"),
        ({"cidr": "10.0.0.0/99"}, "cidr '10.0.0.0/99'", "a network"),
        ({"cidr": 5}, "cidr 5", "a network"),
        ({"numeric": ["=>", 5]}, "numeric ['=>', 5]", '[">", 0, "<=", 5]'),
        ({"numeric": [">", "5"]}, "numeric ['>', '5']", '[">", 0, "<=", 5]'),
        ({"numeric": [">", 5, "<", 5]}, "numeric ['>', 5, '<', 5]", '[">", 0, "<=", 5]'),
        ({"numeric": ["<", 5, ">", 0]}, "numeric ['<', 5, '>', 0]", '[">", 0, "<=", 5]'),
        ({"numeric": ">"}, "numeric '>'", '[">", 0, "<=", 5]'),
        ({"anything-but": {"numeric": [">", 0]}}, "anything-but {", '{"wildcard": "a"}'),
        ({"anything-but": {"prefix": 5}}, "anything-but {", '{"prefix": "a"}'),
        ({"anything-but": [None]}, "anything-but [None]", "a text, a number, or a list of these"),
        ({"anything-but": []}, "anything-but []", "a list of these"),
        ({"prefix": "a", "suffix": "b"}, "{'prefix': 'a', 'suffix': 'b'}", "one operator"),
        ({}, "detail.state has {}", "one operator"),
        (["r"], "detail.state has ['r']", "a value"),
    ],
)
def test_an_operator_takes_what_the_service_says(one: Any, problem: str, allowed: str) -> None:
    for pattern in (
        {"detail": {"state": ["ok", one]}},
        {"detail": {"$or": [{"kind": ["a"]}, {"state": [one]}]}},
    ):
        found = pattern_problem("pattern", pattern, EVENTBRIDGE)
        assert found is not None
        assert problem in found[0].replace("detail.$or[1].", "detail.")
        assert allowed in found[1]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ({"source": ["a", 1, True, None]}, None),
        ({"$or": [{"source": ["1"]}, {"detail": {"b": ["2"]}}]}, None),
        ({}, "pattern {}"),
        ("text", "pattern 'text'"),
        ({"source": "a"}, "source is 'a'"),
        ({"detail": {"state": "running"}}, "detail.state is 'running'"),
        ({"source": []}, "source is []"),
        ({"$or": [{"source": ["1"]}]}, "$or is no list of two"),
        ({"detail": {"$or": [{"a": ["1"]}, {"b": "2"}]}}, "detail.$or[1].b is '2'"),
        ({"detail": [timedelta()]}, "pattern {"),
        ({"detail": ["x" * 3000]}, "3,0"),
        ({"detailType": ["a"]}, "'detailType'; did you mean 'detail-type'?"),
        ({"$or": [{"source": ["a"]}, {"detial": {"a": ["1"]}}]}, "'$or[1].detial'; did you mean"),
    ],
)
def test_a_pattern_has_lists_at_its_leaves_and_keys_of_a_record(
    pattern: Any, problem: str | None
) -> None:
    found = pattern_problem("pattern", pattern, EVENTBRIDGE)
    assert (found is None) == (problem is None)
    assert problem is None or (found and problem in found[0])


def test_fields_are_those_of_all_alternatives() -> None:
    pattern = {"a": [1], "$or": [{"b": [2]}, {"$or": [{"c": [3]}, {"d": [4]}]}]}
    assert dict(fields(pattern)) == {"a": [1], "b": [2], "c": [3], "d": [4]}
