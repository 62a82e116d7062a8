from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Bucket, Table
from devbridge.errors import InvalidValue


def test_a_table_has_its_keys(app: App) -> None:
    table = Table(app, "t", partition_key="id", sort_key="at", removal="retain")
    assert (table.partition_key, table.sort_key, table.removal) == ("id", "at", "retain")
    assert Table(app, "u", partition_key="x" * 255).removal is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"partition_key": ""},
        {"partition_key": 3},
        {"partition_key": "x" * 256},
        {"partition_key": "ä" * 128},
        {"partition_key": "a", "sort_key": "a"},
        {"partition_key": "a", "sort_key": ""},
        {"partition_key": "a", "removal": "keep"},
        {"partition_key": "a", "stream": "NEW_IMAGE"},
        {"partition_key": "a", "stream": True},
    ],
)
def test_table_options_that_are_not_allowed_are_refused(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="Table 't'"):
        Table(app, "t", **wrong)


def test_a_table_has_no_stream_unless_something_reads_it(app: App) -> None:
    table = Table(app, "t", partition_key="id")
    with pytest.raises(InvalidValue, match="stream None is not allowed"):
        _ = table.stream_arn
    table.want_stream()
    assert table.stream == "new_and_old_images"
    assert table.stream_arn.what == "stream_arn"
    told = Table(app, "u", partition_key="id", stream="keys_only")
    told.want_stream()
    assert told.stream == "keys_only"


def test_a_bucket_is_not_versioned_unless_told(app: App) -> None:
    assert not Bucket(app, "a").versioned
    bucket = Bucket(app, "b", versioned=True, removal="delete")
    assert (bucket.versioned, bucket.removal) == (True, "delete")


@pytest.mark.parametrize("wrong", [{"versioned": 1}, {"versioned": None}, {"removal": True}])
def test_bucket_options_that_are_not_allowed_are_refused(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=f"Bucket 'b': {next(iter(wrong))}"):
        Bucket(app, "b", **wrong)


def test_a_table_that_is_to_be_deleted_cannot_be_protected(app: App) -> None:
    with pytest.raises(InvalidValue, match="not with removal='delete'"):
        Table(app, "x", partition_key="id", removal="delete", deletion_protection=True)


@pytest.mark.parametrize("name", ["point_in_time_recovery", "deletion_protection"])
def test_a_tables_flags_are_true_or_false(app: App, name: str) -> None:
    with pytest.raises(InvalidValue, match=f"{name} 1 is not allowed"):
        Table(app, "x", partition_key="id", **{name: 1})  # type: ignore[arg-type]
