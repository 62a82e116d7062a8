from __future__ import annotations

import signal

from devbridge.daemon.events import (
    CancelRequested,
    Exited,
    Give,
    GoesOn,
    Launch,
    Lingers,
    NotStarted,
    Ready,
    Record,
    Requested,
    Responded,
    Signal,
    SourcesChanged,
    StandbyFailed,
    StandbyReady,
    Tick,
)
from devbridge.daemon.mending import FIRST_PAUSE, LONGEST_PAUSE
from devbridge.daemon.standbys import IDLE_DEATHS_UNTIL_BROKEN, LOADING, MAX_AGE, SHORT_PAUSE
from devbridge.daemon.told import Broken, Short, TriedAgain
from devbridge.runs.model import Exit, State
from runner.outcome import KILL_AGAIN, LINGER, Failure
from tests.unit.daemon.desk import (
    GRACE,
    OOPS,
    TIMEOUT,
    Desk,
    changes,
    last_change,
    only,
)

# --- standbys -----------------------------------------------------------------------------------


def test_each_job_gets_one_standby_at_the_start() -> None:
    desk = Desk("a", "b")
    assert {e.job for e in only(desk.seen, Launch)} == {"a", "b"}
    assert len(desk.seen) == 2


def test_without_standbys_a_worker_is_launched_when_it_is_asked_for() -> None:
    desk = Desk(standbys=False)
    assert desk.seen == []
    assert only(desk(Requested("r1", "a")), Launch)


def test_readiness_is_announced_once() -> None:
    desk = Desk()
    worker = desk.launched()[0]
    assert desk(StandbyReady(worker)) == [Ready("a")]
    assert desk(StandbyReady(worker)) == []


def test_a_run_takes_the_standby_and_a_new_one_is_prepared() -> None:
    desk = Desk()
    worker = desk.standby()
    effects = desk(Requested("r1", "a"))
    assert changes(effects) == [("r1", State.RUNNING)]
    assert only(effects, Give) == [Give(worker, "a", "r1", 1, desk.now + TIMEOUT)]
    assert len(only(effects, Launch)) == 1
    assert [type(e) for e in effects].index(Record) < [type(e) for e in effects].index(Give)


def test_for_runs_that_wait_no_more_are_started_than_may_load_at_once() -> None:
    desk = Desk(concurrency=5, starts=2)
    desk(*(Requested(f"r{n}", "a") for n in range(5)))
    first, second = desk.launched()
    assert len(only(desk(StandbyReady(first)), Launch)) == 1
    assert len(only(desk(StandbyReady(second)), Launch)) == 1


def test_who_still_loads_after_a_moment_keeps_no_other_from_being_started() -> None:
    desk = Desk(concurrency=5, starts=2)
    desk(*(Requested(f"r{n}", "a") for n in range(5)), after=1.0)
    assert len(desk.launched()) == 3  # the first one has been loading for a second
    assert desk.supervisor.next_wakeup() == desk.now + LOADING
    assert len(only(desk(Tick(), after=LOADING), Launch)) == 2
    assert len(desk.launched()) == 5


def test_the_first_worker_of_a_job_is_started_however_many_load() -> None:
    desk = Desk("a", "b", "c", starts=1)
    assert {e.job for e in only(desk.seen, Launch)} == {"a", "b", "c"}


def test_standbys_that_have_aged_have_successors_however_many_load() -> None:
    desk = Desk("a", "b", starts=1)
    desk(*(StandbyReady(launch.worker_id) for launch in only(desk.seen, Launch)))
    aged = desk(Tick(), after=MAX_AGE)
    assert {e.job for e in only(aged, Launch)} == {"a", "b"}


def test_a_run_waits_until_its_standby_is_ready() -> None:
    desk = Desk()
    assert desk(Requested("r1", "a")) == []
    assert only(desk(StandbyReady(desk.launched()[0])), Give)


def test_a_worker_that_asks_for_more_after_its_run_gets_nothing() -> None:
    desk = Desk(concurrency=1)
    worker = desk.running()
    desk(Requested("r2", "a"))
    desk(Responded(worker, "r1", b"1"))
    desk(SourcesChanged(frozenset({"a"})))
    assert desk(StandbyReady(worker)) == []


def test_an_idle_standby_that_dies_is_replaced() -> None:
    desk = Desk()
    worker = desk.standby()
    assert only(desk(Exited(worker, Exit(signal=9))), Launch)


