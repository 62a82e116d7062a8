from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from devbridge.daemon import handover as module
from devbridge.daemon.bridge import Bridge
from devbridge.daemon.events import Event, Withdrawn
from devbridge.daemon.handover import Handover, hand_over, is_handed_over, who
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import HandedOver, Mood, Said, Told
from devbridge.protocol.messages import NOBODY, Presence, Run
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State

DEADLINE = 30.0
NEWER = Presence(
    online=True, daemon_id="d", host="laptop", user="bob", pid=7, since=1.0, session_expiry=60
)


class Broker:
    """The bridge as the older daemon sees it: the broker takes runs at the `takes`th time."""

    def __init__(self) -> None:
        self.taken_over = asyncio.Event()
        self.taken_over_by: Presence | None = None
        self.takes = 1
        self.given: list[list[Run]] = []

    async def hand_over(self, runs: Sequence[Run]) -> bool:
        self.given.append(list(runs))
        return len(self.given) >= self.takes


class Desk:
    """An older daemon with runs a, b and c."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.broker = Broker()
        self.told: list[Told] = []
        self.posted: list[Event] = []
        self.idle = asyncio.Event()
        self.idle.set()
        self.waiting: list[str] = []
        listener: Any = self
        self.handover = Handover(
            cast(Bridge, self.broker),
            ledger,
            Narrator([listener]),
            unstarted=lambda: self.waiting,
            idle=self.idle,
            post=self.posted.extend,
        )
        for job_id in ("a", "b", "c"):
            with ledger.transaction():
                ledger.add(
                    NewRun(
                        job_id=job_id,
                        job="factorial",
                        payload=job_id.encode(),
                        created_at=1.0,
                        log_path="",
                    )
                )

    def on(self, event: Told) -> None:
        self.told.append(event)

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Said)]

    def started(self, job_id: str) -> None:
        with self.ledger.transaction():
            self.ledger.record(Change(job_id=job_id, state=State.RUNNING, at=2.0))

    def take_over(self) -> asyncio.Task[None]:
        self.broker.taken_over_by = NEWER
        self.broker.taken_over.set()
        return asyncio.create_task(self.handover.make_way())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
async def desk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "LAST_QUESTIONS", 0.0)
    return Desk(ledger)


def test_the_newer_daemon_is_named_as_far_as_it_is_known() -> None:
    assert who(NEWER) == "bob@laptop (pid 7)"
    assert who(None) == "another daemon"


async def test_what_has_not_started_is_asked_for_again_where_the_newer_daemon_reads(
    desk: Desk, ledger: Ledger
) -> None:
    changes = await hand_over(cast(Bridge, desk.broker), ledger, ["a", "b"], "bob@laptop")
    assert [change.job_id for change in changes] == ["a", "b"]
    (runs,) = desk.broker.given
    assert [(run.job_id, run.job, run.payload) for run in runs] == [
        ("a", "factorial", b"a"),
        ("b", "factorial", b"b"),
    ]
    assert {run.stub_id for run in runs} == {NOBODY}, "nobody waits for the answer"
    for job_id in ("a", "b"):
        entry = ledger.get(job_id)
        assert entry is not None
        assert entry.state is State.CANCELLED
        assert entry.closed
        assert is_handed_over(entry)
        assert entry.failure is not None
        assert entry.failure.message == "handed over to bob@laptop"


async def test_a_run_is_marked_only_when_the_broker_has_it(desk: Desk, ledger: Ledger) -> None:
    desk.broker.takes = 3
    await hand_over(cast(Bridge, desk.broker), ledger, ["a"], "bob")
    assert len(desk.broker.given) == 3


async def test_what_has_started_or_is_unknown_stays(desk: Desk, ledger: Ledger) -> None:
    desk.started("a")
    assert await hand_over(cast(Bridge, desk.broker), ledger, ["a", "unknown"], "bob") == []
    assert desk.broker.given == []
    entry = ledger.get("a")
    assert entry is not None
    assert not is_handed_over(entry)


async def test_an_idle_daemon_makes_way_at_once_and_says_for_whom(desk: Desk) -> None:
    await asyncio.wait_for(desk.take_over(), DEADLINE)
    assert desk.told == [Said("bob@laptop (pid 7) has taken this stage over", Mood.LOUD)]
    assert desk.posted == [Withdrawn(frozenset())]
    assert desk.broker.given == []


async def test_what_waits_is_withdrawn_before_it_is_handed_over(desk: Desk) -> None:
    desk.waiting = ["b", "c"]
    await asyncio.wait_for(desk.take_over(), DEADLINE)
    assert desk.posted == [Withdrawn(frozenset({"b", "c"}))]
    told = [event for event in desk.told if isinstance(event, HandedOver)]
    assert [event.run.job_id for event in told] == ["b", "c"]
    assert desk.said[-1] == "2 waiting runs were handed over"


async def test_runs_that_have_started_end_here_and_are_answered_for_a_while(desk: Desk) -> None:
    desk.idle.clear()
    task = desk.take_over()
    async with asyncio.timeout(DEADLINE):
        while not desk.told:  # noqa: ASYNC110 - each turn of the loop
            await asyncio.sleep(0)
    assert desk.said == [
        "bob@laptop (pid 7) has taken this stage over; the runs that have started end here"
    ]
    assert not task.done()
    desk.idle.set()
    await asyncio.wait_for(task, DEADLINE)
    assert desk.said[1:] == ["all runs have ended; their results stay available for 0 s"]


async def test_nobody_makes_way_for_nobody(desk: Desk) -> None:
    task = asyncio.create_task(desk.handover.make_way())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    assert desk.told == []
    task.cancel()
