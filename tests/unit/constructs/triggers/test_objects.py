"""Objects of a bucket."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Bucket, OnObject
from tests.unit.constructs.test_triggering import job, refusal


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, []),
        ({"prefix": "a/"}, [{"prefix": "a/"}]),
        ({"suffix": ".jpg"}, [{"suffix": ".jpg"}]),
        ({"prefix": "a*\\", "suffix": ".jpg"}, [{"wildcard": "a\\*\\\\*.jpg"}]),
    ],
)
def test_keys_are_matched_by_both_ends(app: App, options: Any, keys: Any) -> None:
    assert OnObject(Bucket(app, "files"), **options).keys() == keys


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"events": []}, "events []"),
        ({"events": "created"}, "events 'created'"),
        ({"events": ["moved"]}, "events ['moved']"),
        ({"prefix": None}, "prefix None"),
        ({"suffix": "x" * 2000}, "suffix"),
    ],
)
def test_what_s3_does_not_tell_is_refused(app: App, options: Any, said: str) -> None:
    assert said in refusal(app, OnObject(Bucket(app, "files"), **options))


def test_two_jobs_may_listen_to_one_bucket(app: App) -> None:
    files = Bucket(app, "files")
    assert job(app, OnObject(files, events=["created", "deleted"])).triggers
    assert job(app, OnObject(files), name="b").triggers
    assert "a Bucket" in refusal(app, OnObject(3, name="f"), name="c")  # type: ignore[arg-type]
