"""Rows of a table."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Job, OnTable, Table
from devbridge.errors import InvalidValue
from tests.unit.constructs.triggers.conftest import Refused

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/notes"


def test_the_table_has_a_stream_then(app: App) -> None:
    notes, old = (
        Table(app, "notes", partition_key="id"),
        Table(app, "old", partition_key="id", stream="old_image"),
    )
    Job(app, "see", handler="jobs/a.handler", triggers=[OnTable(notes), OnTable(old)])
    assert (notes.stream, old.stream) == ("new_and_old_images", "old_image")


@pytest.mark.parametrize(
    ("where", "filter", "criteria"),
    [
        (["INSERT", "MODIFY", "REMOVE"], None, None),
        (["REMOVE", "INSERT"], None, '{"eventName": ["INSERT", "REMOVE"]}'),
        (["INSERT"], {"a": ["b"]}, '{"a": ["b"], "eventName": ["INSERT"]}'),
        (["INSERT", "MODIFY", "REMOVE"], {"a": ["b"]}, '{"a": ["b"]}'),
    ],
)
def test_what_happens_to_a_row_is_a_part_of_the_filter(
    app: App, where: list[str], filter: Any, criteria: str | None
) -> None:
    trigger = OnTable(Table(app, "notes", partition_key="id"), where, filter=filter)
    assert trigger.criteria() == criteria


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"where": []}, "where []"),
        ({"where": "INSERT"}, "where 'INSERT'"),
        ({"where": ["insert"]}, "where ['insert']"),
        ({"filter": {"eventName": ["INSERT"]}}, "where=[...] for it"),
        ({"filter": {"NewImage": {"a": {"S": ["b"]}}}}, "filter: 'NewImage'"),
    ],
)
def test_what_does_not_happen_to_a_row_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnTable(Table(app, "notes", partition_key="id"), **options))


def test_a_job_that_writes_the_rows_would_start_itself(app: App) -> None:
    notes = Table(app, "notes", partition_key="id")
    with pytest.raises(InvalidValue, match=r"with bind=.Table 'notes'."):
        Job(app, "see", handler="jobs/a.handler", bind=[notes], triggers=[OnTable(notes)])


def test_the_stream_of_a_table_that_exists_is_named(app: App, refused: Refused) -> None:
    with pytest.raises(InvalidValue, match="stream_arn None"):
        Job(
            app,
            "see",
            handler="jobs/a.handler",
            triggers=[OnTable(Table.existing(app, "notes", arn=ARN))],
        )


def test_it_listens_to_a_table(refused: Refused) -> None:
    assert "'notes'" in refused(OnTable("notes", name="x"))  # type: ignore[arg-type]
