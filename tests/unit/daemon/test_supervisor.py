from __future__ import annotations

import signal
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from devbridge.daemon.events import (
    CancelRequested,
    Effect,
    Event,
    Exited,
    Give,
    Halted,
    JobsChanged,
    Launch,
    Raised,
    Ready,
    Record,
    Requested,
    Responded,
    Shutdown,
    Signal,
    SourcesChanged,
    StandbyFailed,
    StandbyReady,
    Tick,
    Unentered,
    Withdrawn,
)
from devbridge.daemon.jobs import Jobs
from devbridge.daemon.memory import crash
from devbridge.daemon.standbys import MAX_AGE
from devbridge.daemon.supervisor import (
    Supervisor,
)
from devbridge.daemon.told import Broken, Waits
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit, JobSpec, State
from runner.outcome import Failure
from tests.unit.daemon.desk import (
    GRACE,
    OOPS,
    START,
    TIMEOUT,
    Desk,
    changes,
    last_change,
    only,
    spec,
)

# --- how runs end -------------------------------------------------------------------------------


def test_an_answer_is_recorded_at_once_and_the_exit_adds_nothing() -> None:
    desk = Desk()
    worker = desk.running()
    change = last_change(desk(Responded(worker, "r1", b"120"), after=1.0))
    assert (change.state, change.result, change.at) == (State.SUCCEEDED, b"120", START + 1)
    assert changes(desk(Exited(worker, Exit(code=0)))) == []


def test_an_error_of_the_handler_is_a_failure() -> None:
    desk = Desk()
    worker = desk.running()
    change = last_change(desk(Raised(worker, "r1", OOPS)))
    assert (change.state, change.failure) == (State.FAILED, OOPS)


def test_only_the_first_answer_counts() -> None:
    desk = Desk()
    worker = desk.running()
    desk(Responded(worker, "r1", b"1"))
    assert desk(Responded(worker, "r1", b"2"), Raised(worker, "r1", OOPS)) == []


def test_an_answer_for_somebody_elses_run_is_not_believed() -> None:
    desk = Desk()
    desk.running("r1")
    other = desk.running("r2")
    assert desk(Responded(other, "r1", b"1")) == []


@pytest.mark.parametrize("exit_", [Exit(code=0), Exit(code=3), Exit(signal=11)])
def test_a_worker_that_goes_without_an_answer_has_crashed(exit_: Exit) -> None:
    desk = Desk()
    worker = desk.running()
    change = last_change(desk(Exited(worker, exit_)))
    assert (change.state, change.exit, change.failure) == (State.CRASHED, exit_, crash(exit_))


def test_a_crash_is_described_as_what_it_is() -> None:
    assert "code 3" in crash(Exit(code=3)).message
    assert "SIGSEGV" in crash(Exit(signal=signal.SIGSEGV)).message
    assert "memory" in crash(Exit(signal=signal.SIGKILL)).message
    assert "signal 62" in crash(Exit(signal=62)).message


def test_a_worker_that_lingers_after_its_answer_is_killed_after_the_grace_period() -> None:
    desk = Desk()
    worker = desk.running()
    desk(Responded(worker, "r1", b"1"))
    assert desk.supervisor.next_wakeup() == desk.now + GRACE
    assert desk(Tick(), after=GRACE - 0.1) == []
    assert desk(Tick(), after=0.1) == [Signal(worker, signal.SIGKILL)]


# --- concurrency and order ----------------------------------------------------------------------


def test_no_more_runs_than_allowed_run_at_once_and_the_rest_keep_their_order() -> None:
    desk = Desk(concurrency=1)
    first = desk.running("r1")
    desk(Requested("r2", "a"), Requested("r3", "a"))
    assert not only(desk(StandbyReady(desk.launched()[-1])), Give)
    assert [g.job_id for g in only(desk(Responded(first, "r1", b"1")), Give)] == ["r2"]


def test_all_that_is_free_is_given_at_once() -> None:
    desk = Desk("a", "b", concurrency=2)
    desk.standby("a")
    desk.standby("b")
    given = only(desk(Requested("r1", "a"), Requested("r2", "b")), Give)
    assert [give.job_id for give in given] == ["r1", "r2"]


def test_a_run_of_a_broken_job_waits_for_that_and_no_limit() -> None:
    desk = Desk("a", "b", concurrency=1, fail_when_broken=False)
    desk(StandbyFailed(desk.launched("a")[-1], OOPS))
    desk.running("r1", "b")
    assert not only(desk(Requested("r2", "a")), Waits)
    assert only(desk(Requested("r3", "b")), Waits)


