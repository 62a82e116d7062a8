from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon.events import STOPPED
from devbridge.runs.base import Step
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import Exit, State
from runner.outcome import Failure
from runner.triggered import Triggered

from .ledgers import a_run, add, ids, record
from .worlds import KEPT, LIVE


def ended(ledger: Ledger, job_id: str, at: float, state: State = State.SUCCEEDED) -> None:
    add(ledger, a_run(job_id, at=at - 10))
    record(ledger, Change(job_id=job_id, state=state, at=at, result=b"1"))


def test_a_run_is_entered_as_queued(ledger: Ledger) -> None:
    assert add(ledger, a_run()) == [True]
    entry = ledger.get("r1")
    assert entry is not None
    assert (entry.job, entry.state, entry.created_at) == ("factorial", State.QUEUED, 100.0)
    assert (entry.started_at, entry.ended_at, entry.exit) == (None, None, None)
    assert (entry.result, entry.failure) == (None, None)
    assert not entry.closed
    assert ledger.payload("r1") == b'{"num": 5}'


def test_a_run_that_is_there_already_is_left_as_it_is(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(ledger, Change(job_id="r1", state=State.RUNNING, at=101.0))
    assert add(ledger, replace(a_run(at=500.0), payload=b"other")) == [False]
    entry = ledger.get("r1")
    assert entry is not None
    assert (entry.state, entry.created_at) == (State.RUNNING, 100.0)
    assert ledger.payload("r1") == b'{"num": 5}'


@pytest.mark.parametrize("payload", [b"", b"null", b"0", b"\xff\x00\n", b"x" * 6_000_000])
def test_a_payload_comes_back_byte_for_byte(ledger: Ledger, payload: bytes) -> None:
    add(ledger, replace(a_run(), payload=payload))
    assert ledger.payload("r1") == payload


def test_a_success_keeps_its_result_and_its_times(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(
        ledger,
        Change(job_id="r1", state=State.RUNNING, at=101.0),
        Change(job_id="r1", state=State.SUCCEEDED, at=103.5, result=b"false"),
    )
    entry = ledger.get("r1")
    assert entry is not None
    assert (entry.state, entry.started_at, entry.ended_at) == (State.SUCCEEDED, 101.0, 103.5)
    assert entry.result == b"false"


def test_a_failure_is_kept_whole(ledger: Ledger) -> None:
    failure = Failure("ValueError", "no \u2028 \ud800 \x00", ('File "a.py"',), ("Traceback", "x"))
    add(ledger, a_run())
    record(
        ledger,
        Change(job_id="r1", state=State.CRASHED, at=1.0, failure=failure, exit=Exit(signal=9)),
    )
    entry = ledger.get("r1")
    assert entry is not None
    assert (entry.failure, entry.exit) == (failure, Exit(signal=9))


def test_exit_code_zero_is_not_forgotten(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(ledger, Change(job_id="r1", state=State.CRASHED, at=1.0, exit=Exit(code=0)))
    entry = ledger.get("r1")
    assert entry is not None
    assert entry.exit == Exit(code=0)


def test_what_another_ledger_had_is_entered_as_it_was(ledger: Ledger, tmp_path: Path) -> None:
    failed = Change(
        job_id="failed",
        state=State.FAILED,
        at=103.0,
        failure=Failure("KeyError", "'x'", ("f",), ("t",)),
        exit=Exit(code=0),
    )
    add(ledger, *map(a_run, ("queued", "running", "waits", "done", "failed")))
    started = {name: Change(job_id=name, state=State.RUNNING, at=101.0) for name in ids(ledger)}
    del started["queued"]
    record(ledger, *started.values(), failed)
    record(ledger, Change(job_id="waits", state=State.QUEUED, at=102.0, attempt=2))
    record(ledger, Change(job_id="done", state=State.SUCCEEDED, at=102.0, result=b"7"))
    with Ledger.open(tmp_path / "fresh.sqlite") as fresh, fresh.transaction():
        for entry in ledger.recent():
            fresh.enter_again(entry, b"again")
        assert {entry.job_id: entry for entry in fresh.recent()} == {
            entry.job_id: entry for entry in ledger.recent()
        }
        assert ledger.payload("waits") == b'{"num": 5}'
        assert fresh.payload("waits") == b"again"
        (step,) = fresh.history("waits")
        assert (step.attempt, step.detail) == (2, "entered in a fresh ledger")


def test_each_change_is_in_the_history_in_order(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(ledger, Change(job_id="r1", state=State.RUNNING, at=101.0))
    record(ledger, Change(job_id="r1", state=State.CANCELLED, at=102.0, detail="asked"))
    assert ledger.history("r1") == [
        Step(100.0, State.QUEUED, 1, None),
        Step(101.0, State.RUNNING, 1, None),
        Step(102.0, State.CANCELLED, 1, "asked"),
    ]


def test_a_run_is_closed_when_its_log_is_complete(ledger: Ledger) -> None:
    add(ledger, a_run())
    with ledger.transaction():
        ledger.closed("r1")
    entry = ledger.get("r1")
    assert entry is not None
    assert entry.closed


def test_a_run_that_is_to_end_is_remembered(ledger: Ledger) -> None:
    add(ledger, a_run("r1"), a_run("r2"))
    with ledger.transaction():
        ledger.cancelled("r1")
    assert {entry.job_id: entry.cancelled for entry in ledger.recent()} == {"r1": True, "r2": False}


def test_pruning_works_in_short_transactions(ledger: Ledger) -> None:
    for number in range(5):
        ended(ledger, f"old{number}", 100.0)
    left: list[int] = []
    ledger.prune(500.0, delete_log=lambda _: left.append(len(ids(ledger))), batch=2)
    assert left == [5, 5, 3, 3, 1]


def test_a_transaction_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    with contextlib.suppress(ZeroDivisionError), ledger.transaction():
        ledger.add(a_run())
        _ = 1 / 0
    assert ledger.get("r1") is None
    assert add(ledger, a_run()) == [True]


def test_pruning_forgets_what_ended_before_and_nothing_else(ledger: Ledger) -> None:
    for number, state in enumerate(s for s in KEPT if s.final):
        ended(ledger, f"old{number}", 100.0 + number, state)
    ended(ledger, "new", 500.0)
    for state in LIVE:
        add(ledger, a_run(state.value, at=1.0))
        record(ledger, Change(job_id=state.value, state=state, at=1.0))
    deleted: list[Path] = []

    assert ledger.prune(500.0, delete_log=deleted.append, batch=2) == 5

    assert deleted == [Path(f"/logs/old{number}") for number in range(5)]
    assert set(ids(ledger)) == {"new", "QUEUED", "STARTING", "RUNNING"}
    assert ledger.history("old0") == []
    assert len(ledger.history("new")) == 2


def test_a_run_that_waits_for_another_attempt_is_not_pruned(ledger: Ledger) -> None:
    ended(ledger, "r1", 100.0, State.FAILED)
    record(ledger, Change(job_id="r1", state=State.QUEUED, at=101.0, attempt=2))
    assert ledger.prune(1000.0, delete_log=lambda _: None) == 0


MESSAGE = Triggered("queue", "q", b"1", b"{}", "arn:dead", "arn:q").text()


@pytest.mark.parametrize(
    ("state", "failure", "owed"),
    [
        (State.FAILED, Failure("E", "why"), True),
        (State.TIMED_OUT, None, True),
        (State.CRASHED, None, True),
        (State.CANCELLED, STOPPED, True),
        (State.CANCELLED, None, False),
        (State.SUCCEEDED, None, False),
    ],
)
def test_the_message_of_a_run_that_nobody_wanted_to_end_so_is_owed(
    ledger: Ledger, tmp_path: Path, state: State, failure: Failure | None, owed: bool
) -> None:
    add(ledger, replace(a_run("called"), payload=b"1"), replace(a_run("told"), payload=MESSAGE))
    for run in ("called", "told"):
        record(ledger, Change(job_id=run, state=state, at=1.0, failure=failure))
    assert ledger.owed_letters() == ["told"] * owed
    assert ledger.prune(1000.0, delete_log=lambda _: None) == 1 + (not owed)
    with Ledger.open(tmp_path / "fresh.sqlite") as fresh, fresh.transaction():
        for entry in ledger.recent():
            fresh.enter_again(entry, ledger.payload(entry.job_id))
        assert fresh.owed_letters() == ["told"] * owed
    for run in ledger.owed_letters():
        ledger.letter_sent(run)
    ledger.prune(1000.0, delete_log=lambda _: None)
    assert ids(ledger) == []


def test_a_log_that_cannot_be_deleted_keeps_its_run_for_the_next_time(ledger: Ledger) -> None:
    ended(ledger, "r1", 100.0)

    def refuse(path: Path) -> None:
        raise PermissionError(path)

    with pytest.raises(PermissionError):
        ledger.prune(1000.0, delete_log=refuse)
    assert ids(ledger) == ["r1"]
    assert ledger.prune(1000.0, delete_log=lambda _: None) == 1


def test_a_daemon_goes_on_writing_while_another_process_prunes(path: Path) -> None:
    with Ledger.open(path) as daemon, Ledger.open(path) as pruner:
        for number in range(5):
            ended(daemon, f"old{number}", 100.0 + number)
        new = (a_run(f"new{number}") for number in range(5))
        pruner.prune(1000.0, delete_log=lambda _: add(daemon, next(new)), batch=1)
        assert sorted(ids(daemon)) == [f"new{number}" for number in range(5)]


def test_space_that_was_pruned_is_given_back(ledger: Ledger, path: Path) -> None:
    add(ledger, replace(a_run(), payload=b"x" * 5_000_000))
    record(ledger, Change(job_id="r1", state=State.SUCCEEDED, at=1.0))
    ended(ledger, "new", 500.0)
    ledger.prune(100.0, delete_log=lambda _: None)
    unused, all_ = ledger.free()
    assert unused > 4_900_000
    assert all_ > unused

    ledger.compact()

    assert ledger.free()[0] == 0
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 200_000
    assert ids(ledger) == ["new"]


def test_what_was_committed_is_there_after_opening_again(path: Path) -> None:
    with Ledger.open(path) as ledger:
        add(ledger, a_run())
    with Ledger.open(path) as ledger:
        assert ids(ledger) == ["r1"]


def test_what_was_committed_survives_the_sudden_death_of_the_daemon(path: Path) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from devbridge.runs.ledger import Ledger, NewRun
        ledger = Ledger.open(Path(sys.argv[1]))
        run = dict(job="j", payload=b"1", created_at=1.0, log_path="x")
        with ledger.transaction():
            ledger.add(NewRun(job_id="committed", **run))
        with ledger.transaction():
            ledger.add(NewRun(job_id="not committed", **run))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)], check=False)
    with Ledger.open(path) as ledger:
        assert ids(ledger) == ["committed"]


def test_a_full_disk_is_told_and_the_ledger_goes_on_when_there_is_room_again(
    ledger: Ledger,
) -> None:
    add(ledger, a_run())
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(LedgerError, match="cannot be written"):
        add(ledger, replace(a_run("r2"), payload=b"x" * 1_000_000))
    assert ids(ledger) == ["r1"]
    ledger._db.execute("PRAGMA max_page_count=1000000")
    assert add(ledger, a_run("r3")) == [True]


# --- checkpoints --------------------------------------------------------------------------------


def reached(ledger: Ledger, checkpoint: bytes) -> None:
    with ledger.transaction():
        ledger.reached("r1", checkpoint)


def test_the_last_checkpoint_is_kept_and_null_is_none(ledger: Ledger) -> None:
    add(ledger, a_run())
    assert ledger.checkpoint("r1") is None
    for body in (b"0", b'{"n": 2}'):
        reached(ledger, body)
        assert ledger.checkpoint("r1") == body
    reached(ledger, b" null")
    assert ledger.checkpoint("r1") is None


def test_it_outlives_every_end_but_success(ledger: Ledger) -> None:
    add(ledger, a_run())
    reached(ledger, b"7")
    record(ledger, Change(job_id="r1", state=State.FAILED, at=101.0))
    assert ledger.checkpoint("r1") == b"7"
    record(ledger, Change(job_id="r1", state=State.SUCCEEDED, at=102.0))
    assert ledger.checkpoint("r1") is None


def test_where_a_run_went_on_is_known_until_it_has_none(ledger: Ledger) -> None:
    add(ledger, a_run())
    reached(ledger, b"7")
    assert ledger.begun_at("r1") is None
    with ledger.transaction():
        ledger.goes_on("r1")
    reached(ledger, b"8")
    assert (ledger.begun_at("r1"), ledger.checkpoint("r1")) == (b"7", b"8")


def test_those_of_the_runs_that_have_not_ended_are_read_at_once(ledger: Ledger) -> None:
    add(ledger, a_run())
    reached(ledger, b"7")
    assert ledger.live_checkpoints() == {"r1": b"7"}
    record(ledger, Change(job_id="r1", state=State.FAILED, at=101.0))
    assert ledger.live_checkpoints() == {}
    assert ledger.checkpoint("r1") == b"7"


def test_a_forgotten_run_has_no_checkpoint(ledger: Ledger) -> None:
    ended(ledger, "r1", 200.0, State.FAILED)
    reached(ledger, b"7")
    assert ledger.prune(300.0, delete_log=lambda _: None) == 1
    assert ledger.checkpoint("r1") is None


def test_a_run_that_had_begun_and_waits_to_go_on_is_running_for_everybody(ledger: Ledger) -> None:
    add(ledger, a_run())
    record(
        ledger,
        Change(job_id="r1", state=State.RUNNING, at=101.0),
        Change(job_id="r1", state=State.QUEUED, at=102.0),
    )
    entry = ledger.get("r1")
    assert entry is not None
    assert (entry.state, entry.waits_for_attempt, entry.started_at) == (State.RUNNING, True, 101.0)


def test_a_ledger_of_an_earlier_version_is_read_and_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with Ledger.open(path) as old:
        add(old, a_run())
        old._db.execute("DROP TABLE checkpoints")
    with LedgerReader.open(path) as reader:
        assert reader.checkpoint("r1") is None
    with Ledger.open(path) as now:
        reached(now, b"7")
        assert now.checkpoint("r1") == b"7"
