from __future__ import annotations

import json
import signal
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devbridge.daemon.pool import faults
from devbridge.daemon.pool.events import (
    Abandoned,
    Alone,
    Answer,
    Answered,
    Asked,
    Dropped,
    Effect,
    Event,
    Exited,
    FunctionsChanged,
    Give,
    Halted,
    Launch,
    Loaded,
    NotLoaded,
    NotStarted,
    Ready,
    Saved,
    Shutdown,
    Signal,
    Tick,
)
from devbridge.daemon.pool.faults import Fault
from devbridge.daemon.pool.pool import REMEMBERED, Pool
from devbridge.daemon.pool.workers import GRACE, IDLE, SHORT_PAUSE
from devbridge.daemon.told import Broken, Short
from devbridge.runs.model import Exit, FunctionSpec
from runner.outcome import KILL_AGAIN, Failure
from tests.integration.functions import function

START = 1_000.0
TIMEOUT = 3.0
OOPS = faults.of_failure(Failure("SyntaxError", "invalid syntax"))
KILLED = Failure("Killed", "the worker was ended by SIGKILL")
T = TypeVar("T")


def spec(name: str = "api", **options: Any) -> FunctionSpec:
    return function(name, timeout=TIMEOUT, **options)


class Desk:
    """A pool with a clock, and what it has decided so far."""

    def __init__(self, *specs: FunctionSpec, most: int = 2, spare: bool = True) -> None:
        self.now = START
        self.pool = Pool(most=most, spare=spare)
        self.seen: list[Effect] = []
        self.specs = {each.name: each for each in specs or (spec(),)}
        self(FunctionsChanged(self.specs))

    def __call__(self, *events: Event, after: float = 0.0) -> list[Effect]:
        self.now += after
        effects = self.pool.handle(events, self.now)
        self.seen += effects
        return effects

    def ask(self, request_id: str, function: str = "api", remaining: float = 30.0) -> list[Effect]:
        return self(Asked(request_id, function, f"aws-{request_id}", self.now + remaining))

    def tick(self, after: float) -> list[Effect]:
        return self(Tick(), after=after)

    def launched(self) -> list[str]:
        return [each.worker_id for each in only(self.seen, Launch)]

    def ready(self) -> str:
        """The newest worker has loaded its handler."""
        worker = self.launched()[-1]
        self(Ready(worker))
        return worker

    def busy(self, request_id: str = "r1") -> str:
        """A worker with a request."""
        worker = self.ready()
        (given,) = only(self.ask(request_id), Give)
        assert given == Give(worker, request_id, self.now + TIMEOUT)
        return worker


