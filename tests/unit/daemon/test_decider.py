from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

from devbridge.daemon.decider import Decider
from devbridge.daemon.dispatch import Dispatcher
from devbridge.daemon.events import (
    Effect,
    Event,
    Give,
    Launch,
    Ready,
    Record,
    Requested,
    SourcesChanged,
    StandbyReady,
)
from devbridge.daemon.jobs import Jobs
from devbridge.daemon.keeper import Keeper, keep
from devbridge.daemon.supervisor import Supervisor
from devbridge.daemon.weather import Weather
from devbridge.protocol import codec
from devbridge.protocol.messages import Accepted, Rejected, Reply, Run, Status, StatusReply
from devbridge.protocol.session import Deliver
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.model import JobSpec, State

NOW = 1_000.0
SPEC = JobSpec("a", "a.handler", 60, 3072, "arn:aws:iam::1:role/job", {})


def a_run(payload: bytes = b"1") -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=NOW - 0.1,
        job="a",
        job_id=codec.new_id(),
        payload=payload,
    )


class Desk:
    """A decider over a real ledger and a real supervisor."""

    def __init__(self, keeper: Keeper, logs: Path) -> None:
        self.keeper = keeper
        self.looked: list[set[str]] = []
        self.news: list[Event] = []
        self.held: list[Deliver] = []
        jobs = Jobs([SPEC])
        self.supervisor = Supervisor(jobs, concurrency=2, grace=1.0)
        weather = Weather(keeper, connected_since=lambda: 0.0, take=self.held.extend)
        self.decider = Decider(
            keeper, Dispatcher(keeper, jobs, logs), self.supervisor, weather, self._look
        )

    def _look(self, jobs: Collection[str]) -> list[Event]:
        self.looked.append(set(jobs))
        return self.news

    def decide(
        self, *events: Event, requests: Sequence[Run | Status] = ()
    ) -> tuple[Sequence[Effect], list[Reply]]:
        delivers = [Deliver(request, ()) for request in requests]
        effects, replies = self.decider.decide(events, delivers, NOW)
        assert [deliver for deliver, _ in replies] == delivers[: len(replies)]
        return effects, [reply for _, reply in replies]

    def state(self, job_id: str) -> State | None:
        entry = self.keeper.get(job_id)
        return None if entry is None else entry.state


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    keeper, _ = keep(tmp_path / "ledger.sqlite")
    yield Desk(keeper, tmp_path / "logs")
    keeper.close()


@pytest.fixture
def unwritable(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_writes: object) -> None:
        raise LedgerError("the ledger cannot be written")

    monkeypatch.setattr(desk.keeper, "_perform", fail)


def test_a_request_is_in_the_ledger_before_it_is_answered(desk: Desk) -> None:
    run = a_run()
    effects, replies = desk.decide(requests=[run])
    assert desk.state(run.job_id) is State.QUEUED
    assert replies == [
        Accepted(request_id=run.request_id, job_id=run.job_id, state="QUEUED", duplicate=False)
    ]
    assert effects == [Launch("a-1", "a")]


def test_a_run_that_starts_at_once_is_answered_as_running(desk: Desk) -> None:
    desk.decide()
    desk.decide(StandbyReady("a-1"))
    effects, (reply,) = desk.decide(requests=[a_run()])
    assert [type(effect) for effect in effects] == [Record, Give, Launch]
    assert isinstance(reply, Accepted)
    assert reply.state == "RUNNING"


def test_answers_are_in_the_order_of_their_requests(desk: Desk) -> None:
    run = a_run()
    status = Status(request_id=codec.new_id(), stub_id=run.stub_id, sent_at=NOW, job_id=run.job_id)
    _, replies = desk.decide(requests=[run, status, run])
    assert [type(reply) for reply in replies] == [Accepted, StatusReply, Accepted]
    again = replies[2]
    assert isinstance(again, Accepted)
    assert again.duplicate


def test_what_the_supervisor_decides_is_in_the_ledger_before_it_is_performed(desk: Desk) -> None:
    run = a_run()
    desk.decide(requests=[run])
    effects, _ = desk.decide(StandbyReady("a-1"))
    assert [type(effect) for effect in effects] == [Ready, Record, Give, Launch]
    assert desk.state(run.job_id) is State.RUNNING


def test_what_a_job_has_read_is_looked_at_before_it_is_run_and_only_then(desk: Desk) -> None:
    desk.decide(StandbyReady("a-1"))
    assert desk.looked == []
    desk.decide(Requested("r0", "a"))
    desk.decide(requests=[a_run()])
    assert desk.looked == [{"a"}, {"a"}]


def test_news_of_a_save_come_before_the_run_that_has_found_it(desk: Desk) -> None:
    desk.decide()
    desk.decide(StandbyReady("a-1"))
    desk.news = [SourcesChanged(frozenset({"a"}))]
    effects, _ = desk.decide(requests=[a_run()])
    assert not any(isinstance(effect, Give) for effect in effects), "the standby is out of date"


@pytest.mark.usefixtures("unwritable")
def test_a_run_that_cannot_be_entered_is_refused_and_is_not_started(desk: Desk) -> None:
    desk.decide()
    desk.decide(StandbyReady("a-1"))
    run = a_run()
    effects, replies = desk.decide(requests=[run])
    assert effects == [Launch("a-2", "a")], "a standby is wanted all the same"
    (reply,) = replies
    assert isinstance(reply, Rejected)
    assert reply.code == "Busy"
    assert desk.supervisor.idle, "it is forgotten"
    assert desk.state(run.job_id) is None


@pytest.mark.usefixtures("unwritable")
def test_one_whose_caller_may_have_been_told_queued_is_held_without_an_answer(desk: Desk) -> None:
    late = Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=NOW - 60,
        job="a",
        job_id=codec.new_id(),
        payload=b"1",
    )
    assert desk.decide(requests=[late]) == ([Launch("a-1", "a")], [])


def test_a_run_from_here_is_entered_and_then_asked_for(desk: Desk) -> None:
    entered = desk.decider.enter("a", b'{"num": 1}', NOW)
    assert entered.asked == Requested(entered.job_id, "a")
    assert desk.state(entered.job_id) is State.QUEUED
    assert desk.keeper.payload(entered.job_id) == b'{"num": 1}'


@pytest.mark.usefixtures("unwritable")
def test_one_that_cannot_be_entered_is_not_asked_for(desk: Desk) -> None:
    entered = desk.decider.enter("a", b"1", NOW)
    assert entered.asked is None
    assert desk.state(entered.job_id) is None
