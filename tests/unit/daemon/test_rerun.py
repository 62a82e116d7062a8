from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.daemon.events import CancelRequested
from devbridge.daemon.rerun import Rerun
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State

SAVED = 100.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


class Desk:
    """Runs of the job a, which is saved at a time of the test's choice."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ledger = ledger
        self.monkeypatch = monkeypatch
        self.submitted: list[tuple[str, bytes]] = []
        self.said: list[str] = []
        self.use()

    def use(self, *, cancel: bool = False) -> None:
        self.rerun = Rerun(
            self.ledger,
            lambda job, payload: self.submitted.append((job, payload)),
            self.said.append,
            cancel=cancel,
        )

    def enter(self, job_id: str, at: float, *, job: str = "a", max_attempts: int = 1) -> None:
        run = NewRun(
            job_id=job_id,
            job=job,
            payload=job_id.encode(),
            created_at=at,
            log_path="",
            max_attempts=max_attempts,
        )
        with self.ledger.transaction():
            self.ledger.add(run)

    def record(self, job_id: str, state: State, at: float, attempt: int = 1) -> None:
        with self.ledger.transaction():
            self.ledger.record(Change(job_id=job_id, state=state, at=at, attempt=attempt))

    def save(self, at: float = SAVED) -> None:
        with self.monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: at)
            self.rerun.saved(["a"])

    async def again(self) -> list[tuple[str, bytes]]:
        """What was submitted since this was last asked."""
        await asyncio.sleep(0)
        submitted, self.submitted[:] = list(self.submitted), []
        return submitted


@pytest.fixture
def desk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Its last run is a2, which has started before the save."""
    made = Desk(ledger, monkeypatch)
    made.enter("a1", 1.0)
    made.enter("a2", 2.0)
    made.record("a2", State.RUNNING, 3.0)
    return made


async def test_the_last_payload_is_run_again_once_whoever_asks_is_done(desk: Desk) -> None:
    desk.record("a2", State.SUCCEEDED, 4.0)
    desk.save()
    desk.rerun.reloaded("a")
    assert desk.submitted == []
    assert await desk.again() == [("a", b"a2")]


async def test_a_job_that_was_loaded_without_a_save_is_not_run(desk: Desk) -> None:
    desk.record("a2", State.SUCCEEDED, 4.0)
    desk.rerun.reloaded("a")
    desk.rerun.ended("a", "a2")
    assert await desk.again() == []


async def test_a_job_that_was_never_run_is_not_run(desk: Desk) -> None:
    desk.rerun.saved(["never run"])
    desk.rerun.reloaded("never run")
    assert await desk.again() == []


async def test_a_run_that_goes_on_is_waited_for_and_that_is_said(desk: Desk) -> None:
    desk.save()
    desk.rerun.reloaded("a")
    assert await desk.again() == []
    assert desk.said == ["a is run again when a2 has ended"]
    desk.record("a2", State.FAILED, 200.0)
    desk.rerun.ended("a", "a2")
    assert await desk.again() == [("a", b"a2")]


async def test_a_run_is_cancelled_though_another_job_was_run_since(desk: Desk) -> None:
    desk.use(cancel=True)
    desk.enter("b1", 3.0, job="b")
    desk.save()
    assert desk.rerun.reloaded("a") == [CancelRequested("a2")]


async def test_many_saves_while_it_goes_on_are_one_more_run(desk: Desk) -> None:
    for at in (SAVED, SAVED + 1, SAVED + 2):
        desk.save(at)
        desk.rerun.reloaded("a")
    assert len(desk.said) == 1
    desk.record("a2", State.SUCCEEDED, 200.0)
    desk.rerun.ended("a", "a2")
    desk.rerun.ended("a", "a1")
    assert await desk.again() == [("a", b"a2")]


async def test_what_ends_while_the_newest_code_is_loaded_waits_for_that(desk: Desk) -> None:
    desk.save()
    desk.rerun.reloaded("a")
    desk.save(SAVED + 1)
    desk.record("a2", State.SUCCEEDED, 200.0)
    desk.rerun.ended("a", "a2")
    assert await desk.again() == []
    desk.rerun.reloaded("a")
    assert await desk.again() == [("a", b"a2")]


async def test_a_run_that_waited_for_the_mended_code_is_not_run_again(desk: Desk) -> None:
    desk.record("a2", State.SUCCEEDED, 4.0)
    desk.enter("a3", 50.0)
    desk.save()
    desk.record("a3", State.RUNNING, SAVED + 1)
    desk.rerun.reloaded("a")
    desk.record("a3", State.SUCCEEDED, SAVED + 2)
    desk.rerun.ended("a", "a3")
    assert await desk.again() == []


async def test_nor_is_one_that_has_not_started_yet(desk: Desk) -> None:
    desk.enter("a3", 50.0)
    desk.save()
    desk.rerun.reloaded("a")
    desk.record("a3", State.RUNNING, SAVED + 1)
    desk.record("a3", State.SUCCEEDED, SAVED + 2)
    desk.rerun.ended("a", "a3")
    assert await desk.again() == []


async def test_nor_is_one_whose_next_attempt_will_have_the_newest_code(desk: Desk) -> None:
    desk.enter("a3", 50.0, max_attempts=2)
    desk.record("a3", State.RUNNING, 51.0)
    desk.record("a3", State.QUEUED, 52.0, attempt=2)
    desk.save()
    desk.rerun.reloaded("a")
    desk.record("a3", State.RUNNING, SAVED + 1, attempt=2)
    desk.record("a3", State.SUCCEEDED, SAVED + 2, attempt=2)
    desk.rerun.ended("a", "a3")
    assert await desk.again() == []


async def test_one_that_failed_because_the_code_was_broken_is_run_with_what_mends_it(
    desk: Desk,
) -> None:
    desk.enter("a3", 50.0)
    desk.record("a3", State.FAILED, 51.0)
    desk.save()
    desk.rerun.reloaded("a")
    assert await desk.again() == [("a", b"a3")]


async def test_where_that_is_wanted_a_save_cancels_the_last_run(desk: Desk) -> None:
    desk.use(cancel=True)
    desk.save()
    assert desk.rerun.reloaded("a") == [CancelRequested("a2")]
    assert await desk.again() == [], "they do not overlap"
    desk.record("a2", State.CANCELLED, 200.0)
    desk.rerun.ended("a", "a2")
    assert await desk.again() == [("a", b"a2")]


async def test_a_save_that_cannot_be_loaded_cancels_nothing(desk: Desk) -> None:
    desk.use(cancel=True)
    desk.save()
    desk.record("a2", State.SUCCEEDED, 200.0)
    desk.rerun.ended("a", "a2")
    assert await desk.again() == []
    assert desk.rerun.reloaded("a") == []
    assert await desk.again() == [("a", b"a2")], "once the save was mended"


async def test_nothing_of_a_job_that_is_gone_is_run(desk: Desk) -> None:
    desk.save()
    desk.rerun.reloaded("a")
    desk.rerun.forget(["a", "never saved"])
    desk.record("a2", State.SUCCEEDED, 200.0)
    desk.rerun.ended("a", "a2")
    assert await desk.again() == []
