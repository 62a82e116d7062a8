from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.errors import NotFound
from devbridge.runs.base import RunRecord, Wanted
from devbridge.runs.model import State
from devbridge.runs.searching import fits
from runner.outcome import Failure
from runner.triggered import Triggered

ORDER = Triggered("queue", "orders", b'{"Num":5}', b"{}", delivery=2).text()


def run(payload: bytes | None = ORDER, **more: Any) -> Any:
    def given() -> bytes:
        if payload is None:
            raise NotFound("it is not kept")
        return payload

    record = RunRecord(
        job_id="demo:3f2a",
        job="a",
        state=State.FAILED,
        created_at=1000.0,
        given=payload or b"",
        failure=Failure("KeyError", "'Ü'"),
        **more,
    )
    return SimpleNamespace(record=record, payload=given)


@pytest.mark.parametrize(
    ("wanted", "fitting"),
    [
        ({}, True),
        ({"job": "a"}, True),
        ({"job": "b"}, False),
        ({"states": (State.FAILED, State.RUNNING)}, True),
        ({"states": (State.RUNNING,)}, False),
        ({"since": 1000.0}, True),
        ({"since": 1000.5}, False),
        ({"until": 1000.0}, False),
        ({"until": 1000.5}, True),
        ({"trigger": "queue orders"}, True),
        ({"trigger": "queue order"}, False),
        ({"trigger": "topic orders"}, False),
        ({"text": '"num":5'}, True),
        ({"text": "keyerror"}, True),
        ({"text": "'Ü'"}, True),
        ({"text": "3F2A"}, True),
        ({"text": "none"}, False),
    ],
    ids=str,
)
def test_a_run_fits_as_the_ledgers_sql_would_have_it(wanted: dict[str, Any], fitting: bool) -> None:
    assert fits(run(), Wanted(**wanted)) is fitting


def test_a_payload_that_is_not_kept_has_no_text() -> None:
    assert not fits(run(None), Wanted(text="num"))
    assert fits(run(None), Wanted(text="KeyError"))