def test_the_run_that_waited_longest_is_next_whatever_its_job() -> None:
    desk = Desk("a", "b", concurrency=1)
    first = desk.running("r1", "a")
    desk.standby("a")
    desk.standby("b")
    desk(Requested("r2", "b"), Requested("r3", "a"))
    assert [g.job_id for g in only(desk(Responded(first, "r1", b"1")), Give)] == ["r2"]


def test_a_job_whose_standby_is_not_ready_holds_nobody_up() -> None:
    desk = Desk("a", "b", concurrency=1)
    desk.standby("b")
    assert [g.job_id for g in only(desk(Requested("r1", "a"), Requested("r2", "b")), Give)] == [
        "r2"
    ]


def test_a_burst_launches_no_more_workers_than_can_run() -> None:
    desk = Desk(concurrency=3)
    desk(*(Requested(f"r{n}", "a") for n in range(100)))
    assert len(desk.launched()) == 3


# --- cancel and timeout -------------------------------------------------------------------------


def test_a_queued_run_is_cancelled_at_once() -> None:
    desk = Desk()
    desk(Requested("r1", "a"))
    assert changes(desk(CancelRequested("r1"))) == [("r1", State.CANCELLED)]
    assert not only(desk(StandbyReady(desk.launched()[0])), Give)


def test_a_running_job_is_asked_to_stop_then_killed() -> None:
    desk = Desk()
    worker = desk.running()
    assert desk(CancelRequested("r1")) == [Signal(worker, signal.SIGTERM, GRACE)]
    assert desk(CancelRequested("r1")) == []
    assert desk(Tick(), after=GRACE - 0.1) == []
    assert desk(Tick(), after=0.1) == [Signal(worker, signal.SIGKILL)]
    change = last_change(desk(Exited(worker, Exit(signal=9))))
    assert (change.state, change.exit) == (State.CANCELLED, Exit(signal=9))


def test_a_cancelled_handler_that_answers_within_the_grace_period_is_still_cancelled() -> None:
    desk = Desk()
    worker = desk.running()
    desk(CancelRequested("r1"))
    assert last_change(desk(Raised(worker, "r1", OOPS))).state is State.CANCELLED
    assert changes(desk(Exited(worker, Exit(code=1)))) == []


def test_cancelling_what_is_not_known_or_has_ended_does_nothing() -> None:
    desk = Desk()
    worker = desk.running()
    desk(Responded(worker, "r1", b"1"))
    assert desk(CancelRequested("r1"), CancelRequested("never heard of")) == []


def test_a_run_that_takes_too_long_is_timed_out() -> None:
    desk = Desk()
    worker = desk.running()
    assert desk.supervisor.next_wakeup() == START + TIMEOUT
    assert desk(Tick(), after=TIMEOUT - 0.1) == []
    assert desk(Tick(), after=0.1) == [Signal(worker, signal.SIGTERM, GRACE)]
    assert last_change(desk(Exited(worker, Exit(signal=15)))).state is State.TIMED_OUT


def test_time_in_the_queue_does_not_count() -> None:
    desk = Desk()
    desk(Requested("r1", "a"))
    desk(Tick(), after=10 * TIMEOUT)
    effects = desk(StandbyReady(desk.launched()[0]))
    assert [g.deadline for g in only(effects, Give)] == [desk.now + TIMEOUT]


def test_a_cancellation_after_the_timeout_does_not_change_the_verdict() -> None:
    desk = Desk()
    worker = desk.running()
    desk(Tick(), after=TIMEOUT)
    assert desk(CancelRequested("r1")) == []
    assert last_change(desk(Exited(worker, Exit(signal=15)))).state is State.TIMED_OUT


# --- debuggers ----------------------------------------------------------------------------------


def test_the_time_of_a_run_does_not_pass_while_a_debugger_has_stopped_it() -> None:
    desk = Desk(concurrency=1)
    worker = desk.running()
    desk(Halted(worker, True), after=TIMEOUT - 5)
    desk(Halted(worker, True), after=100 * TIMEOUT)
    assert desk(Tick(), after=100 * TIMEOUT) == []
    desk(Halted(worker, False))
    desk(Halted(worker, False), after=1)
    assert desk(Tick(), after=3.9) == []
    assert desk(Tick(), after=0.1) == [Signal(worker, signal.SIGTERM, GRACE)]
    assert last_change(desk(Exited(worker, Exit(signal=15)))).state is State.TIMED_OUT


def test_nobody_is_woken_for_a_run_that_a_debugger_has_stopped() -> None:
    desk = Desk(standbys=False)
    desk(Requested("r1", "a"))
    worker = desk.standby()
    desk(Halted(worker, True), after=1)
    assert desk.supervisor.next_wakeup() is None
    desk(Halted(worker, False), after=10)
    assert desk.supervisor.next_wakeup() == START + TIMEOUT + 10


