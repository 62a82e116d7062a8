"""What the supervisor decides while the system has no worker to give, or the ledger no room."""

from __future__ import annotations

from devbridge.daemon.events import (
    Exited,
    Give,
    Launch,
    NotStarted,
    Record,
    Requested,
    Responded,
    StandbyReady,
    Tick,
    Unentered,
)
from devbridge.daemon.supervisor import SHORT_PAUSE
from devbridge.daemon.told import Short
from devbridge.runs.model import Exit
from tests.unit.daemon.test_supervisor import Desk, only


def test_a_shortage_makes_runs_wait_is_said_once_and_fails_none() -> None:
    daemon = Desk("a")
    (worker,) = daemon.launched()
    told = daemon(NotStarted(worker, "Too many open files"), Requested("r1", "a"))
    assert only(told, Short) == [Short("Too many open files")]
    assert only(told, Launch) == []
    for _ in range(3):
        wakeup = daemon.supervisor.next_wakeup()
        assert wakeup is not None
        assert wakeup > daemon.now
        again = daemon(Tick(), after=wakeup - daemon.now)
        (launch,) = only(again, Launch)
        assert daemon(NotStarted(launch.worker_id, "Too many open files")) == []
    assert only(daemon.seen, Record) == []

    (launch,) = only(daemon(Tick(), after=SHORT_PAUSE), Launch)
    relieved = daemon(StandbyReady(launch.worker_id))
    assert only(relieved, Short) == [Short()]
    assert [give.job_id for give in only(relieved, Give)] == ["r1"]


def test_during_a_shortage_one_worker_at_a_time_is_tried() -> None:
    daemon = Desk("a", concurrency=5)
    (worker,) = daemon.launched()
    daemon(NotStarted(worker, "no"), *(Requested(f"r{n}", "a") for n in range(5)))
    tried = daemon(Tick(), after=SHORT_PAUSE)
    assert len(only(tried, Launch)) == 1
    relieved = daemon(StandbyReady(only(tried, Launch)[0].worker_id))
    assert len(only(relieved, Launch)) == 4


def test_a_descriptor_that_is_free_now_and_then_does_not_end_a_shortage() -> None:
    daemon = Desk("a", concurrency=5)
    (worker,) = daemon.launched()
    daemon(NotStarted(worker, "no"), *(Requested(f"r{n}", "a") for n in range(3)))
    for _ in range(2):
        (launch,) = only(daemon(Tick(), after=SHORT_PAUSE), Launch)
        relieved = daemon(StandbyReady(launch.worker_id))
        daemon(*(NotStarted(each.worker_id, "no") for each in only(relieved, Launch)))
    assert only(daemon.seen, Short) == [Short("no")]
    (launch,) = only(daemon(Tick(), after=SHORT_PAUSE), Launch)
    daemon(StandbyReady(launch.worker_id))
    assert only(daemon.seen, Short) == [Short("no"), Short()]


def test_the_end_of_a_worker_that_never_started_adds_nothing() -> None:
    daemon = Desk("a")
    (worker,) = daemon.launched()
    daemon(NotStarted(worker, "no"))
    assert daemon(Exited(worker, Exit(code=1))) == []


def test_a_run_that_could_not_be_entered_gives_its_worker_back() -> None:
    daemon = Desk("a", concurrency=1)
    worker = daemon.standby()
    assert only(daemon(Requested("r1", "a"), Requested("r2", "a")), Give)
    daemon(Unentered(frozenset({"r1", "r2"})))
    assert daemon.supervisor.idle
    assert list(daemon.supervisor.running) == []
    (give,) = only(daemon(Requested("r3", "a")), Give)
    assert (give.worker_id, give.job_id) == (worker, "r3")
    assert only(daemon(Responded(worker, "r3", b"1")), Record)


def test_a_worker_that_is_given_back_takes_what_waited_before() -> None:
    daemon = Desk("a", concurrency=1)
    worker = daemon.running("r1")
    daemon(Requested("r2", "a"))
    daemon(StandbyReady(daemon.launched()[-1]))
    daemon(Requested("new", "a"))
    daemon(Unentered(frozenset({"new"})))
    ended = daemon(Responded(worker, "r1", b"1"))
    assert [give.job_id for give in only(ended, Give)] == ["r2"]
