from __future__ import annotations

import json
from typing import Any, get_args

import fastjsonschema
import msgspec
import pytest

from devbridge.cli.tools import arguments
from devbridge.cli.tools.arguments import StateName, schema
from devbridge.cli.tools.toolbox import TOOLS
from devbridge.runs.model import State

EVERY = [tool.takes for tool in TOOLS.values()]


@pytest.mark.parametrize("takes", EVERY)
def test_each_schema_is_one_object_that_describes_all_it_takes(
    takes: type[arguments.Arguments],
) -> None:
    found = schema(takes)
    assert (found["type"], found["additionalProperties"]) == ("object", False)
    assert "$ref" not in json.dumps(found)
    assert all(each["description"] for each in found["properties"].values())
    fastjsonschema.compile(found)


def test_every_state_can_be_asked_for() -> None:
    assert get_args(StateName) == tuple(State)


def test_what_the_schema_allows_is_taken_and_what_it_forbids_is_not() -> None:
    allows = fastjsonschema.compile(schema(arguments.Invoke))
    cases: list[tuple[dict[str, Any], bool]] = [
        ({"job": "a"}, True),
        ({"job": "a", "payload": "5", "wait": True, "timeout_seconds": 0}, True),
        ({}, False),
        ({"job": 5}, False),
        ({"job": "a", "timeout_seconds": 3601}, False),
        ({"job": "a", "Payload": "5"}, False),
    ]
    for given, allowed in cases:
        for check in (allows, lambda given: msgspec.convert(given, arguments.Invoke)):
            try:
                check(given)
            except (fastjsonschema.JsonSchemaException, msgspec.ValidationError):
                assert not allowed, given
            else:
                assert allowed, given


def test_a_client_that_says_all_as_text_or_fills_in_null_is_understood() -> None:
    given = {"run": "3f2a", "job": None, "payload": None, "wait": "true", "timeout_seconds": "5"}
    found = msgspec.convert(given, arguments.Rerun, strict=False)
    assert (found.payload, found.wait, found.timeout_seconds) == (None, True, 5.0)