def test_only_the_run_that_is_stopped_has_its_time() -> None:
    desk = Desk("a", "b")
    stopped, other = desk.running("r1", "a"), desk.running("r2", "b")
    desk(Halted(stopped, True))
    assert desk(Tick(), after=TIMEOUT) == [Signal(other, signal.SIGTERM, GRACE)]


def test_code_that_cleans_up_has_its_time_when_a_debugger_stops_it() -> None:
    desk = Desk()
    worker = desk.running()
    desk(CancelRequested("r1"))
    desk(Halted(worker, True), after=GRACE - 2)
    assert desk(Tick(), after=10 * GRACE) == []
    desk(Halted(worker, False))
    assert desk(Tick(), after=1.9) == []
    assert desk(Tick(), after=0.1) == [Signal(worker, signal.SIGKILL)]


def test_a_stopped_run_that_is_cancelled_ends_though_it_cannot_hear_that() -> None:
    desk = Desk()
    worker = desk.running()
    desk(Halted(worker, True))
    assert desk(CancelRequested("r1")) == [Signal(worker, signal.SIGTERM, GRACE)]
    assert desk(Tick(), after=GRACE) == [Signal(worker, signal.SIGKILL)]


# --- deployments --------------------------------------------------------------------------------


def test_a_deployment_that_changes_nothing_disturbs_nothing() -> None:
    desk = Desk()
    desk.standby()
    assert desk(JobsChanged(Jobs([spec("a")]))) == []


def test_a_new_job_gets_a_standby() -> None:
    desk = Desk()
    effects = desk(JobsChanged(Jobs([spec("a"), spec("b")])))
    assert [e.job for e in only(effects, Launch)] == ["b"]


def test_a_changed_job_gets_a_new_standby() -> None:
    desk = Desk()
    old = desk.standby()
    effects = desk(JobsChanged(Jobs([replace(spec("a"), environment={"NEW": "1"})])))
    assert only(effects, Signal) == [Signal(old, signal.SIGTERM, GRACE)]
    assert len(only(effects, Launch)) == 1


def test_a_removed_job_fails_what_waits_and_lets_finish_what_runs() -> None:
    desk = Desk("a", "b", concurrency=1)
    running = desk.running("r1", "b")
    desk(Requested("r2", "b"))
    effects = desk(JobsChanged(Jobs([spec("a")])))
    assert changes(effects) == [("r2", State.FAILED)]
    assert running not in [e.worker_id for e in only(effects, Signal)]
    assert last_change(desk(Responded(running, "r1", b"1"))).state is State.SUCCEEDED
    assert desk(StandbyReady(running), Exited(running, Exit(code=0))) == []


def test_a_request_for_a_job_that_was_removed_fails() -> None:
    assert changes(Desk()(Requested("r1", "gone"))) == [("r1", State.FAILED)]


def test_a_job_that_was_removed_and_came_back_is_served_by_new_workers_only() -> None:
    desk = Desk()
    old = desk.standby()
    desk(JobsChanged(Jobs()))
    desk(JobsChanged(Jobs([spec("a")])))
    assert not only(desk(Requested("r1", "a"), StandbyReady(old)), Give)
    assert only(desk(Exited(old, Exit(signal=15))), Broken) == []
    assert only(desk(StandbyReady(desk.launched()[-1])), Give)


# --- shutdown -----------------------------------------------------------------------------------


def test_a_shutdown_ends_everything_and_starts_nothing() -> None:
    desk = Desk()
    running = desk.running()
    standby = desk.standby()
    effects = desk(Shutdown())
    assert {(e.worker_id, e.number) for e in only(effects, Signal)} == {
        (running, signal.SIGTERM),
        (standby, signal.SIGTERM),
    }
    assert len(effects) == 2
    after = desk(Exited(standby, Exit(signal=15)), Exited(running, Exit(signal=15)))
    change = last_change(after)
    assert (change.state, change.detail) == (State.CANCELLED, "devbridge dev was stopped")
    assert change.failure == Failure("DaemonStopped", "devbridge dev was stopped")
    assert len(after) == 1
    assert desk.supervisor.workers == 0


GONE = Failure("DaemonEnded", "the cloud is gone")


def test_what_runs_when_the_daemon_cannot_go_on_has_crashed_and_nobody_cancelled_it() -> None:
    desk = Desk()
    running = desk.running()
    desk(Shutdown(GONE, lost=True))
    change = last_change(desk(Raised(running, "r1", Failure("KeyboardInterrupt", ""))))
    assert (change.state, change.failure) == (State.CRASHED, GONE)


