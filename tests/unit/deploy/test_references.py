from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.deploy.references import arn, arn_of, attribute, dump, ref, references, sub


def test_references_are_cloudformations() -> None:
    assert ref("A").to_dict() == {"Ref": "A"}
    assert attribute("A", "ApiEndpoint").to_dict() == {"Fn::GetAtt": ["A", "ApiEndpoint"]}
    assert arn_of("A").to_dict() == {"Fn::GetAtt": ["A", "Arn"]}
    assert sub("${A}/x").to_dict() == {"Fn::Sub": "${A}/x"}


@pytest.mark.parametrize(
    ("service", "resource", "text"),
    [
        ("sqs", "work", "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:work"),
        ("s3", "bucket/*", "arn:${AWS::Partition}:s3:::bucket/*"),  # has no region, no account
    ],
)
def test_an_arn_is_of_this_account_and_region(service: str, resource: str, text: str) -> None:
    assert arn(service, resource).to_dict() == {"Fn::Sub": text}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "A"}, ["A"]),
        ({"Fn::GetAtt": ["A", "Arn"]}, ["A"]),
        ({"Fn::GetAtt": "A.Outputs.B"}, ["A"]),
        ({"Fn::Sub": "${A}:${B.Arn}:${AWS::Region}"}, ["A", "B", "AWS::Region"]),
        ({"Fn::Sub": "nothing"}, []),
        ({"Fn::Join": ["", ["a", {"Ref": "A"}, [{"Ref": "B"}]]]}, ["A", "B"]),
        ({"Properties": {"X": {"Ref": "A"}, "Y": 1}}, ["A"]),
        ("A", []),
        (None, []),
    ],
    ids=str,
)
def test_what_a_property_refers_to_is_found(value: Any, found: list[str]) -> None:
    assert [*references(value)] == found


def test_the_same_value_is_the_same_text() -> None:
    assert dump({"b": 1, "a": [1, 2]}) == dump({"a": [1, 2], "b": 1}) == '{"a":[1,2],"b":1}'
    assert json.loads(dump({"a": None})) == {"a": None}