def only(effects: list[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def error(effects: list[Effect]) -> dict[str, str]:
    (answer,) = only(effects, Answer)
    assert isinstance(answer.answer, Fault)
    document: dict[str, str] = json.loads(answer.answer.document)
    return document


# --- requests -----------------------------------------------------------------------------------


def test_each_function_has_a_worker_from_the_start() -> None:
    desk = Desk(spec("a"), spec("b"))
    assert {each.function for each in only(desk.seen, Launch)} == {"a", "b"}


def test_without_standbys_the_first_request_starts_a_worker() -> None:
    desk = Desk(spare=False)
    assert desk.seen == []
    assert len(only(desk.ask("r1"), Launch)) == 1
    assert len(only(desk(Ready(desk.launched()[0])), Give)) == 1


def test_a_request_is_handed_to_the_worker_that_waits() -> None:
    desk = Desk()
    worker = desk.busy()
    assert desk(Answered(worker, b"1")) == [Answer("r1", b"1", worker)]


def test_a_worker_handles_one_request_after_the_other() -> None:
    desk = Desk(most=1)
    worker = desk.busy("r1")
    assert only(desk.ask("r2"), Give) == []
    effects = desk(Answered(worker, b"1"))
    assert [type(each) for each in effects] == [Answer, Give]
    assert only(effects, Give)[0].request_id == "r2"


def test_requests_at_once_get_workers_up_to_the_limit() -> None:
    desk = Desk(most=3)
    for number in range(5):
        desk.ask(f"r{number}")
    assert len(desk.launched()) == 3


def test_a_reserved_concurrency_is_the_limit_where_it_is_smaller() -> None:
    desk = Desk(spec(reserved=1), most=3)
    desk.ask("r1"), desk.ask("r2")
    assert len(desk.launched()) == 1


def test_a_request_is_handled_once_however_often_it_comes() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    assert desk.ask("r1") == []
    desk(Answered(worker, b"1"))
    assert desk.ask("r1") == []
    desk.now += REMEMBERED + 1
    desk.ask("other")
    assert only(desk.ask("r1"), Answer) == []
    assert not desk.pool.knows("long ago")


def test_one_that_was_abandoned_before_it_came_is_never_handled() -> None:
    desk = Desk()
    desk.ready()
    assert desk(Abandoned("r1")) == []
    assert desk.ask("r1") == []


def test_a_request_is_not_begun_when_nobody_waits_any_more() -> None:
    desk = Desk(most=1)
    worker = desk.busy("r1")
    desk.ask("r2", remaining=1.0)
    assert Dropped("r2") in desk.tick(1.0)
    assert only(desk(Answered(worker, b"1")), Give) == []


def test_a_waiting_request_that_was_abandoned_is_dropped() -> None:
    desk = Desk()
    desk.ask("r1")
    assert desk(Abandoned("r1")) == [Dropped("r1")]
    assert only(desk(Ready(desk.launched()[0])), Give) == []


def test_the_worker_of_an_abandoned_request_is_killed() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    effects = desk(Abandoned("r1"))
    assert effects[:2] == [Dropped("r1", worker), Signal(worker, signal.SIGKILL)]
    assert only(effects, Launch)  # it has a successor
    assert desk(Answered(worker, b"too late")) == []


def test_a_function_that_nobody_knows_is_an_error() -> None:
    desk = Desk()
    assert error(desk.ask("r1", "other"))["errorType"] == "UnknownFunction"


def test_a_function_out_of_time_is_killed_and_answered_as_lambda_does() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    assert desk.tick(TIMEOUT - 0.1) == []
    effects = desk.tick(0.2)
    assert error(effects) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: aws-r1 Error: Task timed out after 3.00 seconds",
    }
    assert Signal(worker, signal.SIGKILL) in effects


def test_the_time_of_one_request_is_not_that_of_the_next() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    desk(Answered(worker, b"1"), after=TIMEOUT - 1)
    desk.ask("r2")
    assert only(desk.tick(2.0), Answer) == []
    assert error(desk.tick(TIMEOUT))["errorType"] == "Sandbox.Timedout"


def test_the_time_in_which_a_debugger_halts_it_does_not_count() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    desk(Halted(worker, True))
    assert only(desk.tick(60.0), Answer) == []
    desk(Halted(worker, False))
    assert only(desk.tick(TIMEOUT - 0.1), Answer) == []
    assert only(desk.tick(0.2), Answer)


# --- ends of processes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_", "what"),
    [
        (Exit(code=1), "Runtime exited with error: exit status 1"),
        (Exit(code=0), "Runtime exited without providing a reason"),
        (Exit(signal=9), "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_under_a_request_is_lambdas_error(exit_: Exit, what: str) -> None:
    desk = Desk()
    worker = desk.busy("r1")
    effects = desk(Exited(worker, exit_, KILLED))
    assert error(effects) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: aws-r1 Error: {what}",
    }
    assert only(effects, Launch)


def test_a_request_that_a_dead_worker_was_given_goes_to_another_one() -> None:
    desk = Desk()
    worker = desk.ready()
    desk.ask("r1", remaining=5.0), desk.ask("r2")
    effects = desk(Exited(worker, Exit(code=1), KILLED, untaken=True))
    assert not only(effects, Answer)
    given = [only(desk(Ready(each)), Give)[0].request_id for each in desk.launched()[1:]]
    assert given == ["r1", "r2"], "the oldest first"


def test_nobody_waits_for_ever_for_another_worker() -> None:
    desk = Desk()
    worker = desk.ready()
    desk.ask("r1", remaining=5.0)
    desk(Exited(worker, Exit(code=1), KILLED, untaken=True))
    assert only(desk.tick(5.0), Dropped) == [Dropped("r1")]


def test_a_request_that_was_not_taken_before_a_broken_save_is_told_why() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    desk(Saved(frozenset({"api"})))
    desk(NotLoaded(desk.launched()[-1], OOPS))
    effects = desk(Exited(worker, Exit(code=1), KILLED, untaken=True))
    (again,) = only(effects, Launch)  # it may have needed what the old one has held
    assert error(desk(NotLoaded(again.worker_id, OOPS)))["errorType"] == "SyntaxError"


def test_workers_that_die_before_they_take_a_request_are_not_started_for_ever() -> None:
    desk = Desk()
    desk.ask("r1")
    for _ in range(2):
        ended = Exited(desk.ready(), Exit(code=1), Failure("Exited", "exited"), untaken=True)
        assert len(only(desk(ended), Launch)) == 1
    ended = Exited(desk.ready(), Exit(code=1), Failure("Exited", "exited"), untaken=True)
    effects = desk(ended)
    assert only(effects, Broken)[0].failure.message == "exited while it waited"
    assert [each.request_id for each in only(effects, Answer)] == ["r1"]


def test_workers_that_die_idle_again_and_again_are_not_started_for_ever() -> None:
    desk = Desk()
    for _ in range(2):
        effects = desk(Exited(desk.ready(), Exit(code=1), Failure("Exited", "exited")))
        assert len(only(effects, Launch)) == 1
    effects = desk(Exited(desk.ready(), Exit(code=1), Failure("Exited", "exited")))
    (broken,) = only(effects, Broken)
    assert broken.failure.message == "exited while it waited"
    assert not only(effects, Launch)


def test_one_that_ends_while_it_imports_cannot_be_loaded() -> None:
    desk = Desk()
    desk.ask("r1")
    effects = desk(Exited(desk.launched()[0], Exit(code=3), Failure("Exited", "exited")))
    assert only(effects, Broken)[0].failure.message == "exited while the handler was imported"
    what = "RequestId: aws-r1 Error: Runtime exited with error: exit status 3"
    assert error(effects)["errorMessage"] == what


def test_one_that_the_system_kills_while_it_imports_is_started_again() -> None:
    desk = Desk()
    effects = desk(Exited(desk.launched()[0], Exit(signal=9), KILLED))
    assert not only(effects, Broken)
    assert len(only(effects, Launch)) == 1


# --- handlers that cannot be loaded -------------------------------------------------------------


def test_a_handler_that_cannot_be_loaded_is_told_once_and_answered_at_once() -> None:
    desk = Desk()
    desk.ask("r1")
    worker = desk.launched()[0]
    effects = desk(NotLoaded(worker, OOPS))
    assert only(effects, Broken) == [Broken("api", OOPS, worker, True, function=True)]
    assert Answer("r1", OOPS) in effects
    assert not only(effects, Launch)
    assert desk.ask("r2") == [Answer("r2", OOPS)]
    assert desk.pool.broken == ["api"]


def test_a_save_tries_it_anew() -> None:
    desk = Desk()
    desk(NotLoaded(desk.launched()[0], OOPS))
    assert len(only(desk(Saved(frozenset({"api"}))), Launch)) == 1
    desk.ask("r1")  # waits for it
    effects = desk(Ready(desk.launched()[-1]))
    assert only(effects, Loaded) == [Loaded("api")]
    assert only(effects, Give)


def test_what_no_save_mends_is_tried_again_by_a_later_request() -> None:
    desk = Desk()
    desk(NotLoaded(desk.launched()[0], OOPS))
    desk.now += 2.0
    effects = desk.ask("r1")
    assert len(only(effects, Launch)) == 1
    effects = desk(NotLoaded(desk.launched()[-1], OOPS))
    assert only(effects, Broken)[0].new is False
    assert only(effects, Answer) == [Answer("r1", OOPS)]


def test_a_second_worker_that_cannot_be_loaded_leaves_the_first_one_at_work() -> None:
    desk = Desk()
    first = desk.busy("r1")
    desk.ask("r2")
    second = desk.launched()[-1]
    assert only(desk(NotLoaded(second, OOPS)), Alone) == [Alone("api", OOPS, 1)]
    assert desk(Exited(second, Exit(code=1), KILLED)) == []
    assert [type(each) for each in desk(Answered(first, b"1"))] == [Answer, Give]


def test_a_shortage_of_the_system_is_no_fault_of_the_function() -> None:
    desk = Desk()
    desk.ask("r1")
    assert desk(NotStarted(desk.launched()[0], "too many")) == [Short("too many")]
    assert desk.tick(SHORT_PAUSE / 2) == []
    (launch,) = only(desk.tick(SHORT_PAUSE), Launch)
    effects = desk(Ready(launch.worker_id))
    assert Short() in effects
    assert only(effects, Give)


# --- saves --------------------------------------------------------------------------------------


def test_a_save_ends_who_is_idle_and_starts_another_at_once() -> None:
    desk = Desk(most=1)
    worker = desk.ready()
    effects = desk(Saved(frozenset({"api"})))
    assert Signal(worker, signal.SIGTERM) in effects
    assert len(only(effects, Launch)) == 1


def test_a_request_under_way_finishes_on_the_old_code() -> None:
    desk = Desk()
    worker = desk.busy("r1")
    effects = desk(Saved(frozenset({"api"})))
    assert not only(effects, Signal)
    assert len(only(effects, Launch)) == 1
    effects = desk(Answered(worker, b"1"))
    assert effects[:2] == [Answer("r1", b"1", worker), Signal(worker, signal.SIGTERM)]


def test_a_request_after_a_save_waits_for_the_new_code() -> None:
    desk = Desk()
    desk.ready()
    desk(Saved(frozenset({"api"})))
    assert not only(desk.ask("r1"), Give)
    new = desk.ready()
    assert only(desk.seen, Give)[-1].worker_id == new


def test_a_function_with_one_reserved_worker_waits_for_the_old_one() -> None:
    desk = Desk(spec(reserved=1))
    worker = desk.busy("r1")
    assert desk(Saved(frozenset({"api"}))) == []
    assert len(only(desk(Answered(worker, b"1")), Launch)) == 1


def test_a_worker_that_does_not_go_is_killed() -> None:
    desk = Desk()
    worker = desk.ready()
    desk(Saved(frozenset({"api"})))
    assert desk.tick(GRACE) == [Signal(worker, signal.SIGKILL)]
    assert desk.tick(KILL_AGAIN) == [Signal(worker, signal.SIGKILL)]
    desk(Exited(worker, Exit(signal=9), KILLED))
    assert desk.tick(KILL_AGAIN) == []


# --- how many -----------------------------------------------------------------------------------


def test_workers_that_are_idle_for_long_end_but_for_one() -> None:
    desk = Desk()
    first = desk.busy("r1")
    desk.ask("r2")
    second = desk.ready()
    desk(Answered(first, b"1")), desk(Answered(second, b"1"))
    desk.tick(1.0)
    effects = desk.tick(IDLE)
    assert len(only(effects, Signal)) == 1
    assert not only(effects, Launch)
    assert only(desk.tick(10 * IDLE), Signal) in (
        [],
        [Signal(only(effects, Signal)[0].worker_id, signal.SIGKILL)],
    )


def test_without_standbys_the_last_one_ends_too() -> None:
    desk = Desk(spare=False)
    desk.ask("r1")
    worker = desk.ready()
    desk(Answered(worker, b"1"))
    assert desk.tick(IDLE) == [Signal(worker, signal.SIGTERM)]


def test_the_worker_that_has_worked_last_is_the_next() -> None:
    desk = Desk()
    first = desk.busy("r1")
    desk.ask("r2")
    second = desk.ready()
    desk(Answered(second, b"1")), desk(Answered(first, b"1"))
    assert only(desk.ask("r3"), Give)[0].worker_id == first


# --- deployments and the end --------------------------------------------------------------------


def test_a_function_that_was_changed_gets_new_workers() -> None:
    desk = Desk()
    worker = desk.ready()
    effects = desk(FunctionsChanged({"api": spec(environment={"A": "1"})}))
    assert Signal(worker, signal.SIGTERM) in effects
    assert len(only(effects, Launch)) == 1
    assert desk(FunctionsChanged({"api": spec(environment={"A": "1"})})) == []


def test_a_function_that_was_removed_answers_nothing_more() -> None:
    desk = Desk()
    desk.ask("r1")
    worker = desk.launched()[0]
    effects = desk(FunctionsChanged({}))
    assert error(effects)["errorType"] == "UnknownFunction"
    assert Signal(worker, signal.SIGTERM) in effects
    assert desk(Ready(worker)) == desk(Exited(worker, Exit(code=0), KILLED)) == []


def test_at_the_end_whoever_waits_is_told_and_everybody_goes() -> None:
    desk = Desk(most=1)
    worker = desk.busy("r1")
    desk.ask("r2")
    effects = desk(Shutdown())
    assert {each.request_id for each in only(effects, Answer)} == {"r1", "r2"}
    assert Signal(worker, signal.SIGTERM) in effects
    assert error(desk.ask("r3"))["errorType"] == "Stopped"
    assert desk(Exited(worker, Exit(signal=15), KILLED)) == []


def test_time_alone_wakes_nobody_for_nothing() -> None:
    assert Desk(spare=False).pool.next_wakeup() is None


def test_that_a_function_has_a_worker_is_told_once() -> None:
    desk = Desk()
    desk.ask("r1"), desk.ask("r2")
    first, second = desk.launched()
    assert only(desk(Ready(first)), Loaded) == [Loaded("api")]
    assert only(desk(Ready(second)), Loaded) == []


def test_those_that_wait_are_handled_in_the_order_in_which_they_came() -> None:
    desk = Desk(most=1)
    desk.ask("r1"), desk.ask("r2"), desk.ask("r3")
    worker = desk.ready()
    desk(Answered(worker, b"1")), desk(Answered(worker, b"1"))
    assert [each.request_id for each in only(desk.seen, Give)] == ["r1", "r2", "r3"]


def test_others_that_are_being_loaded_end_with_the_first_that_cannot_be() -> None:
    desk = Desk()
    desk.ask("r1"), desk.ask("r2")
    first, second = desk.launched()
    assert Signal(second, signal.SIGTERM) in desk(NotLoaded(first, OOPS))
    assert desk(Ready(second)) == []


def test_a_second_one_that_the_system_kills_is_started_again() -> None:
    desk = Desk()
    desk.busy("r1")
    desk.ask("r2")
    assert len(only(desk(Exited(desk.launched()[-1], Exit(signal=9), KILLED)), Launch)) == 1


def test_when_the_one_that_was_alone_has_gone_others_are_tried_again() -> None:
    desk = Desk()
    first = desk.busy("r1")
    desk.ask("r2")
    desk(NotLoaded(desk.launched()[-1], OOPS))
    assert len(only(desk(Exited(first, Exit(code=1), KILLED)), Launch)) == 1
    desk.ready()
    assert len(only(desk.ask("r3"), Launch)) == 1


def test_one_that_was_broken_and_mends_by_itself_is_told_to_be_well() -> None:
    desk = Desk()
    desk(Exited(desk.ready(), Exit(code=1), KILLED))
    assert only(desk(NotLoaded(desk.launched()[-1], OOPS)), Broken)
    desk.now += 2.0
    desk.ask("r1")
    assert only(desk(Ready(desk.launched()[-1])), Loaded) == [Loaded("api")]


def test_workers_of_a_function_that_was_away_for_a_while_count() -> None:
    desk = Desk(most=1)
    worker = desk.busy("r1")
    desk(FunctionsChanged({}))
    assert desk(FunctionsChanged(desk.specs)) == []
    assert len(only(desk(Answered(worker, b"1")), Launch)) == 1


# --- whatever happens ---------------------------------------------------------------------------


class Whatever(RuleBasedStateMachine):
    """Two functions, whose workers and callers do what they want."""

    MOST = 3

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.pool = Pool(most=self.MOST, spare=True)
        self.specs = {"a": spec("a"), "b": spec("b", reserved=2)}
        self.until: dict[str, float] = {}
        self.open: set[str] = set()
        """Requests that were neither answered nor dropped."""
        self.over: list[str] = []
        self.heard: dict[str, float] = {}
        """When requests were asked for or abandoned first."""
        self.busy: dict[str, str] = {}
        """Workers, and the requests that they have."""
        self.alive: dict[str, str] = {}
        """Processes, and their functions."""
        self.loading: set[str] = set()
        self.told_to_go: set[str] = set()
        self.outdated: set[str] = set()
        self.closed = False
        self.do(FunctionsChanged(self.specs))

    def do(self, event: Event) -> None:
        for effect in self.pool.handle([event], self.now):
            match effect:
                case Launch(worker, name):
                    assert not self.closed
                    self.alive[worker] = name
                    self.loading.add(worker)
                    at_once = [
                        w for w, n in self.alive.items() if n == name and w not in self.told_to_go
                    ]
                    assert len(at_once) <= (2 if name == "b" else self.MOST)
                case Give(worker, request, _):
                    assert worker in self.alive
                    assert worker not in self.busy, "two requests on one worker"
                    assert worker not in self.told_to_go | self.loading | self.outdated
                    assert request in self.open
                    assert self.now < self.until[request], "nobody waits for it"
                    self.busy[worker] = request
                case Answer(request, _, worker):
                    self.end(request)
                    assert self.busy.pop(worker, request) == request
                case Dropped(request, worker):
                    self.end(request)
                    assert self.busy.pop(worker, request) == request
                case Signal(worker, _):
                    self.told_to_go.add(worker)

    def end(self, request: str) -> None:
        assert request not in self.over, "answered twice"
        self.open.discard(request)
        self.over.append(request)

    def is_new(self, request: str) -> bool:
        """Whether it was not heard of for so long that it is forgotten, if ever."""
        known = self.pool.knows(request)
        assert known or self.now - self.heard.get(request, -REMEMBERED) >= REMEMBERED
        if not known:
            self.heard[request] = self.now
        return not known

    @rule(number=st.integers(0, 30), name=st.sampled_from("ab"), remaining=st.floats(0, 20))
    def ask(self, number: int, name: str, remaining: float) -> None:
        request = f"r{number}"
        if self.is_new(request):
            self.open.add(request)
            self.until[request] = self.now + remaining
            self.over = [each for each in self.over if each != request]
        self.do(Asked(request, name, f"aws-{request}", self.until[request]))

    @rule(number=st.integers(0, 30))
    def abandon(self, number: int) -> None:
        request = f"r{number}"
        self.is_new(request)
        self.until.setdefault(request, 0.0)
        self.do(Abandoned(request))
        assert request not in self.open, "it goes on"

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), loads=st.sampled_from([True, True, True, False]))
    def load(self, data: st.DataObject, loads: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.loading)))
        self.loading.discard(worker)
        self.do(Ready(worker) if loads else NotLoaded(worker, OOPS))

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.busy)))
        self.do(Answered(worker, b"1"))
        assert worker not in self.busy or self.busy[worker] in self.open

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), code=st.sampled_from([0, 1, -9]), untaken=st.booleans())
    def exit(self, data: st.DataObject, code: int, untaken: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.alive)))
        del self.alive[worker]
        self.loading.discard(worker)
        if untaken:
            self.busy.pop(worker, None)
        exit_ = Exit(code=code) if code >= 0 else Exit(signal=-code)
        self.do(Exited(worker, exit_, KILLED, untaken=untaken))
        assert worker not in self.busy

    @rule(name=st.sampled_from("ab"))
    def save(self, name: str) -> None:
        self.outdated |= {worker for worker, each in self.alive.items() if each == name}
        self.do(Saved(frozenset(name)))

    @rule(without=st.sampled_from(["", "a", "b"]))
    def deploy(self, without: str) -> None:
        self.outdated |= {worker for worker, each in self.alive.items() if each == without}
        self.do(FunctionsChanged({n: s for n, s in self.specs.items() if n != without}))

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.do(Tick())

    @precondition(lambda self: len(self.over) > 10)
    @rule()
    def stop(self) -> None:
        self.closed = True
        self.do(Shutdown())
        assert not self.open
        self.busy.clear()  # whoever has called was told, and the workers are told to go

    @invariant()
    def what_waits_is_known(self) -> None:
        assert self.pool.waiting == len(self.open)

    def teardown(self) -> None:
        """Whatever was asked for is over, once everybody has given up."""
        self.now += 10_000
        self.do(Tick())
        assert not self.open - set(self.busy.values())


Whatever.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestWhatever = Whatever.TestCase


@given(st.lists(st.sampled_from(["ask", "answer", "save"]), max_size=40))
def test_a_worker_that_was_outdated_gets_no_request(steps: list[str]) -> None:
    desk = Desk(most=2)
    outdated: set[str] = set()
    count = 0
    for step in steps:
        busy = {g.worker_id for g in only(desk.seen, Give)}
        if step == "ask":
            count += 1
            desk.ask(f"r{count}")
        elif step == "save":
            outdated |= set(desk.launched())
            desk(Saved(frozenset({"api"})))
        else:
            for worker in sorted(busy):
                desk(Answered(worker, b"1"))
        for worker in desk.launched():
            mark = len(desk.seen)
            desk(Ready(worker))
            assert not outdated & {g.worker_id for g in only(desk.seen[mark:], Give)}