def test_what_the_user_cancelled_before_the_daemon_could_not_go_on_stays_cancelled() -> None:
    desk = Desk()
    running = desk.running()
    desk(CancelRequested("r1"), Shutdown(GONE, lost=True))
    change = last_change(desk(Exited(running, Exit(signal=15))))
    assert (change.state, change.failure) == (State.CANCELLED, None)


def test_a_run_with_attempts_left_waits_for_the_next_daemon_if_this_one_cannot_go_on() -> None:
    desk = Desk()
    desk(JobsChanged(Jobs([replace(spec("a"), max_attempts=2)])))
    running = desk.running()
    desk(Shutdown(GONE, lost=True))
    change = last_change(desk(Exited(running, Exit(signal=15))))
    assert (change.state, change.attempt, change.failure) == (State.QUEUED, 2, GONE)
    assert changes(desk(Tick(), after=9999.0)) == []


def test_what_is_queued_at_a_shutdown_stays_queued() -> None:
    desk = Desk()
    desk(Requested("r1", "a"))
    assert changes(desk(Shutdown(), Requested("r2", "a"))) == []
    assert not only(desk(StandbyReady(desk.launched()[0])), Give)


# --- whatever happens, in whatever order --------------------------------------------------------

JOBS = ("a", "b", "c")


LIMITED = "c"


def in_any_order(name: str, handler: str = "jobs/a.handler") -> JobSpec:
    return replace(spec(name, handler), concurrency=1 if name == LIMITED else None)


@dataclass(slots=True)
class Worker:
    job: str
    ready_at: float | None = None
    job_id: str | None = None
    answered: bool = False
    term_at: float | None = None
    kill_from: float | None = None
    """The earliest time at which a SIGKILL is in order."""
    killed: bool = False

    @property
    def ready(self) -> bool:
        return self.ready_at is not None


