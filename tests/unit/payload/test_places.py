from __future__ import annotations

from typing import Any

import pytest

from devbridge.payload.places import by_location, by_path, written

PETS = {
    "pets": {"rex": {"name": "Rex"}, "tom": {"name": 1}, "kit": {"name": 2}},
    "of": [[{"a": 1}]],
}


def test_a_path_is_written_with_its_keys_and_indices() -> None:
    assert written([]) == "$"
    assert written(["pets", 0, "name"]) == "$.pets[0].name"


def is_wrong(value: Any) -> bool:
    """As msgspec has it: the first one that is wrong is told."""
    return any(not isinstance(pet["name"], str) for pet in value["pets"].values())


@pytest.mark.parametrize(
    ("path", "exact"),
    [
        ("$", "$"),
        ("$.pets[...].name", "$.pets.tom.name"),
        ("$.pets[...]", "$.pets.tom"),
        ("$.of[0][0][...]", "$.of[0][0].a"),
        ("$.of[7].a", "$.of[7].a"),
        ("$.nothing[...]", "$.nothing[...]"),
    ],
)
def test_any_key_is_the_first_one_that_fails(path: str, exact: str) -> None:
    assert by_path(PETS, path, is_wrong) == exact


def test_keys_with_dots_are_found() -> None:
    assert by_path({"a.b": {"c": 1}, "a": 2}, "$.a.b.c", lambda _: True) == "$.a.b.c"


def test_a_problem_of_all_keys_together_is_at_none_of_them() -> None:
    value = {"a": 1, "b": 2, "c": 3}
    assert by_path(value, "$[...]", lambda value: len(value) == 3) == "$[...]"


def test_many_keys_are_few_questions() -> None:
    asked = []

    def fails(value: dict[str, int]) -> bool:
        asked.append(value)
        return 777 in value.values()

    assert by_path({str(n): n for n in range(10_000)}, "$[...]", fails) == "$.777"
    assert len(asked) < 20


@pytest.mark.parametrize(
    ("value", "location", "given", "missing", "path"),
    [
        ({"pet": {"name": 1}}, ("pet", "name"), 1, False, "$.pet.name"),
        ({"pet": {"name": 1}}, ("pet", "Dog", "name"), 1, False, "$.pet.name"),
        ({"pet": {}}, ("pet", "Dog", "name"), {}, True, "$.pet.name"),
        ({"pet": {}}, ("pet", "name"), {}, True, "$.pet.name"),
        ([{"text": "x", "size": "y"}], (0, "text", "size"), "y", False, "$[0].size"),
        ([{"text": 1}], (0, "text", "text"), 1, False, "$[0].text"),
        ({"x": 1}, ("x", "[key]"), "x", False, "$.x"),
        (5, ("int",), 5, False, "$"),
    ],
)
def test_what_is_not_in_the_payload_is_not_in_its_path(
    value: Any, location: Any, given: Any, missing: bool, path: str
) -> None:
    assert by_location(value, location, given, missing=missing) == path


def test_a_deep_location_is_found_at_once() -> None:
    value: Any = {"child": "x"}
    for _ in range(100):
        value = {"child": value}
    assert by_location(value, ["child"] * 101, "elsewhere", missing=False).count("child") == 101