def test_standbys_that_keep_dying_are_not_started_for_ever() -> None:
    desk = Desk()
    for _ in range(IDLE_DEATHS_UNTIL_BROKEN - 1):
        assert only(desk(Exited(desk.standby(), Exit(code=1))), Launch)
    effects = desk(Exited(desk.standby(), Exit(code=1)))
    assert not only(effects, Launch)
    (broken,) = only(effects, Broken)
    assert "while it waited" in broken.failure.message


def test_a_worker_that_is_killed_while_it_imports_is_replaced() -> None:
    desk = Desk()
    for _ in range(IDLE_DEATHS_UNTIL_BROKEN - 1):
        assert only(desk(Exited(desk.launched()[-1], Exit(signal=9))), Launch)
    assert only(desk(Exited(desk.launched()[-1], Exit(signal=9))), Broken)


def test_standbys_that_die_together_count_once() -> None:
    desk = Desk(concurrency=IDLE_DEATHS_UNTIL_BROKEN + 1)
    desk(*(Requested(f"r{n}", "a") for n in range(IDLE_DEATHS_UNTIL_BROKEN + 1)))
    effects = desk(*(Exited(worker, Exit(signal=9)) for worker in desk.launched()))
    assert len(only(effects, Launch)) == IDLE_DEATHS_UNTIL_BROKEN + 1
    assert not only(effects, Broken)


def test_deaths_with_work_in_between_are_not_in_a_row() -> None:
    desk = Desk()
    for number in range(IDLE_DEATHS_UNTIL_BROKEN * 2):
        assert only(desk(Exited(desk.standby(), Exit(code=1))), Launch)
        worker = desk.running(f"r{number}")
        desk(Responded(worker, f"r{number}", b"1"), Exited(worker, Exit(code=0)))


# --- saves --------------------------------------------------------------------------------------


def test_a_save_replaces_the_standby_and_leaves_the_running_job_alone() -> None:
    desk = Desk()
    running = desk.running()
    standby = desk.standby()
    effects = desk(SourcesChanged(frozenset({"a"})))
    assert only(effects, Signal) == [Signal(standby, signal.SIGTERM, GRACE)]
    assert len(only(effects, Launch)) == 1
    assert last_change(desk(Responded(running, "r1", b"1"))).state is State.SUCCEEDED


def test_after_a_save_no_run_gets_the_old_code() -> None:
    desk = Desk()
    old = desk.standby()
    desk(SourcesChanged(frozenset({"a"})))
    assert not only(desk(Requested("r1", "a"), StandbyReady(old)), Give)
    new = desk.launched()[-1]
    assert [g.worker_id for g in only(desk(StandbyReady(new)), Give)] == [new]


def test_readiness_is_announced_again_after_a_save() -> None:
    desk = Desk()
    desk.standby()
    desk(SourcesChanged(frozenset({"a"})))
    assert desk(StandbyReady(desk.launched()[-1])) == [Ready("a")]


def test_a_save_of_a_job_that_is_gone_does_nothing() -> None:
    assert Desk()(SourcesChanged(frozenset({"nobody"}))) == []


def test_a_retired_standby_that_does_not_go_is_killed() -> None:
    desk = Desk()
    old = desk.standby()
    desk(SourcesChanged(frozenset({"a"})))
    assert Signal(old, signal.SIGKILL) in desk(Tick(), after=GRACE)
    assert only(desk(Exited(old, Exit(signal=9))), Broken) == []


def test_one_that_is_still_there_after_that_is_killed_once_more() -> None:
    desk = Desk()
    old = desk.standby()
    desk(SourcesChanged(frozenset({"a"})))
    killed = [Signal(old, signal.SIGKILL)]
    assert only(desk(Tick(), after=LINGER), Signal) == killed
    assert only(desk(Tick(), after=KILL_AGAIN - 0.1), Signal) == []
    assert only(desk(Tick(), after=0.1), Signal) == killed


def test_what_a_worker_does_after_its_answer_is_said_with_the_time_that_it_has() -> None:
    desk = Desk()
    worker = desk.running()
    said = Lingers(worker, ("its thread",))
    assert desk(said) == [], "its run goes on"
    desk(Responded(worker, "r1", b"1"))
    assert desk(said, after=0.5) == [GoesOn(worker, said.left, LINGER - 0.5)]
    desk(Exited(worker, Exit(code=0)))
    assert desk(said) == []


