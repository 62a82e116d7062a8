from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Stream
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue


@pytest.fixture
def app(tmp_path: Path) -> App:
    with loading(tmp_path):
        return App("demo")


def test_a_stream_has_as_many_shards_as_it_needs_and_keeps_records_for_a_day(app: App) -> None:
    stream = Stream(app, "clicks")
    assert (stream.shards, stream.retention) == (None, timedelta(days=1))
    assert (stream.removal, stream.encryption_key) == (None, None)


@pytest.mark.parametrize("shards", [1, 10_000])
def test_it_may_have_a_number_of_shards(shards: int, app: App) -> None:
    assert Stream(app, "clicks", shards=shards).shards == shards


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("shards", value) for value in (0, -1, 10_001, 1.0, "1", True)),
        *(("retention", value) for value in ("23 hours", "366 days", "90001 seconds", "x", 24)),
        ("removal", "keep"),
        ("encryption_key", "alias/mine"),
        ("transform", 1),
    ],
)
def test_what_kinesis_has_not_is_refused(option: str, value: object, app: App) -> None:
    given: Any = {option: value}
    with pytest.raises(InvalidValue, match=option):
        Stream(app, "clicks", **given)
    assert app.constructs == []


@pytest.mark.parametrize("retention", ["24 hours", "25 hours", "365 days", timedelta(days=7)])
def test_records_are_kept_for_whole_hours_of_up_to_a_year(retention: Any, app: App) -> None:
    assert Stream(app, "clicks", retention=retention).retention >= timedelta(days=1)
