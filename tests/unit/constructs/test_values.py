from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import botocore.session
import pytest

from devbridge.constructs import values


@pytest.mark.parametrize(("size", "mb"), [("3 GB", 3072), ("7GB", 7168), ("145 gb", 148480)])
def test_job_memory_sizes_are_those_of_codebuild(size: str, mb: int) -> None:
    assert values.job_memory(size, "x86_64") == mb


@pytest.mark.parametrize(
    ("size", "architecture"),
    [("4 GB", "x86_64"), ("7 GB", "arm64"), ("145 GB", "arm64"), (3, "x86_64"), ("", "x86_64")],
)
def test_other_job_memory_sizes_are_refused(size: object, architecture: str) -> None:
    assert values.job_memory(size, architecture) is None


@pytest.mark.parametrize(("size", "mb"), [("128 MB", 128), ("10 GB", 10240), ("512MB", 512)])
def test_function_memory_is_read(size: str, mb: int) -> None:
    assert values.function_memory(size) == mb


@pytest.mark.parametrize("size", ["64 MB", "11 GB", "1 TB", 512, None])
def test_function_memory_out_of_range_is_refused(size: object) -> None:
    assert values.function_memory(size) is None


@pytest.mark.parametrize(
    "key",
    ["POST /factorial", "GET /", "ANY /{proxy+}", "GET /a/{id}/b-c", "GET /{a}/{b+}", "$default"],
)
def test_routes_are_recognised(key: str) -> None:
    assert values.route(key)


@pytest.mark.parametrize(
    "key",
    [
        *("/x", "FETCH /x", "GET x", "GET /a//b", "GET  /a", "", None, 1),
        *("GET /{a}/{a}", "GET /{a}/b/{a+}", "GET /{a+}/b"),
    ],
)
def test_what_is_no_route_is_refused(key: object) -> None:
    assert not values.route(key)


@pytest.mark.parametrize("name", ["a", "factorial-demo", "a1-2b", "x" * 32])
def test_app_names_are_lower_case_words(name: str) -> None:
    assert values.APP_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "A", "1a", "a_b", "a--b", "-a", "a-", "x" * 33, "a\n", "ä"])
def test_other_app_names_are_refused(name: str) -> None:
    assert not values.APP_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "environment",
    [
        *({"1A": "x"}, {"A-B": "x"}, {"AWS_REGION": "x"}, {"DEVBRIDGE_X": ""}, {"A": 1}, {1: "a"}),
        {"A": "x{{resolve:ssm:y}}"},
        [],
    ],
)
def test_environments_that_are_not_allowed_are_named(environment: object) -> None:
    assert values.environment_problem(environment)


def test_an_environment_may_take_4096_bytes_and_no_more() -> None:
    assert values.environment_problem({"A": "x" * 4095}) is None
    assert values.environment_problem({"A": "x" * 4096})


def test_durations_that_aws_takes_in_seconds_are_whole() -> None:
    limits = values.VISIBILITY_TIMEOUT
    assert values.whole_seconds("1.5 minutes", limits) == timedelta(seconds=90)
    assert values.whole_seconds("1.5 seconds", limits) is None


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "arn:aws:iam::123456789012:policy/devs",
        "arn:aws:iam::aws:policy/PowerUserAccess",
        "arn:aws-cn:iam::123456789012:policy/a/b/c",
        "arn:aws-us-gov:iam::123456789012:policy/a+=,.@-_",
    ],
)
def test_boundaries_are_managed_policies(arn: object) -> None:
    assert values.boundary(arn)


@pytest.mark.parametrize(
    "arn", ["", "devs", "arn:aws:iam::1:policy/x", "arn:aws:iam::123456789012:role/x", 3]
)
def test_what_is_no_policy_is_no_boundary(arn: object) -> None:
    assert not values.boundary(arn)


def test_the_bounds_are_those_of_aws() -> None:
    session = botocore.session.get_session()

    def shape(service: str, name: str) -> dict[str, Any]:
        metadata: dict[str, Any] = session.get_service_model(service).shape_for(name).metadata
        return metadata

    assert shape("codebuild", "Subnets")["max"] == shape("lambda", "SubnetIds")["max"] == 16
    assert shape("codebuild", "SecurityGroupIds")["max"] == 5
    assert shape("lambda", "SecurityGroupIds")["max"] == 5
    assert (shape("codebuild", "KeyInput")["max"], shape("codebuild", "ValueInput")["max"]) == (
        127,
        255,
    )
    assert shape("apigatewayv2", "IntegerWithLengthBetween0And3600")["max"] == 3600
    assert shape("apigatewayv2", "IntegerWithLengthBetweenMinus1And86400")["max"] == 86400
    assert shape("dynamodb", "KeySchemaAttributeName")["max"] == 255
    days = session.get_service_model("logs").shape_for("Days").documentation
    listed = days.partition("Possible values are:")[2].partition("</p>")[0]
    assert tuple(map(int, re.findall(r"\d+", listed))) == values.LOG_DAYS
