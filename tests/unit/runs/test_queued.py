from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.runs.model import State
from devbridge.runs.queued import EXPIRED, WAITS, Queued, record

ONE = "aaaa1111-0000-4000-8000-000000000001"
TWO = "aaaa2222-0000-4000-8000-000000000002"


@pytest.fixture
def queued(tmp_path: Path) -> Queued:
    return Queued(tmp_path)


def test_nothing_waits_where_nothing_was_asked_for(queued: Queued) -> None:
    assert (list(queued.find()), queued.get(ONE), queued.is_cancelled(ONE)) == ([], None, False)
    queued.cancel(ONE)
    queued.forget(ONE)
    assert queued.get(ONE) is None


def test_a_run_is_found_by_the_beginning_of_its_id_until_it_is_forgotten(queued: Queued) -> None:
    for job_id in (ONE, TWO):
        queued.add(job_id, "factorial")
    assert [each.job_id for each in queued.find("aaaa")] == [TWO, ONE]
    assert [each.job_id for each in queued.find("aaaa1")] == [ONE]
    assert queued.get("aaaa1") is None
    found = queued.get(ONE)
    assert found is not None
    assert (found.job, found.state, found.log) == ("factorial", State.QUEUED, "")
    queued.forget(ONE)
    assert [each.job_id for each in queued.find()] == [TWO]


def test_a_note_that_the_disk_had_no_room_for_is_none(queued: Queued, tmp_path: Path) -> None:
    queued.add(ONE, "factorial")
    (tmp_path / "queued" / f"{ONE}.json").write_text("")
    assert (list(queued.find()), queued.get(ONE), queued.is_cancelled(ONE)) == ([], None, False)


def test_one_that_is_cancelled_is_known_as_such_to_the_next_daemon(
    queued: Queued, tmp_path: Path
) -> None:
    queued.add(ONE, "factorial")
    assert not queued.is_cancelled(ONE)
    queued.cancel(ONE)
    assert Queued(tmp_path).is_cancelled(ONE)
    found = queued.get(ONE)
    assert found is not None
    assert (found.state, found.cancelled, found.closed) == (State.CANCELLED, True, True)


def test_what_the_broker_has_given_up_has_failed() -> None:
    noted = {"job": "factorial", "at": 100.0}
    assert record(ONE, noted, 100.0 + WAITS).state is State.QUEUED
    late = record(ONE, noted, 101.0 + WAITS)
    assert (late.state, late.ended_at, late.failure) == (State.FAILED, 100.0 + WAITS, EXPIRED)


def test_what_ended_before_a_time_is_told_apart_from_what_waits(queued: Queued) -> None:
    for job_id in (ONE, TWO):
        queued.add(job_id, "factorial")
    queued.cancel(ONE)
    ended = queued.get(ONE)
    assert ended is not None
    assert ended.ended_at is not None
    assert list(queued.ended_before(ended.ended_at)) == []
    assert list(queued.ended_before(ended.ended_at + 1)) == [ONE]


def test_the_notes_are_closed_to_others_and_have_no_payload(queued: Queued, tmp_path: Path) -> None:
    queued.add(ONE, "factorial")
    (note,) = (tmp_path / "queued").iterdir()
    assert (note.parent.stat().st_mode & 0o777, note.stat().st_mode & 0o777) == (0o700, 0o600)
    assert set(json.loads(note.read_text())) == {"job", "at"}
