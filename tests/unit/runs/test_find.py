from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.errors import NotFound, UnknownRun
from devbridge.runs.base import Run, RunRecord
from devbridge.runs.find import (
    StageRuns,
    is_deployed,
    mark_deployed,
    mark_dev,
    resumes_at,
    takes_later,
)
from devbridge.runs.invoker import InvokerRun, InvokerStore
from devbridge.runs.ledger_store import LedgerRun, LedgerStore
from devbridge.runs.model import State
from devbridge.runs.stage import DeployedStore
from tests.unit.codebuild import PROJECT

from .worlds import LedgerWorld, StageWorld

ELSEWHERE = "bbbb3333-0000-4000-8000-000000000003"
WAITS = "bbbb4444-0000-4000-8000-000000000004"


class Scheduled:
    """What waits for its time, of which a test says what is found."""

    def __init__(self) -> None:
        self.there: list[Run] = []
        self.asked: list[tuple[Any, ...]] = []

    def find(self, given: str, started: Callable[[Run], Run]) -> list[Run]:
        self.asked.append(("find", given))
        return self.there

    def recent(self, limit: int, job: str | None, started: Callable[[Run], Run]) -> list[Run]:
        self.asked.append(("recent", limit, job))
        return self.there


class Stage:
    """A stage with runs of `devbridge dev`, deployed ones, and invokers that know nobody."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.live = LedgerWorld(folder, stack)
        self.deployed = StageWorld(folder)
        self.invoked: list[str] = []
        self.scheduled: Any = Scheduled()

    def runs(
        self, *, ledger: bool = True, is_deployed: bool = True, later: bool = False
    ) -> StageRuns:
        assert isinstance(self.live.store, LedgerStore)
        deployed = self.deployed.store
        assert isinstance(deployed, DeployedStore)
        return StageRuns(
            live=self.live.store if ledger else None,
            deployed=lambda: deployed,
            invoker=self._invoker,
            is_deployed=is_deployed,
            scheduled=lambda: self.scheduled,
            takes_later=later,
        )

    def _invoker(self, job: str) -> InvokerStore:
        self.invoked.append(job)
        return self.live.lambda_.store()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path, stack)


# --- where a stage's runs are -------------------------------------------------------------------


class AConfig(SimpleNamespace):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            stage_dir=folder / "ann",
            ledger=folder / "ann" / "ledger.sqlite",
            later_jobs=folder / "later.json",
        )

    def make_dirs(self) -> None:
        self.stage_dir.mkdir(exist_ok=True)


def test_a_stage_is_deployed_until_dev_runs_it_and_when_nobody_has_run_it(tmp_path: Path) -> None:
    config: Config = AConfig(tmp_path)  # type: ignore[assignment]
    assert is_deployed(config)
    config.make_dirs()
    config.ledger.touch()
    assert not is_deployed(config)
    mark_deployed(config)
    assert is_deployed(config)
    assert (config.stage_dir / "deployed").stat().st_mode & 0o777 == 0o600
    mark_dev(config)
    mark_dev(config)
    assert not is_deployed(config)


def test_a_stage_may_have_live_runs_for_a_later_time_if_a_job_took_such(tmp_path: Path) -> None:
    config: Config = AConfig(tmp_path)  # type: ignore[assignment]
    assert not takes_later(config)
    for text, takes in (("[]", False), ('["remind"]', True), ("", False)):
        config.later_jobs.write_text(text)
        assert takes_later(config) is takes


# --- which run ----------------------------------------------------------------------------------


def test_the_ledgers_run_comes_before_a_deployed_one(stage: Stage) -> None:
    live, build = stage.live.add(State.QUEUED), stage.deployed.add(State.RUNNING)
    assert stage.runs().find("0000").record.job_id == live
    assert stage.deployed.codebuild.calls == []
    assert stage.runs(ledger=False).find("0000").record.job_id == build


def test_an_id_that_a_store_owns_is_asked_of_that_store_only(stage: Stage) -> None:
    build = stage.deployed.add(State.RUNNING)
    stage.live.add(State.QUEUED)
    for given in (build, build[:-4], f"{PROJECT}:0"):
        assert stage.runs(is_deployed=False).find(given).record.job_id == build


def test_on_a_stage_of_dev_only_what_must_be_a_deployed_run_is_looked_for_there(
    stage: Stage,
) -> None:
    stage.deployed.add(State.RUNNING)
    with pytest.raises(UnknownRun, match="no run has an id that begins with '0000'") as caught:
        stage.runs(is_deployed=False).find("0000")
    assert caught.value.remedy == "see `devbridge jobs`"
    assert stage.deployed.codebuild.calls == []


def test_the_runs_of_a_job_are_known_by_their_names_in_it_wherever_they_are(stage: Stage) -> None:
    live = stage.live.add(State.QUEUED)
    _, build = (stage.deployed.add(State.FAILED) for _ in range(2))
    name = build.partition(":")[2]
    asked = [live, name, ELSEWHERE]
    found = stage.runs().named("factorial", asked)
    assert {each: run.job_id for each, run in found.items()} == {live: live, name: build}
    assert set(stage.runs(is_deployed=False).named("factorial", asked)) == {live}
    assert set(stage.runs(ledger=False).named("factorial", asked)) == {live, name}, "alike"
    assert stage.invoked == []


@pytest.mark.parametrize("world", ["live", "deployed"])
def test_two_runs_that_begin_alike_are_both_told(stage: Stage, world: str) -> None:
    both = [getattr(stage, world).add(state) for state in (State.QUEUED, State.FAILED)]
    with pytest.raises(UnknownRun, match="2 runs have an id that begins with '0000'") as caught:
        stage.runs().find("0000")
    assert caught.value.remedy == "give more of the id"
    for run_id, state in zip(both, ("QUEUED", "FAILED"), strict=True):
        assert f"    {run_id}  factorial  {state}  " in caught.value.what


@pytest.mark.parametrize("world", ["live", "deployed"])
def test_a_run_of_another_job_than_the_one_named_is_refused(stage: Stage, world: str) -> None:
    run_id = getattr(stage, world).add(State.QUEUED)
    assert stage.runs().find(run_id, "factorial").record.job_id == run_id
    with pytest.raises(NotFound, match="is one of job 'factorial', not of 'other'") as caught:
        stage.runs().find(run_id, "other")
    assert caught.value.remedy == "leave --job out"


def test_a_run_elsewhere_is_named_by_its_whole_id_and_its_job(stage: Stage) -> None:
    runs = stage.runs(is_deployed=False)
    run = runs.find(ELSEWHERE.upper(), "factorial")
    assert isinstance(run, InvokerRun)
    assert (stage.invoked, stage.live.lambda_.events) == (["factorial"], [])
    with pytest.raises(UnknownRun):
        run.refresh()
    assert stage.live.lambda_.events[0]["jobId"] == ELSEWHERE


@pytest.mark.parametrize(
    ("given", "job", "remedy"),
    [
        (ELSEWHERE, None, "if it runs elsewhere, name its job: --job NAME"),
        (ELSEWHERE.upper(), None, "if it runs elsewhere, name its job: --job NAME"),
        ("bbbb", "factorial", "see `devbridge jobs`"),
        ("bbbb", None, "see `devbridge jobs`"),
        ("", None, "see `devbridge jobs`"),
    ],
)
def test_a_run_that_nobody_has_is_told_with_what_to_do(
    stage: Stage, given: str, job: str | None, remedy: str
) -> None:
    with pytest.raises(UnknownRun, match=f"begins with {given!r}") as caught:
        stage.runs().find(given, job)
    assert caught.value.remedy == remedy
    assert stage.invoked == []


# --- lists and starts ---------------------------------------------------------------------------


def test_the_runs_of_dev_are_listed_unless_deployed_ones_are_asked_for(stage: Stage) -> None:
    live, build = stage.live.add(State.FAILED), stage.deployed.add(State.RUNNING)
    uuid = build.partition(":")[2]
    runs = stage.runs()

    def listed(runs: StageRuns, *, deployed: bool) -> list[tuple[str, str]]:
        found = runs.recent(9, None, None, deployed=deployed)
        return [(short, run.record.job_id) for short, run in found]

    assert listed(runs, deployed=False) == [(live[:8], live)]
    assert listed(runs, deployed=True) == [(uuid[:8], build)]
    assert listed(stage.runs(ledger=False), deployed=False) == [(uuid[:8], build)]
    of_dev = stage.runs(is_deployed=False)
    assert listed(of_dev, deployed=True) == [(f"{PROJECT}:{uuid[:8]}", build)]


def test_the_runs_listed_are_those_of_a_job_and_in_a_state(stage: Stage) -> None:
    runs = stage.runs()
    for world, deployed in ((stage.live, False), (stage.deployed, True)):
        newest = [world.add(state) for state in (State.RUNNING, State.FAILED)][1]
        for limit, job, state in ((1, None, None), (9, "factorial", State.FAILED)):
            found = runs.recent(limit, job, state, deployed=deployed)
            assert [run.record.job_id for _, run in found] == [newest]
        assert runs.recent(9, "other", None, deployed=deployed) == []


def test_a_run_is_started_through_its_jobs_invoker_and_waited_for_in_the_ledger(
    stage: Stage,
) -> None:
    runs = stage.runs()
    started = runs.start("factorial", b"1", key="k")
    assert isinstance(started.run, InvokerRun)
    assert isinstance(runs.closest(started.run), LedgerRun)
    assert stage.runs(ledger=False).closest(started.run) is started.run
    assert runs.mentioned(started.run.record.job_id) == started.run.record.job_id[:8]


def test_a_run_whose_id_is_a_deployed_ones_is_waited_for_where_it_is(stage: Stage) -> None:
    build = stage.deployed.add(State.RUNNING)
    record = RunRecord(job_id=build, job="factorial", state=State.QUEUED)
    run = InvokerRun(stage.live.lambda_.store(), build, record)
    assert stage.runs().closest(run).record.state is State.RUNNING
    assert stage.runs().mentioned(build) == build


# --- a run that waits for a daemon --------------------------------------------------------------


def test_a_run_that_is_started_while_nobody_is_there_is_found_by_its_beginning(
    stage: Stage,
) -> None:
    stage.live.daemon.away, stage.live.tended = True, False
    runs = stage.runs(is_deployed=False)
    started = runs.start("factorial", b"1", key="k").run
    assert runs.awaited(started)
    run_id = started.record.job_id
    assert runs.find(run_id[:8]).record.state is State.QUEUED
    assert [short for short, _ in runs.recent(5, None, None, deployed=False)] == [run_id[:8]]


def test_a_run_that_a_daemon_has_taken_is_not_awaited(stage: Stage) -> None:
    runs = stage.runs(is_deployed=False)
    assert not runs.awaited(runs.start("factorial", b"1", key="k").run)
    without = stage.runs(ledger=False)
    assert not without.awaited(without.start("factorial", b"1", key="l").run)


def test_a_run_that_seems_to_wait_is_asked_for_elsewhere_if_its_job_is_named(
    stage: Stage,
) -> None:
    stage.live.daemon.away = True
    runs = stage.runs(is_deployed=False)
    run_id = runs.start("factorial", b"1", key="k").run.record.job_id
    assert isinstance(runs.find(run_id, "factorial"), LedgerRun), "nobody answers"
    stage.live.daemon.comes_back()
    live = runs.find(run_id, "factorial")
    assert isinstance(live, LedgerRun)
    assert live.record.log


# --- a run that waits for its time --------------------------------------------------------------


def waits(stage: Stage, run_id: str = WAITS, *, age: float = 0.0) -> Run:
    """A run that Scheduler knows and nobody else."""
    record = RunRecord(
        job_id=run_id, job="factorial", state=State.SCHEDULED, created_at=time.time() - age
    )
    run = InvokerRun(stage.live.lambda_.store(), run_id, record)
    stage.scheduled.there.append(run)
    return run


def test_a_live_run_comes_before_one_that_waits_and_that_before_a_deployed_one(
    stage: Stage,
) -> None:
    build, waiting = stage.deployed.add(State.RUNNING), waits(stage)
    runs = stage.runs(later=True)
    assert runs.find("0000") is waiting
    assert runs.find(build) is waiting, "its id may be a deployed one's"
    live = stage.live.add(State.QUEUED)
    assert runs.find("0000").record.job_id == live
    assert stage.scheduled.asked == [("find", "0000"), ("find", build)]


def test_a_run_that_waits_is_taken_as_it_is_though_its_job_is_named(stage: Stage) -> None:
    waiting = waits(stage)
    assert stage.runs(is_deployed=False, later=True).find(WAITS, "factorial") is waiting
    assert stage.invoked == []
    with pytest.raises(NotFound, match="is one of job 'factorial', not of 'other'"):
        stage.runs(is_deployed=False, later=True).find(WAITS, "other")


def test_two_runs_that_wait_and_begin_alike_are_both_told(stage: Stage) -> None:
    waits(stage), waits(stage, ELSEWHERE)
    with pytest.raises(UnknownRun, match="2 runs have an id"):
        stage.runs().find("bbbb")


def test_a_stage_of_dev_whose_jobs_take_no_runs_for_later_asks_nobody(stage: Stage) -> None:
    waits(stage)
    runs = stage.runs(is_deployed=False)
    assert runs.recent(9, None, None, deployed=False) == []
    with pytest.raises(UnknownRun):
        runs.find("bbbb")
    assert stage.scheduled.asked == []


@pytest.mark.parametrize("world", ["live", "deployed"])
def test_runs_that_wait_are_listed_among_the_others_by_when_they_were_asked_for(
    stage: Stage, world: str
) -> None:
    old = waits(stage, age=1e9).record.job_id
    other = getattr(stage, world).add(State.FAILED)
    new = waits(stage, ELSEWHERE, age=-1e9).record.job_id
    deployed = world == "deployed"
    runs = stage.runs(later=True)

    def ids(limit: int, state: State | None = None) -> list[str]:
        found = runs.recent(limit, None, state, deployed=deployed)
        return [run.record.job_id for _, run in found]

    assert ids(9) in ([new, other, old], [new, old, other])
    assert ids(1) == [new]
    assert ids(9, State.SCHEDULED) == [new, old]
    assert ids(9, State.FAILED) == [other]
    assert stage.scheduled.asked == [("recent", limit, None) for limit in (9, 1, 9)]


def test_those_that_wait_are_shown_by_a_beginning_that_is_theirs(stage: Stage) -> None:
    waits(stage)
    waits(stage, WAITS[:-1] + "9")
    runs = stage.runs(later=True)
    for deployed in (False, True):
        found = runs.recent(9, None, None, deployed=deployed)
        assert len({short for short, _ in found}) == 2, found
        assert all(run.record.job_id.startswith(short) for short, run in found)


def test_that_a_stage_is_not_there_is_told_though_only_those_that_wait_are_wanted(
    stage: Stage,
) -> None:
    assert stage.runs().recent(9, None, State.SCHEDULED, deployed=True) == []
    assert stage.deployed.missing == ["asked"]


def test_a_run_for_a_later_time_is_no_stores_and_nobody_notes_that_it_waits_for_dev(
    stage: Stage,
) -> None:
    record = RunRecord(job_id=WAITS, job="factorial", state=State.SCHEDULED)
    run = InvokerRun(stage.live.lambda_.store(), WAITS, record)
    runs = stage.runs()
    assert runs.closest(run) is run
    assert not runs.awaited(run)


# --- where a run goes on ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "left", "at"),
    [
        (State.FAILED, b'{"done":3}', b'{"done":3}'),
        (State.CANCELLED, b"7", b"7"),
        (State.FAILED, b" null", None),
        (State.FAILED, None, None),
        (State.SUCCEEDED, b"7", None),
        (State.RUNNING, b"7", None),
    ],
)
def test_a_run_goes_on_where_one_without_success_has_left_a_checkpoint(
    state: State, left: bytes | None, at: bytes | None
) -> None:
    run: Any = SimpleNamespace(
        record=RunRecord(job_id="1", job="a", state=state), checkpoint=lambda: left
    )
    assert resumes_at(run) == at
