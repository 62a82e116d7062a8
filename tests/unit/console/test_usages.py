from __future__ import annotations

import asyncio

import pytest

from devbridge.console import usages as module
from devbridge.console.usages import Usages, thinned
from devbridge.daemon.told import Began, Ended, Gone, Who
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from devbridge.workers.usage import Usage

WHO = Who("w", "a", "1")
RECORD = RunRecord(job_id="1", job="a", state=State.SUCCEEDED)
ENDED = Ended(WHO, Change(job_id="1", state=State.SUCCEEDED, at=1.0), RECORD)


class Machine:
    """A worker that uses half a core, and a clock that each look moves on."""

    def __init__(self) -> None:
        self.at = 100.0
        self.cpu = 0.0
        self.looks = 0
        self.seen = asyncio.Event()
        self.usages = Usages(self.look, lambda: self.at)

    def look(self, pid: int) -> Usage | None:
        assert pid == 7
        self.at += 1.0
        self.cpu += 0.5
        self.looks += 1
        self.seen.set()
        return Usage(self.cpu, 1000 + self.looks)

    async def looked(self, times: int) -> None:
        async with asyncio.timeout(30):
            while self.looks < times:
                self.seen.clear()
                await self.seen.wait()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(module, "EVERY", 0.001)
    return Machine()


async def test_a_run_is_looked_at_from_its_begin_to_its_end(machine: Machine) -> None:
    machine.usages.on(Began(WHO, 1, 1, b"1", 7))
    await machine.looked(4)
    machine.usages.on(ENDED)
    points = machine.usages.of("1")
    assert [share for _, share, _ in points] == [50.0] * len(points)
    assert points[0][2] == 1002
    looks = machine.looks
    machine.usages.on(Began(Who("other", "a", "2"), 1, 1, b"1"))
    machine.usages.on(Gone(Who("other", "a", "2")))
    assert machine.looks == looks, "it has ended, and the other has no process"
    assert machine.usages.of("2") == machine.usages.of("unknown") == []
    machine.usages.close()


async def test_a_further_attempt_goes_on_with_the_series(machine: Machine) -> None:
    machine.usages.on(Began(WHO, 1, 2, b"1", 7))
    await machine.looked(3)
    machine.usages.on(ENDED)
    before = len(machine.usages.of("1"))
    machine.usages.on(Began(WHO, 2, 2, b"1", 7))
    await machine.looked(machine.looks + 3)
    assert len(machine.usages.of("1")) > before
    machine.usages.close()


async def test_where_many_begin_each_is_looked_at_once(machine: Machine) -> None:
    for number in range(5):
        machine.usages.on(Began(Who(f"w{number}", "a", str(number)), 1, 1, b"1", 7))
    assert machine.looks == 5
    machine.usages.close()


async def test_only_the_last_runs_are_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    machine.usages.on(Began(WHO, 1, 1, b"1", 7))
    await machine.looked(3)
    machine.usages.on(Began(Who("v", "a", "2"), 1, 1, b"1"))
    assert machine.usages.of("1") == []
    machine.usages.close()


def test_a_long_run_has_no_more_points_than_a_plot() -> None:
    assert thinned([(1.0, 10.0, 5), (2.0, 30.0, 3), (3.0, 0.0, 1)]) == [(2.0, 20.0, 5)]
    run = module._Run("w", 7, pause=0.5)
    for second in range(3 * module.POINTS):
        if run.is_due(float(second)):
            run.add(float(second), Usage(second / 2, 1))
    assert len(run.points) < module.POINTS
    assert {share for _, share, _ in run.points} == {50.0}
    assert run.points[-1][0] > 2 * module.POINTS, "to its end"