@dataclass(slots=True)
class Asked:
    job: str
    given: str | None = None
    given_at: float = 0.0
    final: State | None = None
    cancelled: bool = False
    records: list[State] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """A world of workers that do what they like, and the rules that hold all the same."""

    @initialize(
        concurrency=st.integers(1, 3),
        fail_when_broken=st.booleans(),
        standbys=st.booleans(),
        starts=st.integers(1, 3),
    )
    def begin(self, concurrency: int, fail_when_broken: bool, standbys: bool, starts: int) -> None:
        self.told: set[str] = set()
        self.now = self.ticked = START
        self.concurrency = concurrency
        self.fail_when_broken = fail_when_broken
        self.specs = {name: in_any_order(name) for name in JOBS}
        self.supervisor = Supervisor(
            self.specs,
            concurrency=concurrency,
            grace=GRACE,
            fail_when_broken=fail_when_broken,
            standbys=standbys,
            starts=starts,
        )
        self.workers: dict[str, Worker] = {}
        self.ever: set[str] = set()
        self.asked: dict[str, Asked] = {}
        self.queues: dict[str, list[str]] = {name: [] for name in JOBS}
        self.broken: set[str] = set()
        self.shown: set[tuple[str, Failure]] = set()
        self.reasons = dict.fromkeys(JOBS, 0)
        """How often something has happened that may mend a broken job."""
        self.closing = False
        self.saving = False
        self.apply(self.supervisor.handle([], self.now))

    # what the supervisor decides is checked, then believed

    def send(self, *events: Event) -> None:
        self.apply(self.supervisor.handle(events, self.now))

    def apply(self, effects: list[Effect]) -> None:
        for index, effect in enumerate(effects):
            match effect:
                case Launch(worker_id, job):
                    assert not self.closing
                    assert worker_id not in self.ever
                    assert job in self.specs
                    if job in self.broken:
                        assert not self.coming(job), "a broken job is tried by one worker"
                        assert self.reasons[job] > 0, "no try without a reason"
                        self.reasons[job] -= 1
                    self.ever.add(worker_id)
                    self.workers[worker_id] = Worker(job)
                case Give():
                    before = effects[index - 1]
                    assert isinstance(before, Record)
                    assert (before.change.job_id, before.change.state) == (
                        effect.job_id,
                        State.RUNNING,
                    )
                    self.check_give(effect)
                case Signal():
                    self.check_signal(effect)
                case Record(change):
                    self.check_record(change)
                case Broken(job, failure, _, new):
                    assert new == ((job, failure) not in self.shown), "an error is shown once"
                    self.shown.add((job, failure))
                    self.broken.add(job)
                case Ready(job):
                    assert job not in self.broken
                case Waits(job_id):
                    assert job_id not in self.told, "it is said once"
                    self.told.add(job_id)

    def check_give(self, give: Give) -> None:
        worker, run = self.workers[give.worker_id], self.asked[give.job_id]
        assert not self.closing
        assert worker.job == run.job == give.job
        assert worker.ready
        assert worker.job_id is None
        assert worker.term_at is None, "a retired worker gets no run"
        assert run.given is None, "a run is given once"
        assert self.queues[run.job].pop(0) == give.job_id, "first come, first served"
        assert give.deadline == self.now + TIMEOUT
        worker.job_id, run.given, run.given_at = give.job_id, give.worker_id, self.now

    def check_signal(self, effect: Signal) -> None:
        worker = self.workers[effect.worker_id]
        has_run = worker.job_id is not None and not worker.answered
        if effect.number is signal.SIGTERM:
            assert worker.term_at is None
            assert not (self.saving and worker.job_id is not None), "a save never ends a run"
            if has_run and worker.job_id is not None:
                run = self.asked[worker.job_id]
                too_late = self.now >= run.given_at + TIMEOUT
                assert run.cancelled or self.closing or too_late
            worker.term_at = self.now
            worker.kill_from = self.now + GRACE
        else:
            assert effect.number is signal.SIGKILL
            assert worker.kill_from is not None
            assert self.now >= worker.kill_from, "the grace period is kept"
            worker.killed = True

    def check_record(self, change: Change) -> None:
        run = self.asked[change.job_id]
        assert run.final is None, "a run ends once"
        run.records.append(change.state)
        if change.state.final:
            run.final = change.state
            if change.job_id in self.queues[run.job]:
                self.queues[run.job].remove(change.job_id)
        else:
            assert change.state is State.RUNNING
            assert run.records == [State.RUNNING]

    # what may happen

    @rule(job=st.sampled_from(JOBS))
    def a_job_is_asked_for(self, job: str) -> None:
        job_id = f"r{len(self.asked) + 1}"
        self.asked[job_id] = Asked(job)
        refused = job not in self.specs
        self.queues[job].append(job_id)
        self.reasons[job] += 1
        self.send(Requested(job_id, job))
        assert (self.asked[job_id].final is State.FAILED) == refused

    def pick(self, data: st.DataObject, *, ready: bool | None, given: bool | None) -> str:
        return data.draw(st.sampled_from(self.those(ready=ready, given=given)))

    def those(self, *, ready: bool | None = None, given: bool | None = None) -> list[str]:
        return [
            worker_id
            for worker_id, worker in self.workers.items()
            if ready in (None, worker.ready)
            and given in (None, worker.job_id is not None and not worker.answered)
        ]

    @precondition(lambda self: self.those(ready=False))
    @rule(data=st.data())
    def a_worker_is_ready(self, data: st.DataObject) -> None:
        worker_id = self.pick(data, ready=False, given=None)
        worker = self.workers[worker_id]
        worker.ready_at = self.now
        if worker.term_at is None and worker.job_id is None:
            self.broken.discard(worker.job)
        self.send(StandbyReady(worker_id))

    @precondition(lambda self: self.those(ready=False))
    @rule(data=st.data())
    def a_handler_cannot_be_imported(self, data: st.DataObject) -> None:
        self.send(StandbyFailed(self.pick(data, ready=False, given=None), OOPS))

    @precondition(lambda self: self.those(given=True))
    @rule(data=st.data(), raised=st.booleans())
    def a_handler_answers(self, data: st.DataObject, raised: bool) -> None:
        worker_id = self.pick(data, ready=None, given=True)
        worker = self.workers[worker_id]
        assert worker.job_id is not None
        worker.answered = True
        if worker.kill_from is None:
            worker.kill_from = self.now + GRACE
        job_id = worker.job_id
        self.send(Raised(worker_id, job_id, OOPS) if raised else Responded(worker_id, job_id, b"1"))
        run = self.asked[job_id]
        if worker.term_at is None:
            assert run.final is (State.FAILED if raised else State.SUCCEEDED)
        else:
            assert run.final in (State.CANCELLED, State.TIMED_OUT)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), exit_=st.sampled_from([Exit(code=0), Exit(code=1), Exit(signal=9)]))
    def a_worker_exits(self, data: st.DataObject, exit_: Exit) -> None:
        self.exit(self.pick(data, ready=None, given=None), exit_)

    def exit(self, worker_id: str, exit_: Exit) -> None:
        worker = self.workers.pop(worker_id)
        # Whoever is killed from outside while it tries has found nothing out.
        killed = exit_.signal is not None and worker.term_at is None
        self.reasons[worker.job] += worker.ready or killed
        self.send(Exited(worker_id, exit_))
        if worker.job_id is not None:
            run = self.asked[worker.job_id]
            assert run.final is not None
            if worker.term_at is None and not worker.answered:
                assert run.final is State.CRASHED

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def a_worker_says_something_twice_or_out_of_turn(self, data: st.DataObject) -> None:
        worker_id = self.pick(data, ready=True, given=None) if self.those(ready=True) else "none"
        stranger = data.draw(st.sampled_from([*self.asked, "nobody"]))
        mine = worker_id in self.workers and self.workers[worker_id].job_id == stranger
        if not mine or self.workers[worker_id].answered:
            self.send(
                StandbyReady(worker_id),
                Responded(worker_id, stranger, b"1"),
                Raised(worker_id, stranger, OOPS),
                Exited("none", Exit(code=0)),
            )

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def a_run_is_cancelled(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.asked)))
        run = self.asked[job_id]
        queued = run.given is None and run.final is None
        run.cancelled = True
        self.send(CancelRequested(job_id))
        if queued:
            assert run.final is State.CANCELLED

    @rule(jobs=st.frozensets(st.sampled_from(JOBS), min_size=1))
    def files_are_saved(self, jobs: frozenset[str]) -> None:
        self.forget(jobs)
        self.saving = True
        self.send(SourcesChanged(jobs))
        self.saving = False

    def forget(self, jobs: Set[str]) -> None:
        self.broken -= jobs
        self.shown = {(job, failure) for job, failure in self.shown if job not in jobs}

    @rule(
        handlers=st.dictionaries(
            st.sampled_from(JOBS), st.sampled_from(["jobs/a.handler", "jobs/b.handler"])
        )
    )
    def the_app_is_deployed(self, handlers: Mapping[str, str]) -> None:
        specs = {name: in_any_order(name, handler) for name, handler in handlers.items()}
        self.forget({name for name in JOBS if specs.get(name) != self.specs.get(name)})
        self.specs = specs
        self.saving = True
        self.send(JobsChanged(Jobs(specs.values())))
        self.saving = False

    @rule(seconds=st.sampled_from([0.0, 1.0, GRACE, TIMEOUT, MAX_AGE]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if not self.fail_when_broken:
            for job, queue in self.queues.items():
                self.reasons[job] += bool(queue)
        self.send(Tick())
        self.ticked = self.now
        wakeup = self.supervisor.next_wakeup()
        assert wakeup is None or wakeup > self.now, "the timer must not spin"
        for worker in self.workers.values():
            assert worker.killed or worker.kill_from is None or worker.kill_from > self.now
            if worker.job_id is not None and not worker.answered:
                expired = self.now >= self.asked[worker.job_id].given_at + TIMEOUT
                assert worker.term_at is not None or not expired

    @precondition(lambda self: len(self.asked) > 3)
    @rule()
    def the_daemon_is_stopped(self) -> None:
        self.closing = True
        self.send(Shutdown())
        assert all(worker.kill_from is not None for worker in self.workers.values())

    # what holds at all times

    @invariant()
    def an_old_standby_has_a_successor(self) -> None:
        for job in () if self.closing else self.specs:
            old = [self.is_old(w) for w in self.coming(job) if w.ready]
            if any(old) and self.ticked == self.now:
                assert any(not self.is_old(w) for w in self.coming(job))

    @invariant()
    def no_more_run_than_allowed(self) -> None:
        assert len(self.those(given=True)) <= self.concurrency

    @invariant()
    def runs_of_a_job_with_a_limit_of_one_never_overlap(self) -> None:
        assert len(self.given(LIMITED)) <= 1

    def given(self, job: str) -> list[Worker]:
        return [w for w in self.workers.values() if w.job == job and w.job_id is not None]

    @invariant()
    def every_worker_is_known(self) -> None:
        assert self.supervisor.workers == len(self.workers)

    @invariant()
    def nothing_waits_without_a_reason(self) -> None:
        if self.closing:
            return
        for job, queue in self.queues.items():
            if not queue:
                continue
            coming = self.coming(job)
            if job in self.broken and not coming:
                assert not self.fail_when_broken
                assert self.supervisor.next_wakeup() is not None, "it will be tried again"
                continue
            assert coming, "a queued run has a worker on its way"
            if any(w.ready for w in coming) and not (job == LIMITED and self.given(job)):
                assert len(self.those(given=True)) == self.concurrency

    @invariant()
    def there_are_not_more_workers_than_are_of_use(self) -> None:
        for job in JOBS:
            old = [w for w in self.coming(job) if self.is_old(w)]
            assert len(self.coming(job)) - len(old) <= self.concurrency
            assert len(old) <= self.concurrency

    def coming(self, job: str) -> list[Worker]:
        """The workers that may still get a run."""
        free = [w for w in self.workers.values() if w.job == job and w.job_id is None]
        return [w for w in free if w.term_at is None]

    def is_old(self, worker: Worker) -> bool:
        return worker.ready_at is not None and self.now >= worker.ready_at + MAX_AGE

    def teardown(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        if not self.closing:
            self.the_daemon_is_stopped()
        self.time_passes(GRACE)
        assert all(worker.killed for worker in self.workers.values())
        for worker_id in list(self.workers):
            self.exit(worker_id, Exit(signal=9))
        assert self.supervisor.workers == 0
        assert self.supervisor.next_wakeup() is None
        for run in self.asked.values():
            assert (run.final is None) == (run in self.still_queued())
            assert run.given is None or run.final is not None

    def still_queued(self) -> list[Asked]:
        return [self.asked[job_id] for queue in self.queues.values() for job_id in queue]


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestWhateverHappens = AnyOrder.TestCase


# --- attempts and limits ------------------------------------------------------------------------


def retried(desk: Desk, attempts: int = 3, delay: float = 2.0) -> None:
    desk(JobsChanged(Jobs([replace(spec("a"), max_attempts=attempts, retry_delay=delay)])))


def test_a_failed_attempt_is_followed_by_the_next_after_a_delay_that_doubles() -> None:
    desk = Desk()
    retried(desk)
    first = desk.running()
    (record,) = only(desk(Raised(first, "r1", OOPS)), Record)
    change = record.change
    assert (change.state, change.attempt, change.failure) == (State.QUEUED, 2, OOPS)
    assert record.worker_id == first, "whose output comes before that is told"
    assert change.detail == "attempt 1 of 3 FAILED, again in 2 s"
    second = desk.standby()
    assert only(desk(Tick(), after=1.9), Give) == []
    assert desk(Exited(first, Exit(code=0))) == []
    assert desk.supervisor.next_wakeup() == desk.now + 0.1
    assert [(g.worker_id, g.attempt) for g in only(desk(Tick(), after=0.1), Give)] == [(second, 2)]
    assert last_change(desk(Exited(second, Exit(code=1)))).detail == (
        "attempt 2 of 3 CRASHED, again in 4 s"
    )
    third = desk.standby()
    assert [g.attempt for g in only(desk(Tick(), after=4.0), Give)] == [3]
    (record,) = only(desk(Raised(third, "r1", OOPS)), Record)
    assert (record.change.state, record.worker_id) == (State.FAILED, third)


def test_a_later_attempt_that_succeeds_ends_the_run() -> None:
    desk = Desk()
    retried(desk)
    first = desk.running()
    desk(Raised(first, "r1", OOPS), Exited(first, Exit(code=0)))
    second = desk.standby()
    desk(Tick(), after=2.0)
    assert changes(desk(Responded(second, "r1", b"1"))) == [("r1", State.SUCCEEDED)]
    assert desk.supervisor.running == []


def test_the_next_attempt_waits_until_the_process_of_the_one_before_has_ended() -> None:
    desk = Desk()
    retried(desk)
    lingering = desk.running()
    desk(Raised(lingering, "r1", OOPS))
    desk.standby()
    assert only(desk(Tick(), after=5.0), Give) == []
    assert desk.supervisor.next_wakeup() == desk.now + 5.0, "it is killed then"
    assert Signal(lingering, signal.SIGKILL) in desk(Tick(), after=5.0)
    desk(Exited(lingering, Exit(signal=9)))
    assert desk.supervisor.next_wakeup() == START + 2.0, "the delay is over long since"
    assert [g.attempt for g in only(desk(Tick()), Give)] == [2]


def test_a_run_whose_last_attempt_lingers_holds_up_no_other_run() -> None:
    desk = Desk(concurrency=1)
    retried(desk)
    desk(Raised(desk.running("r1"), "r1", OOPS))
    desk(Tick(), after=5.0)
    desk.running("r2")


def test_a_cancelled_run_has_no_next_attempt() -> None:
    desk = Desk()
    retried(desk)
    worker = desk.running()
    desk(CancelRequested("r1"))
    assert changes(desk(Exited(worker, Exit(signal=15)))) == [("r1", State.CANCELLED)]
    assert changes(desk(Tick(), after=3600.0)) == []


def test_a_run_that_waits_for_its_next_attempt_can_be_cancelled() -> None:
    desk = Desk()
    retried(desk)
    desk(Raised(desk.running(), "r1", OOPS))
    change = last_change(desk(CancelRequested("r1")))
    assert (change.state, change.detail) == (State.CANCELLED, "before attempt 2 started")
    desk.standby()
    assert only(desk(Tick(), after=3600.0), Give) == []


def test_a_run_that_is_cancelled_while_its_last_attempt_lingers_ends_that_too() -> None:
    desk = Desk()
    retried(desk)
    worker = desk.running()
    desk(Raised(worker, "r1", OOPS))
    effects = desk(CancelRequested("r1"))
    assert Signal(worker, signal.SIGTERM) in effects
    (record,) = only(effects, Record)
    assert (record.change.state, record.worker_id) == (State.CANCELLED, worker)
    desk(Exited(worker, Exit(signal=15)))
    assert changes(desk(Tick(), after=3600.0)) == []


def test_a_handler_that_cannot_be_loaded_is_not_tried_again() -> None:
    desk = Desk()
    retried(desk)
    desk(Requested("r1", "a"))
    effects = desk(StandbyFailed(desk.launched()[-1], OOPS))
    assert changes(effects) == [("r1", State.FAILED)]


def test_a_job_with_its_own_limit_leaves_the_other_slots_to_other_jobs() -> None:
    desk = Desk("a", "b", concurrency=3)
    desk(JobsChanged(Jobs([replace(spec("a"), concurrency=1), spec("b")])))
    first = desk.running("a1", "a")
    desk.standby("a")
    assert only(desk(Requested("a2", "a")), Give) == []
    desk.running("b1", "b")
    desk(Responded(first, "a1", b"0"))
    assert [g.job_id for g in only(desk(Exited(first, Exit(code=0))), Give)] == ["a2"]


def test_under_its_jobs_own_limit_a_run_counts_until_its_process_has_ended() -> None:
    desk = Desk()
    desk(JobsChanged(Jobs([replace(spec("a"), concurrency=1)])))
    lingering = desk.running("r1")
    desk.standby()
    desk(Responded(lingering, "r1", b"1"))
    assert only(desk(Requested("r2", "a")), Give) == []
    assert [g.job_id for g in only(desk(Exited(lingering, Exit(code=0))), Give)] == ["r2"]


def test_a_slot_of_all_jobs_is_free_as_soon_as_a_run_has_answered() -> None:
    desk = Desk(concurrency=1)
    lingering = desk.running("r1")
    desk(Responded(lingering, "r1", b"1"))
    desk.running("r2")


def test_it_is_said_once_of_each_run_which_limit_it_waits_for() -> None:
    desk = Desk("a", "b", concurrency=2)
    desk(JobsChanged(Jobs([replace(spec("a"), concurrency=1), spec("b")])))
    desk.running("a1", "a")
    assert only(desk(Requested("a2", "a")), Waits) == [Waits("a2", "a", 1, own=True)]
    assert only(desk(Requested("b1", "b")), Waits) == [], "only its standby is not ready yet"
    desk.standby("b")
    told = only(desk(Requested("b2", "b"), Requested("b3", "b"), Requested("a3", "a")), Waits)
    assert told == [
        Waits("a3", "a", 1, own=True),
        Waits("b2", "b", 2, own=False),
        Waits("b3", "b", 2, own=False),
    ]
    assert desk(Tick(), after=1.0) == []


def test_after_a_restart_a_run_goes_on_with_its_attempt() -> None:
    desk = Desk()
    desk.standby()
    assert [g.attempt for g in only(desk(Requested("r1", "a", 2)), Give)] == [2]


# --- runs that are handed over ------------------------------------------------------------------


def test_what_has_not_started_can_be_withdrawn_without_a_trace() -> None:
    desk = Desk(concurrency=1)
    desk.running("r1")
    desk(Requested("r2", "a"), Requested("again", "a", 2), Requested("r3", "a"))
    assert desk.supervisor.unstarted == ["r2", "r3"]
    assert desk(Withdrawn(frozenset({"r1", "r2", "again", "r3", "unknown"}))) == []
    assert desk.supervisor.unstarted == []
    assert desk.supervisor.running == ["r1"]
    assert only(desk(CancelRequested("r2")), Record) == []


def test_a_supervisor_is_idle_when_nothing_runs_or_will() -> None:
    desk = Desk(concurrency=1)
    assert desk.supervisor.idle
    worker = desk.running("r1")
    desk(Requested("r2", "a"))
    desk(Responded(worker, "r1", b"1"))
    assert not desk.supervisor.idle
    desk(Withdrawn(frozenset({"r2"})))
    assert desk.supervisor.idle


# --- runs that could not be entered -------------------------------------------------------------


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


def test_a_run_whose_message_comes_again_has_one_attempt_whatever_its_number() -> None:
    desk = Desk()
    retried(desk)
    worker = desk.standby()
    (given,) = only(desk(Requested("r1", "a", 2, once=True)), Give)
    assert (given.worker_id, given.attempt) == (worker, 2)
    (record,) = only(desk(Raised(worker, "r1", OOPS)), Record)
    assert (record.change.state, record.change.attempt) == (State.FAILED, 2)
