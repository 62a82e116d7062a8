from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.runs.base import Step
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import State

from .ledgers import a_run, add, ids, record
from .worlds import KEPT, LIVE


def test_nothing_is_known_of_a_run_that_was_never_entered(ledger: Ledger) -> None:
    assert ledger.get("r1") is None
    assert ledger.payload("r1") == b""
    assert ledger.history("r1") == []


def test_the_live_runs_of_one_burst_come_back_in_the_order_they_were_asked_for(
    ledger: Ledger,
) -> None:
    burst = ["zz", "aa", "mm", "bb"]
    add(ledger, *(a_run(job_id) for job_id in burst))
    assert [entry.job_id for entry in ledger.live()] == burst
    assert ids(ledger) == burst[::-1]


def test_only_runs_that_have_not_ended_are_live(ledger: Ledger) -> None:
    for state in KEPT:
        add(ledger, a_run(state.value))
        record(ledger, Change(job_id=state.value, state=state, at=1.0))
    assert {entry.state for entry in ledger.live()} == set(LIVE)


def test_recent_runs_can_be_narrowed_down(ledger: Ledger) -> None:
    add(ledger, a_run("r1", at=1.0), a_run("r2", "other", at=2.0), a_run("r3", at=3.0))
    record(ledger, Change(job_id="r3", state=State.RUNNING, at=4.0))
    assert ids(ledger) == ["r3", "r2", "r1"]
    assert [e.job_id for e in ledger.recent(limit=1)] == ["r3"]
    assert [e.job_id for e in ledger.recent(job="factorial")] == ["r3", "r1"]
    assert [e.job_id for e in ledger.recent(job="factorial", state=State.QUEUED)] == ["r1"]


def test_a_run_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    add(ledger, a_run("abc1"), a_run("abd2"), a_run("a%3"))
    assert [e.job_id for e in ledger.find("abc")] == ["abc1"]
    assert {e.job_id for e in ledger.find("ab")} == {"abc1", "abd2"}
    assert [e.job_id for e in ledger.find("a%")] == ["a%3"]
    assert ledger.find("a_") == []


def test_a_run_that_waits_for_its_next_attempt_is_running(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(ledger, Change(job_id="r1", state=State.RUNNING, at=100.0))
    again = Change(job_id="r1", state=State.QUEUED, at=101.0, attempt=2, detail="again")
    record(ledger, again)

    (entry,) = ledger.recent(state=State.RUNNING)
    assert (entry.state, entry.attempt, entry.started_at) == (State.RUNNING, 2, 100.0)
    assert entry.waits_for_attempt
    assert ledger.recent(state=State.QUEUED) == []
    assert ledger.history("r1")[-1] == Step(101.0, State.RUNNING, 2, "again")
    assert ledger.live() == [entry]

    record(ledger, Change(job_id="r1", state=State.RUNNING, at=102.0, attempt=2))
    assert not ledger.live()[0].waits_for_attempt


@pytest.mark.parametrize("folder", ["plain", "with space", "with#hash", "100%25", "what?"])
def test_a_reader_sees_each_commit_of_the_daemon_whatever_the_folder_is_called(
    tmp_path: Path, folder: str
) -> None:
    path = tmp_path / folder / "ledger.sqlite"
    path.parent.mkdir()
    with Ledger.open(path) as writer, LedgerReader.open(path) as reader:
        assert ids(reader) == []
        add(writer, a_run())
        assert ids(reader) == ["r1"]
    with LedgerReader.open(path) as reader:
        assert ids(reader) == ["r1"]


def test_a_reader_is_not_kept_waiting_by_an_open_transaction(path: Path) -> None:
    with Ledger.open(path) as writer, LedgerReader.open(path) as reader:
        with writer.transaction():
            writer.add(a_run())
            assert ids(reader) == []
        assert ids(reader) == ["r1"]


def test_reading_a_closed_ledger_is_an_error_of_ours(path: Path) -> None:
    ledger = Ledger.open(path)
    ledger.close()
    for read in (ledger.live, lambda: ledger.payload("r1"), lambda: ledger.history("r1")):
        with pytest.raises(LedgerError, match="cannot be read"):
            read()


def test_the_runs_that_ended_before_come_with_their_logs_the_oldest_first(ledger: Ledger) -> None:
    for job_id, at in (("late", 30.0), ("early", 10.0), ("middle", 20.0), ("live", 0.0)):
        add(ledger, a_run(job_id, at=at))
        state = State.RUNNING if job_id == "live" else State.FAILED
        record(ledger, Change(job_id=job_id, state=state, at=at))
    assert ledger.ended_before(30.0) == [("early", "/logs/early"), ("middle", "/logs/middle")]
    assert ledger.ended_before(30.0, limit=1) == [("early", "/logs/early")]


def test_the_size_of_the_file_is_told_and_what_of_it_holds_nothing(
    ledger: Ledger, path: Path
) -> None:
    unused, all_ = ledger.free()
    assert (unused, all_ % 4096) == (0, 0)
    assert all_ >= 4096 * 5  # a page for each table and index
    add(ledger, a_run("large"))
    ledger._db.execute("UPDATE runs SET payload=zeroblob(1000000)")
    grown = ledger.free()[1]
    ledger._db.execute("UPDATE runs SET payload=x''")
    assert 1_000_000 < grown == ledger.free()[1]
    assert 990_000 < ledger.free()[0] <= 1_010_000


def test_no_more_runs_are_found_than_can_be_shown_and_the_newest_of_them(ledger: Ledger) -> None:
    add(ledger, *(a_run(f"a{number}", at=float(number)) for number in range(25)))
    assert [found.job_id for found in ledger.find("a")] == [f"a{24 - n}" for n in range(20)]


def test_a_payload_is_there_as_it_came(ledger: Ledger) -> None:
    add(ledger, a_run())
    assert ledger.payload("r1") == b'{"num": 5}'
    assert ledger.payload("gone") == b""
