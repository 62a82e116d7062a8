"""What every store promises, whoever keeps the runs: one contract for all of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from devbridge.errors import JobNotFinished, NotFound, UnknownJob, UnknownRun
from devbridge.runs.base import (
    RunRecord,
    Step,
    Wanted,
    shortened,
    told,
)
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES, Clock, until_ended

from .worlds import (
    FAILED,
    FAILURE,
    KEPT,
    LARGE,
    LIVE,
    DeployedInvokerWorld,
    DeployedWorld,
    LedgerWorld,
    LiveInvokerWorld,
    StageWorld,
    World,
)

NOT_THERE = [
    "ffffffff-0000-4000-8000-000000000001",
    "demo_prod_factorial:ffffffff-0000-4000-8000-000000000001",
    "nonsense",
    "",
]

WORLDS = [
    *("ledger", "live invoker", "codebuild", "batch", "fargate", "lambda"),
    *("deployed invoker", "stage", "stage of batch"),
]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        if request.param == "ledger":
            yield LedgerWorld(tmp_path, stack)
            return
        if request.param == "live invoker":
            yield LiveInvokerWorld(tmp_path, stack)
            return
        if request.param == "deployed invoker":
            yield DeployedInvokerWorld()
        elif request.param.startswith("stage"):
            yield StageWorld(tmp_path, "batch" if "batch" in request.param else "codebuild")
        else:
            yield DeployedWorld(request.param)


def ids(world: World, limit: int = 50, **only: str | State) -> list[str]:
    runs = world.store.recent(limit, **only)  # type: ignore[arg-type]
    return [run.record.job_id for run in runs]


def found(world: World, wanted: Wanted, limit: int = 50) -> list[str]:
    """Those of all pages."""
    page = world.store.search(wanted, limit=limit)
    seen = [run.record.job_id for run in page.runs]
    if page.total is not None:
        total = page.total
        assert total >= len(seen)
    while page.after is not None:
        page = world.store.search(wanted, limit=limit, after=page.after)
        assert len(page.runs) <= limit
        seen += [run.record.job_id for run in page.runs]
    return seen


class TestAStore:
    @pytest.mark.parametrize("run_id", NOT_THERE)
    def test_knows_no_run_that_is_not_there(self, world: World, run_id: str) -> None:
        world.add(State.RUNNING)
        with pytest.raises(UnknownRun):
            world.store.get(run_id)

    @pytest.mark.parametrize("prefix", ["ffff", "", "demo_prod_factorial:ffff", "%"])
    def test_finds_nothing_that_is_not_there(self, world: World, prefix: str) -> None:
        world.add(State.RUNNING)
        assert list(world.store.find(prefix)) == []

    @pytest.mark.parametrize("state", KEPT)
    def test_tells_each_state_of_a_run(self, world: World, state: State) -> None:
        run_id = world.add(state)
        run = world.store.get(run_id)
        for record in (run.record, run.refresh(), run.refresh(result=True)):
            assert (record.job_id, record.job, record.state) == (run_id, "factorial", state)
            assert record.failure == (FAILURE if state in FAILED else None)
        assert run.record.result == (b"120" if state is State.SUCCEEDED else None)
        assert run.record.closed == state.final
        assert run.tended()
        assert run.poll > 0

    def test_tells_more_of_a_run_when_there_is_more(self, world: World) -> None:
        run_id = world.add(State.QUEUED)
        run = world.store.get(run_id)
        world.end(run_id, State.FAILED)
        seen = [run.record.state, run.refresh().state, run.record.state]
        assert seen == [State.QUEUED, State.FAILED, State.FAILED]

    def test_finds_by_the_beginning_of_an_id_all_that_begin_so(self, world: World) -> None:
        both = {world.add(State.RUNNING), world.add(State.SUCCEEDED)}
        for prefix in ("0000", "00000"):
            found = world.store.find(prefix)
            assert {run.record.job_id for run in found} == (both if world.lists else set())

    def test_finds_one_by_its_whole_id(self, world: World) -> None:
        run_id, _ = world.add(State.RUNNING), world.add(State.RUNNING)
        assert [r.record.job_id for r in world.store.find(run_id)] == [run_id] * world.lists
        assert world.store.get(run_id).record.job_id == run_id

    def test_lists_the_newest_first_those_of_a_job_and_in_a_state(self, world: World) -> None:
        added = [world.add(state) for state in (State.FAILED, State.RUNNING, State.FAILED)]
        if not world.lists:
            with pytest.raises(NotFound, match="does not list runs"):
                world.store.recent(3)
            return
        assert ids(world) == added[::-1]
        assert ids(world, 2) == added[:0:-1]
        assert ids(world, state=State.FAILED) == [added[2], added[0]]
        assert ids(world, 1, state=State.FAILED) == [added[2]]
        assert ids(world, state=State.QUEUED) == []
        assert ids(world, job="factorial", state=State.RUNNING) == [added[1]]
        assert ids(world, job="other") == []

    def test_finds_what_is_wanted_page_by_page(self, world: World) -> None:
        states = (State.FAILED, State.RUNNING, State.SUCCEEDED, State.FAILED, State.FAILED)
        added = [world.add(state) for state in states]
        if not world.lists:
            with pytest.raises(NotFound, match="does not list runs"):
                world.store.search(Wanted(), limit=3)
            return
        assert found(world, Wanted()) == added[::-1]
        assert found(world, Wanted(), 2) == added[::-1]
        failed = [added[4], added[3], added[0]]
        for limit in (1, 2, 3, 50):
            assert found(world, Wanted(states=(State.FAILED,)), limit) == failed
        assert found(world, Wanted(job="other")) == []
        assert found(world, Wanted(text="keyerror")) == failed
        assert found(world, Wanted(text=added[1])) == [added[1]]
        created = [world.store.get(run_id).record.created_at for run_id in added]
        assert found(world, Wanted(since=created[1], until=created[4])) == added[3:0:-1]

    @pytest.mark.parametrize("state", [State.QUEUED, State.STARTING])
    def test_lets_a_run_that_has_not_started_never_start(self, world: World, state: State) -> None:
        run = world.store.get(world.add(state))
        done = run.cancel()
        assert (done.job_id, done.job) == (run.record.job_id, "factorial")
        assert (done.was, done.state) == (state, State.CANCELLED)
        assert world.store.get(done.job_id).record.state is State.CANCELLED

    def test_stops_a_run_that_runs_now_or_soon(self, world: World) -> None:
        done = world.store.get(world.add(State.RUNNING)).cancel()
        assert done.was is State.RUNNING
        assert done.state in (State.RUNNING, State.CANCELLED)
        assert world.store.get(done.job_id).record.state is done.state

    @pytest.mark.parametrize("state", EXIT_CODES)
    def test_leaves_a_run_that_has_ended_as_it_is(self, world: World, state: State) -> None:
        done = world.store.get(world.add(state)).cancel()
        assert (done.was, done.state) == (state, state)
        assert world.store.get(done.job_id).record.state is state

    @pytest.mark.parametrize("state", EXIT_CODES)
    def test_has_the_same_end_for_whoever_waits(self, world: World, state: State) -> None:
        run_id = world.add(State.RUNNING)
        clock = Clock(sleep=lambda _: world.end(run_id, state))
        ended = until_ended(world.store.get(run_id), clock)
        assert EXIT_CODES[ended.state] == EXIT_CODES[state]
        assert ended.result == (b"120" if state is State.SUCCEEDED else None)

    @pytest.mark.parametrize("state", LIVE)
    def test_lets_nobody_wait_for_longer_than_they_want(self, world: World, state: State) -> None:
        run = world.store.get(world.add(state))
        with pytest.raises(JobNotFinished, match=f"the run is {state}"):
            until_ended(run, Clock(timedelta()))

    def test_has_a_large_result_whole(self, world: World) -> None:
        run_id = world.add(State.RUNNING)
        world.end(run_id, State.SUCCEEDED, LARGE)
        result = world.store.get(run_id).refresh(result=True).result
        assert json.loads(result or b"") == json.loads(LARGE)

    @pytest.mark.parametrize("remember", [True, False])
    def test_starts_one_run_for_one_key(self, world: World, remember: bool) -> None:
        first = world.store.start("factorial", b'{"num": 5}', key="monday", remember=remember)
        record = first.run.record
        assert (record.job, record.state) == ("factorial", State.QUEUED)
        again = world.store.start("factorial", b'{"num": 5}', key="monday", remember=remember)
        other = world.store.start("factorial", b'{"num": 5}', key="tuesday", remember=remember)
        assert again.run.record.job_id == record.job_id != other.run.record.job_id
        assert world.store.get(record.job_id).record.job_id == record.job_id
        assert (first.duplicate, other.duplicate) == (False, False)
        assert again.duplicate

    def test_tells_what_a_run_was_given_unless_it_is_an_invoker(self, world: World) -> None:
        given = '{"num": "\u2028"}'.encode()
        started = world.store.start("factorial", given, key="k", remember=True)
        run = world.store.get(started.run.record.job_id)
        if world.lists:
            assert json.loads(run.payload()) == json.loads(given)
            return
        with pytest.raises(NotFound, match="not told by its job's invoker"):
            run.payload()

    def test_starts_no_run_of_a_job_that_is_not_there(self, world: World) -> None:
        with pytest.raises(UnknownJob, match="'nothing'"):
            world.store.start("nothing", b"1", key="k", remember=True)

    def test_tells_what_became_of_a_run_in_order(self, world: World) -> None:
        history = world.store.get(world.add(State.SUCCEEDED)).history()
        states = [State.QUEUED, State.RUNNING, State.SUCCEEDED] if world.lists else []
        assert [step.state for step in history] == states
        assert [step.at for step in history] == sorted(step.at for step in history)


def test_a_records_times_are_its_history() -> None:
    record = RunRecord(job_id="r", job="j", state=State.FAILED, attempt=2)
    assert told(record) == []
    queued = RunRecord(job_id="r", job="j", state=State.QUEUED, created_at=0.0)
    assert told(queued) == [Step(0.0, State.QUEUED)]
    ended = RunRecord(
        job_id="r",
        job="j",
        state=State.FAILED,
        created_at=1.0,
        started_at=2.0,
        ended_at=3.0,
        attempt=2,
    )
    assert told(ended) == [
        Step(1.0, State.QUEUED),
        Step(2.0, State.RUNNING),
        Step(3.0, State.FAILED, 2),
    ]


@pytest.mark.parametrize(
    ("others", "short"),
    [
        ([], "12345678"),
        (["1234567800"], "12345678-"),
        (["12345678-0", "12345678-99"], "12345678-90"),
        (["12345678-901"], "12345678"),
        (["87654321"], "12345678"),
    ],
)
def test_an_id_is_shown_as_long_as_it_must_be(others: list[str], short: str) -> None:
    assert shortened("12345678-901", others) == short
