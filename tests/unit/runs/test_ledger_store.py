from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.errors import CloudNotRunning, NotFound, UnknownRun
from devbridge.runs.base import RunRecord, Step
from devbridge.runs.invoker import InvokerStore
from devbridge.runs.ledger import Change
from devbridge.runs.ledger_store import LedgerRun, LedgerStore
from devbridge.runs.model import State

from .worlds import LedgerWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    with contextlib.ExitStack() as stack:
        yield LedgerWorld(tmp_path, stack)


@pytest.fixture
def store(world: LedgerWorld) -> LedgerStore:
    assert isinstance(world.store, LedgerStore)
    return world.store


def test_it_owns_what_it_has_and_nothing_that_only_begins_so(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run_id = world.add(State.RUNNING)
    assert store.owns(run_id)
    assert store.owns(run_id.upper())
    assert not store.owns(run_id[:-1])
    assert not store.owns(run_id.replace("0001", "0002"))


def test_ids_are_found_in_upper_case(world: LedgerWorld, store: LedgerStore) -> None:
    run_id = store.start("factorial", b"1", key="k", remember=True).run.record.job_id
    assert [run.record.job_id for run in store.find(run_id[:9].upper())] == [run_id]
    assert store.get(run_id.upper()).record.job_id == run_id


def test_a_run_of_another_job_is_found_too_so_that_the_mistake_is_told(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run_id = world.add(State.RUNNING, job="other")
    assert [run.record.job for run in store.find(run_id, "factorial")] == ["other"]


def test_the_log_is_where_the_apps_folder_is_now(world: LedgerWorld, store: LedgerStore) -> None:
    run_id = world.add(State.RUNNING)
    store.logs = world.logs / "moved"
    assert store.get(run_id).record.log == str(world.logs / "moved" / f"{run_id}.log")


def test_a_run_that_a_daemon_has_not_entered_yet_is_expected(
    world: LedgerWorld, store: LedgerStore
) -> None:
    later = f"0000{0:04}-0000-4000-8000-000000000001"
    run = store.expect(RunRecord(job_id=later, job="factorial", state=State.QUEUED))
    states = [run.record.state, run.refresh().state]
    assert world.add(State.SUCCEEDED) == later
    assert [*states, run.refresh().state] == [State.QUEUED, State.QUEUED, State.SUCCEEDED]


def test_what_is_expected_and_there_already_is_as_it_is(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run_id = world.add(State.FAILED)
    asked = RunRecord(job_id=run_id, job="factorial", state=State.QUEUED)
    assert store.expect(asked).record.state is State.FAILED


def asked_for(store: LedgerStore, world: LedgerWorld) -> LedgerRun:
    """A run that waits in the broker."""
    world.daemon.away, world.tended = True, False
    run = store.start("factorial", b"1", key="k", remember=True).run
    assert isinstance(run, LedgerRun)
    return run


def test_a_run_that_waits_in_the_broker_is_listed_and_found_until_the_ledger_has_it(
    world: LedgerWorld, store: LedgerStore
) -> None:
    before = world.add(State.SUCCEEDED)
    run_id = asked_for(store, world).record.job_id
    assert store.owns(run_id)
    assert store.awaited(run_id)
    assert store.get(run_id).record.state is State.QUEUED
    assert [run.record.job_id for run in store.find(run_id[:8])] == [run_id]
    assert [run.record.job_id for run in store.recent(5)] == [run_id, before]
    assert [run.record.job_id for run in store.recent(1)] == [run_id]
    assert not store.recent(5, state=State.RUNNING)
    assert not store.recent(5, "other")
    assert store.short_id(run_id) == run_id[:8]
    run = store.get(run_id)
    assert [step.state for step in run.history()] == [State.QUEUED]
    world.daemon.comes_back()
    assert run.refresh().log
    assert [run.record.job_id for run in store.recent(5)] == [run_id, before]
    assert store.queued.get(run_id) is None


def test_a_cancelled_run_that_waits_in_the_broker_never_starts(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = asked_for(store, world)
    done = run.cancel()
    assert (done.was, done.state) == (State.QUEUED, State.CANCELLED)
    assert run.record.state is State.CANCELLED
    world.daemon.comes_back()
    steps = store.get(run.record.job_id).history()
    assert [step.state for step in steps] == [State.QUEUED, State.CANCELLED]


def test_a_run_that_waits_is_cancelled_though_its_embedded_cloud_does_not_run(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = asked_for(store, world)

    def nothing(_job: str) -> InvokerStore:
        raise CloudNotRunning("the embedded cloud of this app is not running")

    store.invoker = nothing
    assert run.cancel().state is State.CANCELLED
    assert store.queued.is_cancelled(run.record.job_id)


def test_a_run_that_the_broker_has_lost_is_unknown_once_a_daemon_was_asked(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = asked_for(store, world)
    world.daemon.away = False
    with pytest.raises(UnknownRun):
        run.cancel()
    assert not store.owns(run.record.job_id)


def test_of_a_run_whose_daemon_was_killed_the_cancellation_waits(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = store.get(world.add(State.RUNNING))
    world.daemon.away = True
    done = run.cancel()
    assert (done.was, done.state, done.waits) == (State.RUNNING, State.RUNNING, True)


def test_the_output_of_a_run_that_waits_begins_when_a_daemon_has_it(
    world: LedgerWorld, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked_for(store, world)
    assert list(run.output(follow=False)) == []

    def later(_seconds: float) -> None:
        world.daemon.comes_back()
        world.end(run.record.job_id, State.SUCCEEDED)
        Path(store.get(run.record.job_id).record.log).write_bytes(b"hello")

    monkeypatch.setattr("devbridge.runs.ledger_store.sleep", later)
    assert list(run.output(follow=True)) == [b"hello"]


def test_the_payload_of_a_run_that_waits_is_not_here(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = asked_for(store, world)
    with pytest.raises(NotFound, match="waits in the broker"):
        run.payload()
    world.daemon.comes_back()
    assert run.payload() == b"1"


def test_of_a_run_that_is_cancelled_before_a_daemon_has_it_there_is_no_output(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = asked_for(store, world)
    run.cancel()
    assert list(run.output(follow=True)) == []


def test_nobody_is_asked_to_cancel_what_has_ended(world: LedgerWorld, store: LedgerStore) -> None:
    run = store.get(world.add(State.RUNNING))
    world.end(run.record.job_id, State.CRASHED)
    assert run.cancel().was is State.CRASHED
    assert world.lambda_.events == []


def test_the_history_is_what_the_daemon_entered(world: LedgerWorld, store: LedgerStore) -> None:
    run_id = world.add(State.RUNNING)
    with world.book.transaction():
        world.book.record(
            Change(job_id=run_id, state=State.QUEUED, at=5000, attempt=2, detail="again")
        )
    assert store.get(run_id).history()[-1] == Step(5000, State.RUNNING, 2, "again")


def test_output_is_what_the_log_file_has(world: LedgerWorld, store: LedgerStore) -> None:
    run_id = world.add(State.SUCCEEDED)
    (world.logs / f"{run_id}.log").write_bytes(b"\xff\n")
    for follow in (False, True):
        assert b"".join(store.get(run_id).output(follow=follow)) == b"\xff\n"


def test_output_of_a_run_that_has_just_ended_is_read_when_its_worker_is_gone(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run_id = world.add(State.RUNNING)
    log = world.logs / f"{run_id}.log"
    log.write_bytes(b"printed\n")
    world.end(run_id, State.FAILED, at=time.time(), closed=False)
    output = store.get(run_id).output(follow=False)
    assert next(output) == b"printed\n"
    with log.open("ab") as file:
        file.write(b"ValueError: bad\n")
    world.close_log(run_id)
    assert list(output) == [b"ValueError: bad\n"]


@pytest.mark.parametrize("why", ["long ago", "nobody there"])
def test_output_is_not_waited_for_when_nothing_more_is_to_be_expected(
    world: LedgerWorld, store: LedgerStore, why: str
) -> None:
    run_id = world.add(State.RUNNING)
    (world.logs / f"{run_id}.log").write_bytes(b"printed\n")
    ago = 0.0 if why == "nobody there" else 3600.0
    world.tended = why == "long ago"
    world.end(run_id, State.FAILED, at=time.time() - ago, closed=False)
    assert list(store.get(run_id).output(follow=False)) == [b"printed\n"]
    entry = store.get(run_id).refresh()
    assert not entry.closed


@pytest.mark.parametrize("follow", [False, True])
def test_output_that_was_deleted_is_told(
    world: LedgerWorld, store: LedgerStore, follow: bool
) -> None:
    run_id = world.add(State.SUCCEEDED)
    with pytest.raises(UnknownRun, match="the run's log file is gone") as caught:
        list(store.get(run_id).output(follow=follow))
    assert caught.value.where == str(world.logs / f"{run_id}.log")
    assert caught.value.remedy == "run the job again"


def test_a_run_that_never_started_has_no_output_to_miss(
    world: LedgerWorld, store: LedgerStore
) -> None:
    for state in (State.QUEUED, State.RUNNING):
        assert list(store.get(world.add(state)).output(follow=False)) == []
    run_id = world.add(State.QUEUED)
    world.end(run_id, State.CANCELLED)
    assert list(store.get(run_id).output(follow=True)) == []


def test_a_daemon_that_is_not_here_does_not_go_on_with_a_run(
    world: LedgerWorld, store: LedgerStore
) -> None:
    run = store.get(world.add(State.RUNNING))
    assert run.tended()
    store.tended = lambda: False
    assert not run.tended()


def test_an_id_is_shown_as_long_as_no_other_run_has_it(
    world: LedgerWorld, store: LedgerStore
) -> None:
    alone = world.add(State.QUEUED)
    assert store.short_id(alone) == "00000000"
    like_it = alone.replace("0001", "0002")
    entered = world.book.get(alone)
    assert entered is not None
    with world.book.transaction():
        world.book.enter_again(replace(entered, job_id=like_it), b"1")
    assert store.short_id(alone) == alone
    assert store.short_id(world.add(State.QUEUED)) == "00000002"
