"""The watcher, with real files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbridge.daemon.watcher import Watcher
from tests.unit.daemon.projects import Project

DEADLINE = 30.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


class Watched:
    """Collects bursts until one has what is waited for."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.bursts = 0
        self._seen: set[Path] = set()
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        async for paths in self.watcher.bursts():
            async with self._changed:
                self.bursts += 1
                self._seen |= paths
                self._changed.notify_all()

    async def see(self, project: Project, name: str) -> None:
        """Save until it is seen: nobody can tell when the kernel begins to watch."""
        path = project.root / name
        async with self._changed, asyncio.timeout(DEADLINE):
            self._seen.clear()
            while path not in self._seen:
                project.save(name)
                with_time = asyncio.wait_for(self._changed.wait(), 0.2)
                try:
                    await with_time
                except TimeoutError:
                    continue

    async def another_burst(self) -> None:
        async with self._changed, asyncio.timeout(DEADLINE):
            before = self.bursts
            await self._changed.wait_for(lambda: self.bursts > before)


@asynccontextmanager
async def watching(directories: Iterable[Path]) -> AsyncIterator[Watched]:
    watched = Watched(Watcher())
    watched.watcher.watch(frozenset(directories))
    task = asyncio.create_task(watched.run())
    try:
        yield watched
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_save_by_rename_is_seen_each_time(project: Project) -> None:
    async with watching([project.root / "jobs"]) as watched:
        await watched.see(project, "jobs/a.py")
        await watched.see(project, "jobs/a.py")
        await watched.see(project, "jobs/new.py")


async def test_directories_may_change_on_the_way(project: Project) -> None:
    async with watching([]) as watched:
        watched.watcher.watch(frozenset({project.root / "jobs"}))
        await watched.see(project, "jobs/a.py")
        watched.watcher.watch(frozenset({project.root / "lib"}))
        await watched.see(project, "lib/shared.py")


async def test_a_change_of_directories_is_followed_by_a_look_for_what_was_missed(
    project: Project,
) -> None:
    async with watching([project.root / "jobs"]) as watched:
        await watched.see(project, "jobs/a.py")
        watched.watcher.watch(frozenset({project.root / "lib"}))
        await watched.another_burst()


async def test_a_directory_that_is_removed_ends_nothing(project: Project) -> None:
    directories = {project.root / "jobs", project.root / "lib"}
    async with watching(directories) as watched:
        await watched.see(project, "jobs/a.py")
        shutil.rmtree(project.root / "lib")
        watched.watcher.watch(frozenset({*directories, project.root}))
        await watched.see(project, "jobs/a.py")


async def test_a_directory_that_is_removed_and_made_anew_is_watched_again(
    project: Project,
) -> None:
    async with watching([project.root, project.root / "jobs"]) as watched:
        await watched.see(project, "jobs/a.py")
        shutil.rmtree(project.root / "jobs")
        await watched.see(project, "app.py")
        await watched.see(project, "jobs/a.py")


async def test_when_every_directory_is_gone_the_watcher_waits_for_one(project: Project) -> None:
    async with watching([project.root / "jobs"]) as watched:
        await watched.see(project, "jobs/a.py")
        shutil.rmtree(project.root / "jobs")
        watched.watcher.watch(frozenset({project.root / "jobs", project.root / "nothing"}))
        await watched.another_burst()
        await watched.see(project, "jobs/a.py")
