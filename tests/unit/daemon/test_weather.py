from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.daemon import weather as module
from devbridge.daemon.events import Give, Launch, Record
from devbridge.daemon.keeper import Keeper, keep
from devbridge.daemon.told import Waits
from devbridge.daemon.weather import STILL_WAITS, TICK, Weather, without
from devbridge.errors import FolderError
from devbridge.protocol.messages import REJECT_BUSY, Accepted, Rejected, Reply, Run, Status
from devbridge.protocol.session import Deliver
from devbridge.runs.ledger import Change
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.model import State
from devbridge.testing import FakeClock

NOW = 1_800_000_000.0


def run(job_id: str, sent_at: float = NOW) -> Deliver:
    return deliver(
        Run(
            request_id=f"q-{job_id}",
            stub_id="s",
            sent_at=sent_at,
            job="a",
            job_id=job_id,
            payload=b"1",
        )
    )


def deliver(message: Any) -> Deliver:
    return Deliver(message, ())


def accepted(job_id: str) -> Reply:
    return Accepted(request_id=f"q-{job_id}", job_id=job_id, state="QUEUED", duplicate=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Keeper]:
    (tmp_path / "stage").mkdir()
    made, _ = keep(tmp_path / "stage" / "ledger.sqlite")
    yield made
    made.close()


class Sky:
    """The weather over a ledger, and what was taken after all."""

    def __init__(self, ledger: Keeper) -> None:
        self.ledger = ledger
        self.connected = NOW - 100
        self.taken: list[Deliver] = []
        self.weather = Weather(
            ledger, connected_since=lambda: self.connected, take=self.taken.extend
        )

    def refuse(self, *requests: Deliver, now: float = NOW) -> list[Reply]:
        """The replies to runs none of which could be entered."""
        ids = [request.message.job_id for request in requests]
        replies = [(request, accepted(i)) for request, i in zip(requests, ids, strict=True)]
        return [reply for _, reply in self.weather.refuse(ids, replies, now)]


@pytest.fixture
def sky(ledger: Keeper) -> Sky:
    return Sky(ledger)


# --- who is told, and who is not ----------------------------------------------------------------


def test_a_caller_that_still_waits_is_told_why_and_may_call_again(sky: Sky) -> None:
    sky.ledger.trouble = LedgerError("the ledger cannot be written")
    [reply] = sky.refuse(run("r1"))
    assert isinstance(reply, Rejected)
    assert (reply.request_id, reply.code) == ("q-r1", REJECT_BUSY)
    assert "cannot keep it: the ledger cannot be written; call again" in reply.message


def test_one_who_was_or_may_have_been_told_queued_gets_no_answer(sky: Sky) -> None:
    assert sky.refuse(run("r1", NOW - STILL_WAITS)) == []
    assert sky.refuse(run("r2", NOW + STILL_WAITS)) == []  # clocks differ
    sky.connected = NOW - 1
    assert sky.refuse(run("r3", NOW - 2)) == []  # it was sent to nobody, so it was queued


@pytest.mark.parametrize("age", [STILL_WAITS - 0.1, 0.1 - STILL_WAITS])
def test_a_young_request_is_answered_whatever_clock_is_right(sky: Sky, age: float) -> None:
    assert len(sky.refuse(run("r1", NOW - age))) == 1


def test_a_request_of_the_moment_of_the_connection_may_be_older(sky: Sky) -> None:
    sky.connected = NOW
    assert sky.refuse(run("r1", NOW)) == []


def test_all_other_answers_stay(sky: Sky) -> None:
    status = deliver(Status(request_id="q", stub_id="s", sent_at=NOW, job="a", job_id="r1"))
    entered = run("r2")
    answered = [(status, accepted("r1")), (entered, accepted("r2"))]
    assert sky.weather.refuse({"r1"}, answered, NOW) == answered


def test_effects_of_runs_that_were_not_entered_are_left_out() -> None:
    def effects(job_id: str) -> list[Any]:
        change = Change(job_id=job_id, state=State.RUNNING, at=1.0)
        return [
            Give("w1", "a", job_id, 1, 2.0),
            Record(change),
            Waits(job_id, "a", 1, own=False),
        ]

    launch = Launch("w2", "a")
    assert without({"r1"}, [*effects("r1"), launch, *effects("r2")]) == [launch, *effects("r2")]


# --- looking ------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(module.asyncio, "sleep", clock.sleep)  # type: ignore[attr-defined]
    return clock


class Watched:
    """The weather's task, looked after step by step."""

    def __init__(self, sky: Sky, clock: FakeClock) -> None:
        self.clock = clock
        self.task = asyncio.ensure_future(sky.weather.watch())

    async def tick(self) -> None:
        for _ in range(3):
            await _turn()
        self.clock.advance(TICK)
        for _ in range(3):
            await _turn()


async def _turn() -> None:
    """One turn of the event loop, whatever the time is."""
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned


async def test_what_was_held_is_taken_once_the_ledger_can_be_written(
    sky: Sky, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = run("r1", NOW - 60)
    sky.refuse(held)
    sky.weather.hold([run("r2")])
    writable = iter((False,))
    monkeypatch.setattr(sky.ledger, "flush", lambda: next(writable, True))
    watched = Watched(sky, clock)
    await watched.tick()
    assert sky.taken == []
    await watched.tick()
    assert [each.message.job_id for each in sky.taken] == ["r1", "r2"]
    await watched.tick()
    assert len(sky.taken) == 2
    watched.task.cancel()


async def test_the_ledgers_file_is_looked_at_each_time(
    sky: Sky, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(sky.ledger, "look", lambda: looks.append(1))
    watched = Watched(sky, clock)
    await watched.tick()
    await watched.tick()
    assert len(looks) == 2
    watched.task.cancel()


@pytest.mark.parametrize("again", [False, True])
async def test_a_folder_that_is_gone_ends_the_daemon_though_another_is_in_its_place(
    sky: Sky, clock: FakeClock, again: bool
) -> None:
    folder = sky.ledger.path.parent
    folder.rename(folder.with_name("elsewhere"))
    if again:
        folder.mkdir()
    watched = Watched(sky, clock)
    await watched.tick()
    with pytest.raises(FolderError, match="with its ledger and logs") as caught:
        watched.task.result()
    assert caught.value.where == str(folder)
