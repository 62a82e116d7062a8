from __future__ import annotations

from dataclasses import replace

import pytest

from devbridge.runs.base import RunRecord
from devbridge.runs.model import Exit, State
from devbridge.runs.text import as_json, iso, run_time
from runner.outcome import Failure

QUEUED = RunRecord(job_id="id", job="factorial", state=State.QUEUED, created_at=1_700_000_000.0)
RUNNING = replace(QUEUED, state=State.RUNNING, started_at=1_700_000_001.0)
ENDED = replace(RUNNING, state=State.SUCCEEDED, ended_at=1_700_000_002.2345)


def test_times_are_iso_8601_in_utc() -> None:
    assert iso(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_a_run_takes_time_from_its_start_to_its_end_or_to_now() -> None:
    assert run_time(QUEUED, 1_700_000_009.0) is None
    assert run_time(RUNNING, 1_700_000_009.0) == 8
    assert run_time(ENDED, 1_700_000_009.0) == pytest.approx(1.2345)
    assert run_time(RUNNING, 1_600_000_000.0) == 0  # another machine's clock


def test_the_fields_for_programs_are_these_and_their_names_are_a_promise() -> None:
    record = replace(
        ENDED,
        attempt=2,
        max_attempts=3,
        exit=Exit(code=0),
        result=b'{"rows": 5}',
        log="/logs/id.log",
    )
    assert as_json(record) == {
        "id": "id",
        "job": "factorial",
        "state": "SUCCEEDED",
        "createdAt": "2023-11-14T22:13:20.000Z",
        "startAt": None,
        "startedAt": "2023-11-14T22:13:21.000Z",
        "endedAt": "2023-11-14T22:13:22.234Z",
        "duration": 1.234,
        "attempt": 2,
        "maxAttempts": 3,
        "exitCode": 0,
        "signal": None,
        "result": {"rows": 5},
        "error": None,
        "log": "/logs/id.log",
    }


def test_what_is_not_there_or_not_known_is_null() -> None:
    told = as_json(RunRecord(job_id="id", job="j", state=State.CANCELLED, attempt=0))
    known = {"id": "id", "job": "j", "state": "CANCELLED", "maxAttempts": 1}
    assert {name: value for name, value in told.items() if value is not None} == known
    assert as_json(RUNNING)["duration"] is None
    assert as_json(replace(QUEUED, ended_at=1.0))["duration"] is None


def test_a_run_that_waits_for_its_time_tells_it() -> None:
    waits = RunRecord(job_id="id", job="j", state=State.SCHEDULED, starts_at=1_700_000_000.0)
    assert as_json(waits)["startAt"] == "2023-11-14T22:13:20.000Z"


def test_an_error_has_a_type_and_a_message_and_a_signal_is_a_number() -> None:
    failure = Failure("KeyError", "'x'", ("frame",), ("trace",))
    told = as_json(replace(RUNNING, failure=failure, exit=Exit(signal=9)))
    assert told["error"] == {"type": "KeyError", "message": "'x'", "frames": ("frame",)}
    assert (told["exitCode"], told["signal"]) == (None, 9)


def test_a_result_of_null_is_a_result() -> None:
    assert as_json(replace(ENDED, result=b"null"))["result"] is None
    assert as_json(replace(ENDED, result=b"false"))["result"] is False
