"""A small object that a pattern matches."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.messages.patterns import matches, matching, merge, plain


def takes(alternative: Any, value: Any) -> bool:  # noqa: PLR0911 - one for each operator
    """Whether one alternative of a pattern takes a value, as EventBridge says it."""
    if not isinstance(alternative, dict):
        return bool(alternative == value)
    ((operator, operand),) = alternative.items()
    match operator:
        case "prefix":
            return str(value).startswith(operand)
        case "suffix":
            return str(value).endswith(operand)
        case "equals-ignore-case":
            return str(value).lower() == str(operand).lower()
        case "wildcard":
            return fnmatchcase(str(value), str(operand))
        case "exists":
            return bool(operand)
        case "numeric":
            tests = {
                "<": lambda one, two: one < two,
                "<=": lambda one, two: one <= two,
                ">": lambda one, two: one > two,
                ">=": lambda one, two: one >= two,
                "=": lambda one, two: one == two,
            }
            pairs = zip(operand[::2], operand[1::2], strict=True)
            return all(bool(tests[sign](value, bound)) for sign, bound in pairs)
        case "anything-but":
            if isinstance(operand, dict):
                ((inner, texts),) = operand.items()
                texts = texts if isinstance(texts, list) else [texts]
                return not any(takes({inner: text}, value) for text in texts)
            return bool(value not in (operand if isinstance(operand, list) else [operand]))
    raise AssertionError(operator)


@pytest.mark.parametrize(
    "alternative",
    [
        "shop",
        5,
        None,
        True,
        {"prefix": "order-"},
        {"suffix": ".jpg"},
        {"equals-ignore-case": "Paid"},
        {"wildcard": "in/*.txt"},
        {"exists": True},
        {"numeric": ["=", 5]},
        {"numeric": ["=", 2.5]},
        {"numeric": [">", 5]},
        {"numeric": [">=", 5]},
        {"numeric": ["<", 5]},
        {"numeric": ["<=", 5]},
        {"numeric": [">", 0, "<", 1]},
        {"numeric": [">", 0, "<=", 1]},
        {"anything-but": "text"},
        {"anything-but": ["text", "other", "another"]},
        {"anything-but": [1, 2]},
        {"anything-but": {"prefix": "te"}},
        {"anything-but": {"suffix": ["t", "r"]}},
        {"anything-but": {"equals-ignore-case": ["TEXT"]}},
    ],
    ids=str,
)
def test_what_is_made_is_taken(alternative: Any) -> None:
    (value,) = matching({"key": [alternative]}).values()
    assert takes(alternative, value)


TEXTS = st.text("abteOXhr01~.*\\", min_size=1, max_size=8)
WILDCARDS = st.text("aterox.", min_size=1, max_size=5).flatmap(
    lambda text: st.sampled_from([f"*{text}*", f"{text}*", f"*{text}", text, rf"{text}\\*{text}"])
)
SCALARS = TEXTS | st.integers(-9, 9) | st.booleans() | st.none()
NUMBERS = st.lists(st.integers(-9, 9), min_size=2, max_size=2, unique=True).map(sorted)
RANGES = st.tuples(NUMBERS, st.sampled_from([">", ">="]), st.sampled_from(["<", "<="])).map(
    lambda each: [each[1], each[0][0], each[2], each[0][1]]
)
COMPARED = st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), st.integers(-9, 9)).map(list)


def some(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return texts | st.lists(texts, min_size=1, max_size=4)


LIKE = st.one_of(
    [
        st.fixed_dictionaries({key: some(TEXTS)})
        for key in ("prefix", "suffix", "equals-ignore-case")
    ]
    + [st.fixed_dictionaries({"wildcard": some(WILDCARDS)})]
)
RULES = st.one_of(
    SCALARS,
    *(
        st.fixed_dictionaries({key: TEXTS | st.fixed_dictionaries({"equals-ignore-case": TEXTS})})
        for key in ("prefix", "suffix")
    ),
    st.fixed_dictionaries({"equals-ignore-case": TEXTS}),
    st.fixed_dictionaries({"wildcard": WILDCARDS}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"numeric": RANGES | COMPARED}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/24", "10.1.2.3/32", "::1/64"])}),
    st.fixed_dictionaries(
        {"anything-but": LIKE | some(TEXTS) | st.lists(st.integers(-9, 9), min_size=1)}
    ),
)
PATTERNS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.lists(RULES, min_size=1, max_size=3), min_size=1),
    lambda inner: (
        st.dictionaries(st.sampled_from("def"), inner, min_size=1)
        | st.lists(inner, min_size=1, max_size=2).map(lambda some: {"$or": some})
    ),
    max_leaves=4,
)


@given(PATTERNS)
def test_whatever_the_pattern_what_is_made_is_matched(pattern: dict[str, Any]) -> None:
    assert matches(pattern, matching(pattern))


def test_prefixes_of_other_shapes_and_addresses_are_made() -> None:
    assert matching({"a": [{"prefix": {"equals-ignore-case": "In/"}}]}) == {"a": "In/"}
    assert matching({"a": [{"cidr": "10.0.0.0/24"}]}) == {"a": "10.0.0.0"}
    assert matching({"a": [{"wildcard": r"a\*b*"}]}) == {"a": "a*btext"}
    assert matching({"a": [{"of-tomorrow": 1}]}) == {"a": "text"}
    assert matching({"a": "no list", "b": []}) == {"a": "text", "b": "text"}


def test_objects_are_made_inside_and_of_alternatives_the_first() -> None:
    pattern = {
        "source": ["shop", "store"],
        "detail": {"state": ["paid"], "gone": [{"exists": False}], "$or": [{"a": [1]}, {"b": [2]}]},
    }
    assert matching(pattern) == {"source": "shop", "detail": {"state": "paid", "a": 1}}


def test_what_must_not_be_there_is_not_made() -> None:
    gone = {"a": [{"exists": False}], "b": [{"exists": False}, "x"], "c": {"d": [1]}}
    assert matching(gone) == {"b": "x", "c": {"d": 1}}


def test_what_is_merged_keeps_what_is_beside_it() -> None:
    assert merge({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": {"e": 4}}) == {
        "a": {"b": 1, "d": 3},
        "c": {"e": 4},
    }


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (5, 5, "5"),
        (True, True, 1),
        (None, None, 0),
        ({"prefix": "a"}, "ab", "b"),
        ({"suffix": ".jpg"}, "a.jpg", "a.png"),
        ({"prefix": {"equals-ignore-case": "A"}}, "ab", "b"),
        ({"equals-ignore-case": "Ab"}, "aB", "b"),
        ({"wildcard": "a*c\\*"}, "abbc*", "abbc"),
        ({"anything-but": ["a", {"prefix": "b"}]}, "c", "bb"),
        ({"anything-but": {"prefix": ["a", "b"]}}, "c", "ba"),
        ({"anything-but": {"suffix": ["a", "b"]}}, "c", "ab"),
        ({"anything-but": {"equals-ignore-case": ["Text"]}}, "texts", "tEXT"),
        ({"anything-but": {"wildcard": ["*t*", "x"]}}, "a", "x"),
        ({"numeric": [">", 5, "<=", 7]}, 7, 5),
        ({"cidr": "10.0.0.0/24"}, "10.0.0.9", "10.0.1.9"),
        ({"cidr": "10.0.0.0/24"}, "10.0.0.9", "elsewhere"),
        ({"unheard-of": 1}, None, "x"),
    ],
)
def test_a_pattern_matches_what_its_rules_take(rule: Any, good: Any, bad: Any) -> None:
    if rule != {"unheard-of": 1}:
        assert matches({"a": {"b": [rule, "or this"]}}, {"a": {"b": good}, "more": 1})
    assert not matches({"a": {"b": [rule]}}, {"a": {"b": bad}})
    assert not matches({"a": {"b": [rule]}}, {"a": "no object"})


def test_what_there_is_none_of_is_told_apart_from_null() -> None:
    assert matches({"a": [{"exists": False}]}, {})
    assert not matches({"a": [{"exists": False}]}, {"a": None})
    assert matches({"a": [{"exists": True}]}, {"a": None})
    assert not matches({"a": [{"anything-but": "x"}]}, {})


def test_of_alternatives_one_matches_and_of_a_list_one_value() -> None:
    pattern = {"$or": [{"a": [1]}, {"b": [2]}]}
    assert matches(pattern, {"b": 2})
    assert not matches(pattern, {"a": 2})
    assert matches({"a": [2]}, {"a": [1, 2]})


def test_a_row_of_dynamodb_is_plain() -> None:
    row = {"s": {"S": "x"}, "n": {"N": "5"}, "d": {"N": "1.5"}, "no": {"NULL": True}}
    inner = {"m": {"M": {"l": {"L": [{"BOOL": True}]}}}}
    assert plain({**row, **inner}) == {"s": "x", "n": 5, "d": 1.5, "no": None, "m": {"l": [True]}}
