"""What is common to records of streams."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, OnTable, Table
from devbridge.constructs.triggers.streaming import RETRIES
from tests.unit.constructs.triggers.conftest import Refused


@pytest.mark.parametrize(("given", "retries"), [(None, RETRIES), (0, 0), (10_000, 10_000)])
def test_no_record_stops_its_shard_for_ever(app: App, given: int | None, retries: int) -> None:
    trigger = OnTable(Table(app, "notes", partition_key="id"), retries=given)
    assert trigger.stream_problem() is None
    assert trigger.most_retries == retries


def test_so_many_records_come_as_an_invoker_can_start(app: App) -> None:
    trigger = OnTable(Table(app, "notes", partition_key="id"))
    assert (trigger.at_once, trigger.starting, trigger.criteria()) == (10, "latest", None)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"starting": "now"}, "starting 'now'"),
        ({"retries": -1}, "retries -1"),
        ({"retries": 10_001}, "retries 10001"),
        ({"retries": True}, "retries True"),
        ({"filter": {"eventName": "INSERT"}}, "filter: eventName is 'INSERT'"),
        ({"batch_size": 10_001}, "batch_size 10001"),
    ],
)
def test_what_lambda_does_not_have_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnTable(Table(app, "notes", partition_key="id"), **options))