def test_a_standby_that_is_told_to_go_has_nothing_that_goes_on() -> None:
    desk = Desk()
    worker = desk.standby()
    desk(SourcesChanged(frozenset({"a"})))
    assert desk(Lingers(worker, ("its thread",))) == []


# --- broken handlers ----------------------------------------------------------------------------


def test_a_handler_that_cannot_be_loaded_is_shown_once_and_not_tried_for_ever() -> None:
    desk = Desk()
    worker = desk.launched()[0]
    effects = desk(StandbyFailed(worker, OOPS))
    assert only(effects, Broken) == [Broken("a", OOPS, worker)]
    assert only(effects, Launch) == []
    assert desk(Exited(worker, Exit(code=1))) == []


def test_a_worker_that_dies_while_it_imports_breaks_the_job() -> None:
    desk = Desk()
    (broken,) = only(desk(Exited(desk.launched()[0], Exit(code=7))), Broken)
    assert "code 7" in broken.failure.message
    assert "while the handler was imported" in broken.failure.message


def test_a_run_that_waits_for_a_load_fails_with_its_error() -> None:
    desk = Desk()
    desk(Requested("r1", "a"))
    assert changes(desk(StandbyFailed(desk.launched()[0], OOPS))) == [("r1", State.FAILED)]


def test_a_request_for_a_broken_job_tries_again_and_fails_with_the_newest_error() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS))
    (launch,) = desk(Requested("r1", "a"))
    assert isinstance(launch, Launch)
    other = Failure("ModuleNotFoundError", "No module named 'late'")
    effects = desk(StandbyFailed(launch.worker_id, other))
    change = last_change(effects)
    assert (change.job_id, change.state, change.failure) == ("r1", State.FAILED, other)
    assert only(effects, Broken) == [Broken("a", other, launch.worker_id, new=True)]
    assert only(effects, Launch) == []


def test_a_request_for_a_job_that_was_mended_elsewhere_runs() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS))
    (launch,) = only(desk(Requested("r1", "a")), Launch)
    effects = desk(StandbyReady(launch.worker_id))
    assert [g.job_id for g in only(effects, Give)] == ["r1"]
    assert only(effects, Ready) == [Ready("a")], "the error was shown, so its end is, too"
    assert len(only(effects, Launch)) == 1, "a standby for the next one"


def test_requests_that_come_while_a_broken_job_is_tried_share_that_try() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS))
    (launch,) = only(desk(Requested("r1", "a"), Requested("r2", "a")), Launch)
    assert desk(Requested("r3", "a")) == []
    effects = desk(StandbyFailed(launch.worker_id, OOPS))
    assert [job_id for job_id, _ in changes(effects)] == ["r1", "r2", "r3"]
    assert only(effects, Launch) == []


def test_an_error_that_was_shown_is_not_shown_again_before_a_save() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS))
    for number in range(3):
        desk(Requested(f"r{number}", "a"))
        (broken,) = only(desk(StandbyFailed(desk.launched()[-1], OOPS)), Broken)
        assert not broken.new
    desk(SourcesChanged(frozenset({"a"})))
    (broken,) = only(desk(StandbyFailed(desk.launched()[-1], OOPS)), Broken)
    assert broken.new


def test_nothing_tries_a_broken_job_that_nobody_asks_for() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS), Exited(desk.launched()[0], Exit(code=1)))
    assert desk(Tick(), after=10 * LONGEST_PAUSE) == []
    assert desk.supervisor.next_wakeup() is None


def test_requests_for_a_broken_job_wait_when_so_configured() -> None:
    desk = Desk(fail_when_broken=False)
    desk(Requested("r1", "a"))
    effects = desk(StandbyFailed(desk.launched()[0], OOPS))
    assert changes(effects) == []
    assert only(effects, TriedAgain) == [TriedAgain("a", FIRST_PAUSE)]
    desk(SourcesChanged(frozenset({"a"})))
    assert [g.job_id for g in only(desk(StandbyReady(desk.launched()[-1])), Give)] == ["r1"]


def test_waiting_runs_cause_tries_with_a_pause_that_grows_and_is_told_once() -> None:
    desk = Desk(fail_when_broken=False)
    worker = desk.launched()[0]
    desk(Requested("r1", "a"), StandbyFailed(worker, OOPS), Exited(worker, Exit(code=1)))
    pauses = []
    for _ in range(9):
        wakeup = desk.supervisor.next_wakeup()
        assert wakeup is not None
        pauses.append(wakeup - desk.now)
        (launch,) = only(desk(Tick(), after=pauses[-1]), Launch)
        assert desk(Tick(), after=0.5) == [], "one try at a time"
        desk(StandbyFailed(launch.worker_id, OOPS), Exited(launch.worker_id, Exit(code=1)))
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert len(only(desk.seen, TriedAgain)) == 1
    assert len([broken for broken in only(desk.seen, Broken) if broken.new]) == 1


