from __future__ import annotations

import pytest

from devbridge.emulator.inside.corrections.environments import (
    Process,
    log_group,
    log_stream,
    members,
    parsed,
)

ALL = [
    Process(1, 0, ""),
    Process(10, 1, "A=1\0OWN=x\0"),
    Process(11, 10, ""),
    Process(12, 1, "OWN=x\0"),
    Process(13, 12, "OWN=y\0"),
    Process(20, 1, "OWN=y\0"),
    Process(21, 20, ""),
]


@pytest.mark.parametrize(
    ("first", "found"),
    [(None, {10, 11, 12, 13}), (20, {10, 11, 12, 13, 20, 21}), (99, {10, 11, 12, 13})],
)
def test_an_environment_is_who_has_its_mark_and_who_descends(
    first: int | None, found: set[int]
) -> None:
    assert members(ALL, "OWN=x", first) == found


def test_what_ps_lists_is_understood() -> None:
    listing = (
        "    1     0 Ss   /sbin/launchd\n  300     1 S+   python x.py OWN=x A=b c\n  301 300 Z\n"
    )
    assert list(parsed(listing)) == [
        Process(1, 0, "/sbin/launchd"),
        Process(300, 1, "python x.py OWN=x A=b c"),
    ]


def test_a_stream_has_the_functions_name_where_the_group_is_shared() -> None:
    own = {"FunctionName": "f", "LoggingConfig": {"LogGroup": "/aws/lambda/f"}}
    assert (log_group(own), log_stream(own, "k", 0)) == (
        "/aws/lambda/f",
        "1970/01/01/[$LATEST]k",
    )
    shared = {"FunctionName": "f", "LoggingConfig": {"LogGroup": "/all"}, "Version": "3"}
    assert (log_group(shared), log_stream(shared, "k", 0)) == ("/all", "1970/01/01/f[3]k")
    assert log_group({"FunctionName": "f"}) == "/aws/lambda/f"
