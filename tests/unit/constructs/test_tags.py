from __future__ import annotations

import json

import botocore.loaders
import pytest

from devbridge.constructs.tags import tags_problem


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"Team": "data"},
        {"a" * 127: "b" * 255},
        {"a b.:/=+@-_1": "ä"},
        {"größe": "Jörg Müller çŁ東京 Ⅷ"},
        {"a": "\u3000\u00a0"},  # Z: separators
        {"k": ""},
        {f"k{n}": "" for n in range(40)},
    ],
)
def test_tags_are_those_of_aws(tags: object) -> None:
    assert tags_problem(tags) is None


@pytest.mark.parametrize(
    "tags",
    [
        [],
        None,
        {"": "x"},
        {"a" * 128: "x"},
        {"a": "b" * 256},
        {"a": 1},
        {1: "a"},
        {"a\n": "x"},
        {"a*": "x"},
        {"a": "fast \N{ROCKET}"},
        {"a": "हिन्दी"},  # M: marks that no letter is composed of
        {"aws:a": "x"},
        {"AWS:a": "x"},
        {f"k{n}": "" for n in range(41)},
    ],
)
def test_other_tags_are_refused(tags: object) -> None:
    assert tags_problem(tags)


def test_an_accent_of_its_own_is_named_with_what_to_write() -> None:
    problem = tags_problem({"owner": "Jo\u0308rg"})
    assert problem
    assert problem[0] == "with '\\u0308' (COMBINING DIAERESIS) in 'Jo\u0308rg'"
    assert problem[1].endswith("a letter and its accent as one character: 'J\u00f6rg'")


def test_a_character_without_a_name_is_told_by_its_number() -> None:
    problem = tags_problem({"a": "x\x00"})
    assert problem
    assert problem[0] == "with '\\x00' (a control character) in 'x\\x00'"


@pytest.mark.parametrize(
    ("service", "shape"),
    [
        ("iam", "tagValueType"),
        ("codebuild", "ValueInput"),
        ("lambda", "TagValue"),
        ("logs", "TagValue"),
        ("ssm", "TagValue"),
    ],
)
def test_the_services_take_the_same_characters(service: str, shape: str) -> None:
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    pattern = model["shapes"][shape]["pattern"]
    inner = pattern[pattern.index("[") + 1 : pattern.rindex("]")].replace("\\-", "")
    assert sorted(inner.replace("\\p{L}", "").replace("\\p{Z}", "").replace("\\p{N}", "")) == (
        sorted("_.:/=+@")
    ), json.dumps(pattern)
