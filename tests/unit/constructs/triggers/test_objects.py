"""Objects of a bucket."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Bucket, OnObject
from tests.unit.constructs.triggers.conftest import Refused


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, []),
        ({"prefix": "in/"}, [{"prefix": "in/"}]),
        ({"suffix": ".csv"}, [{"suffix": ".csv"}]),
        ({"prefix": "a*b\\", "suffix": ".csv"}, [{"wildcard": "a\\*b\\\\*.csv"}]),
    ],
)
def test_keys_begin_and_end_so(app: App, options: dict[str, Any], keys: list[Any]) -> None:
    trigger = OnObject(Bucket(app, "files"), **options)
    assert trigger.keys() == keys
    assert trigger.label == "files"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"events": []}, "events []"),
        ({"events": "created"}, "events 'created'"),
        ({"events": ["changed"]}, "events ['changed']"),
        ({"prefix": 5}, "prefix 5"),
        ({"suffix": "x" * 1025}, "suffix 'xxx"),
    ],
)
def test_what_s3_does_not_tell_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnObject(Bucket(app, "files"), **options))


def test_it_listens_to_a_bucket(refused: Refused) -> None:
    assert "'files'" in refused(OnObject("files", name="x"))  # type: ignore[arg-type]