def test_a_request_does_not_wait_for_the_pause_of_those_that_wait_already() -> None:
    desk = Desk(fail_when_broken=False)
    desk(Requested("r1", "a"), StandbyFailed(desk.launched()[0], OOPS))
    assert len(only(desk(Requested("r2", "a")), Launch)) == 1


def test_a_broken_job_without_waiting_runs_is_not_tried_whatever_is_configured() -> None:
    desk = Desk(fail_when_broken=False)
    desk(Requested("r1", "a"), StandbyFailed(desk.launched()[0], OOPS))
    desk(CancelRequested("r1"), Exited(desk.launched()[0], Exit(code=1)))
    assert desk(Tick(), after=10 * LONGEST_PAUSE) == []


def test_a_load_that_failed_beside_a_run_is_tried_again_when_that_has_ended() -> None:
    """The run may have held a port, or a lock, that the module takes when it is imported."""
    desk = Desk()
    running = desk.running()
    desk(StandbyFailed(desk.launched()[-1], OOPS), Exited(desk.launched()[-1], Exit(code=1)))
    assert only(desk(Responded(running, "r1", b"1")), Launch) == []
    (launch,) = only(desk(Exited(running, Exit(code=0))), Launch)
    assert desk(StandbyReady(launch.worker_id)) == [Ready("a")]


def test_a_load_whose_neighbour_has_gone_meanwhile_is_tried_again_once() -> None:
    desk = Desk()
    old = desk.standby()
    (launch,) = only(desk(SourcesChanged(frozenset({"a"}))), Launch)
    desk(Exited(old, Exit(signal=15)))
    effects = desk(StandbyFailed(launch.worker_id, OOPS))
    (again,) = only(effects, Launch)
    assert only(desk(StandbyFailed(again.worker_id, OOPS)), Launch) == []
    assert only(desk(Exited(launch.worker_id, Exit(code=1))), Launch) == []


def test_a_broken_job_leaves_what_already_runs_alone() -> None:
    desk = Desk()
    running = desk.running()
    effects = desk(StandbyFailed(desk.launched()[-1], OOPS))
    assert running not in [e.worker_id for e in only(effects, Signal)]
    assert last_change(desk(Responded(running, "r1", b"1"))).state is State.SUCCEEDED


def test_a_save_mends_a_broken_job() -> None:
    desk = Desk()
    desk(StandbyFailed(desk.launched()[0], OOPS))
    assert only(desk(SourcesChanged(frozenset({"a"}))), Launch)
    assert desk(StandbyReady(desk.launched()[-1])) == [Ready("a")]


# --- age ----------------------------------------------------------------------------------------


def test_a_standby_that_has_waited_for_long_is_replaced_and_serves_until_then() -> None:
    desk = Desk()
    old = desk.standby()
    assert desk.supervisor.next_wakeup() == desk.now + MAX_AGE
    assert desk(Tick(), after=MAX_AGE - 1) == []
    (launch,) = desk(Tick(), after=1)
    assert isinstance(launch, Launch)
    assert desk.supervisor.next_wakeup() is None
    assert desk(StandbyReady(launch.worker_id)) == [Signal(old, signal.SIGTERM, GRACE)]
    assert [g.worker_id for g in only(desk(Requested("r1", "a")), Give)] == [launch.worker_id]


def test_a_run_that_comes_while_a_standby_is_replaced_does_not_wait() -> None:
    desk = Desk()
    old = desk.standby()
    desk(Tick(), after=MAX_AGE)
    assert [g.worker_id for g in only(desk(Requested("r1", "a")), Give)] == [old]
    assert len(desk.launched()) == 2


def test_a_standby_is_not_kept_when_what_is_to_replace_it_cannot_be_loaded() -> None:
    desk = Desk()
    old = desk.standby()
    desk(Tick(), after=MAX_AGE)
    effects = desk(StandbyFailed(desk.launched()[-1], OOPS))
    assert Signal(old, signal.SIGTERM, GRACE) in effects
    assert len(only(desk(Exited(old, Exit(signal=15))), Launch)) == 1, "it may have held a port"


# --- shortage -----------------------------------------------------------------------------------


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
