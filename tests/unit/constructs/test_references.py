from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from devbridge.constructs import App, Bucket, Reference, Table
from devbridge.errors import InvalidValue


@pytest.mark.parametrize(
    "as_text", [str, "{}/x".format, lambda ref: f"{ref}/*", lambda ref: f"{ref!s}"]
)
def test_a_reference_is_no_text_and_says_what_to_write(
    app: App, as_text: Callable[[object], str]
) -> None:
    notes = Table(app, "notes", partition_key="id")
    with pytest.raises(InvalidValue) as caught:
        as_text(notes.arn)
    error = caught.value
    assert error.what == "Table('notes').arn is no text: what it is, is known when it is deployed"
    assert str(error.where).startswith("test_references.py:")
    assert "with '+', not in an f-string: arn + '/*'" in str(error.remedy)


def test_the_line_that_made_a_text_of_it_is_named(app: App) -> None:
    bucket = Bucket(app, "files")
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue) as caught:
        f"{bucket.arn}/*"
    assert caught.value.where == f"test_references.py:{line}"


def test_texts_are_added_before_and_behind_it(app: App) -> None:
    bucket = Bucket(app, "files")
    both = "s3://" + bucket.bucket_name + "/a" + "/b"
    assert both == Reference(bucket, "bucket_name", before="s3://", after="/a/b")
    assert repr(both) == "'s3://' + Bucket('files').bucket_name + '/a/b'"
    assert repr(bucket.arn) == "Bucket('files').arn"
    with pytest.raises(TypeError):
        bucket.arn + 1
    with pytest.raises(TypeError):
        1 + bucket.arn


def test_it_leaks_into_no_json(app: App) -> None:
    with pytest.raises(TypeError):
        json.dumps(Bucket(app, "files").arn)


def test_the_same_of_the_same_is_equal(app: App) -> None:
    one, other = Bucket(app, "one"), Bucket(app, "other")
    assert one.arn == one.arn
    assert len({one.arn, one.arn, other.arn, one.bucket_name}) == 3
