from __future__ import annotations

from datetime import timedelta

import pytest

from devbridge.constructs import values


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("5 minutes", 5),
        ("1 hour", 60),
        ("1.5 hours", 90),
        ("36 hours", 2160),
        ("1 day", 1440),
        ("300 seconds", 5),
        (timedelta(hours=2), 120),
    ],
)
def test_durations_are_read(text: object, minutes: float) -> None:
    assert values.duration(text, values.JOB_TIMEOUT) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "value",
    ["4 minutes", "37 hours", "2 days", "1 fortnight", "hour", "", "-1 hours", 3600, None, True],
)
def test_durations_out_of_range_or_of_no_sense_are_refused(value: object) -> None:
    assert values.duration(value, values.JOB_TIMEOUT) is None


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
    "key", ["POST /factorial", "GET /", "ANY /{proxy+}", "GET /a/{id}/b-c", "$default"]
)
def test_routes_are_recognised(key: str) -> None:
    assert values.route(key)


@pytest.mark.parametrize("key", ["/x", "FETCH /x", "GET x", "GET /a//b", "GET  /a", "", None, 1])
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
    [{"1A": "x"}, {"A-B": "x"}, {"AWS_REGION": "x"}, {"DEVBRIDGE_X": ""}, {"A": 1}, {1: "a"}, []],
)
def test_environments_that_are_not_allowed_are_named(environment: object) -> None:
    assert values.environment_problem(environment)


def test_an_environment_may_take_4096_bytes_and_no_more() -> None:
    assert values.environment_problem({"A": "x" * 4095}) is None
    assert values.environment_problem({"A": "x" * 4096})
