from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbridge.config import Config
from devbridge.errors import NotFound, UnknownRun
from devbridge.runs.base import RunRecord
from devbridge.runs.find import StageRuns, is_deployed, mark_deployed, mark_dev
from devbridge.runs.invoker import InvokerRun, InvokerStore
from devbridge.runs.ledger_store import LedgerRun, LedgerStore
from devbridge.runs.model import State
from devbridge.runs.stage import DeployedStore
from tests.unit.codebuild import PROJECT

from .worlds import LedgerWorld, StageWorld

ELSEWHERE = "bbbb3333-0000-4000-8000-000000000003"


class Stage:
    """A stage with runs of `devbridge dev`, deployed ones, and invokers that know nobody."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.live = LedgerWorld(folder, stack)
        self.deployed = StageWorld(folder)
        self.invoked: list[str] = []

    def runs(self, *, ledger: bool = True, is_deployed: bool = True) -> StageRuns:
        assert isinstance(self.live.store, LedgerStore)
        assert isinstance(self.deployed.store, DeployedStore)
        return StageRuns(
            live=self.live.store if ledger else None,
            deployed=self.deployed.store,
            invoker=self._invoker,
            is_deployed=is_deployed,
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
        super().__init__(stage_dir=folder / "ann", ledger=folder / "ann" / "ledger.sqlite")

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
    started = runs.start("factorial", b"1", key="k", remember=True)
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
    started = runs.start("factorial", b"1", key="k", remember=True).run
    assert runs.awaited(started)
    run_id = started.record.job_id
    assert runs.find(run_id[:8]).record.state is State.QUEUED
    assert [short for short, _ in runs.recent(5, None, None, deployed=False)] == [run_id[:8]]


def test_a_run_that_a_daemon_has_taken_is_not_awaited(stage: Stage) -> None:
    runs = stage.runs(is_deployed=False)
    assert not runs.awaited(runs.start("factorial", b"1", key="k", remember=True).run)
    without = stage.runs(ledger=False)
    assert not without.awaited(without.start("factorial", b"1", key="l", remember=True).run)


def test_a_run_that_seems_to_wait_is_asked_for_elsewhere_if_its_job_is_named(
    stage: Stage,
) -> None:
    stage.live.daemon.away = True
    runs = stage.runs(is_deployed=False)
    run_id = runs.start("factorial", b"1", key="k", remember=True).run.record.job_id
    assert isinstance(runs.find(run_id, "factorial"), LedgerRun), "nobody answers"
    stage.live.daemon.comes_back()
    live = runs.find(run_id, "factorial")
    assert isinstance(live, LedgerRun)
    assert live.record.log
