from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.daemon.events import CancelRequested
from devbridge.daemon.rerun import Rerun
from devbridge.runs.ledger import Ledger, NewRun


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


class Desk:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.running: list[str] = []
        self.submitted: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.rerun = Rerun(
            ledger,
            lambda: self.running,
            lambda job, payload: self.submitted.put_nowait((job, payload)),
        )

    def enter(self, job_id: str, job: str, payload: bytes, at: float) -> None:
        with self.ledger.transaction():
            self.ledger.add(
                NewRun(job_id=job_id, job=job, payload=payload, created_at=at, log_path="")
            )


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    made = Desk(ledger)
    made.enter("a1", "a", b"1", 1.0)
    made.enter("a2", "a", b"2", 2.0)
    made.enter("b1", "b", b"3", 3.0)
    return made


async def test_a_save_ends_the_last_run_of_the_job_if_it_still_goes_on(desk: Desk) -> None:
    assert desk.rerun.saved(["a", "b", "never run"]) == []
    desk.running = ["a1", "a2"]
    assert desk.rerun.saved(["a", "b"]) == [CancelRequested("a2")]


async def test_the_last_payload_is_run_again_once_whoever_asks_is_done(desk: Desk) -> None:
    desk.rerun.reloaded("a")
    assert desk.submitted.empty()
    assert await asyncio.wait_for(desk.submitted.get(), 30) == ("a", b"2")


async def test_a_job_that_was_never_run_is_not_run(desk: Desk) -> None:
    desk.rerun.reloaded("never run")
    await asyncio.sleep(0)
    assert desk.submitted.empty()
