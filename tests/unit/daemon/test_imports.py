from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devbridge.daemon import imports as module
from devbridge.daemon.imports import Reports
from devbridge.packing.imported import Imports, live
from devbridge.workers.modules import Modules

DEADLINE = 30.0


class Desk:
    def __init__(self, root: Path) -> None:
        self.state = root / ".devbridge"
        self.state.mkdir()
        self.root = root
        self.file = root / "a.py"
        self.file.write_text("import polars\n")
        self.launched_at = self.file.stat().st_mtime + 1
        self.told: list[str] = []
        self.news = asyncio.Event()
        self.reports = Reports(Imports(self.state, root), self._tell)

    def _tell(self, job: str) -> None:
        self.told.append(job)
        self.news.set()

    def report(self, *modules: str, job: str = "a") -> None:
        self.reports.add(job, Modules(frozenset({self.file}), modules), self.launched_at)

    def written(self) -> set[str]:
        return {name for each in live(self.state, self.root).values() for name in each.modules}


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_reports_are_written_down_later_and_then_told_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DELAY", 0.0)
    desk.report("polars")
    desk.report("requests")
    desk.report("polars", job="b")
    assert desk.written() == set()
    await asyncio.wait_for(desk.news.wait(), DEADLINE)
    assert desk.written() == {"polars", "requests"}
    assert sorted(set(desk.told)) == ["a", "b"]
    desk.news.clear()
    desk.report("tqdm")
    await asyncio.wait_for(desk.news.wait(), DEADLINE)
    assert desk.written() == {"polars", "requests", "tqdm"}


async def test_what_is_known_is_not_told_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY", 0.0)
    desk.report("polars")
    await asyncio.wait_for(desk.news.wait(), DEADLINE)
    desk.report("polars")
    desk.report("polars", job="b")
    async with asyncio.timeout(DEADLINE):
        while "b" not in desk.told:  # noqa: ASYNC110 - each turn of the loop
            await asyncio.sleep(0)
    assert desk.told == ["a", "b"]


async def test_at_the_end_what_is_left_is_written_and_nobody_told(desk: Desk) -> None:
    desk.reports.close()
    desk.report("polars")
    desk.reports.close()
    assert desk.written() == {"polars"}
    assert desk.told == []
