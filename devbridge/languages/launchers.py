"""Starts an app's workers, each in its language."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from devbridge.languages.base import Workplace
from devbridge.languages.known import LANGUAGES
from devbridge.runs.model import CodeSpec
from devbridge.sources.runtimes import DEFAULT, Name, language_of
from devbridge.workers.base import Launcher, Process, WorkerSpec
from devbridge.workers.modules import Modules


class Launchers:
    """The launchers of all languages that the app's jobs have, as one `Launcher`."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._made: dict[Name, Launcher] = {}
        self._before: list[Launcher] = []
        self._prepared: tuple[Sequence[CodeSpec], Sequence[str]] = (), ()
        self._of_job: dict[str, Name] = {}

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """See `Launcher.launch`."""
        return await self._launcher(_language(spec.runtime)).launch(spec, output_fd)

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """See `Launcher.prepare`."""
        every, names = self._prepared = list(jobs), list(vouched)
        self._of_job |= {job.key: _language(job.runtime) for job in every}
        for language in dict.fromkeys([DEFAULT, *self._of_job.values()] if every else [DEFAULT]):
            own = [job for job in every if self._of_job[job.key] == language]
            await self._launcher(language).prepare(own, names if language == DEFAULT else ())

    def reported(self, job: str, modules: Modules) -> bool:
        """See `Launcher.reported`."""
        return self._launcher(self._of_job.get(job, DEFAULT)).reported(job, modules)

    async def debug(self) -> None:
        """Let workers be open to debuggers from now on: other launchers start them."""
        self._place = replace(self._place, debug=True)
        self._before += self._made.values()
        self._made = {}
        await self.prepare(*self._prepared)

    async def close(self) -> None:
        """See `Launcher.close`."""
        every = (*self._before, *self._made.values())
        await asyncio.gather(*(launcher.close() for launcher in every))

    def _launcher(self, language: Name) -> Launcher:
        if language not in self._made:
            self._made[language] = LANGUAGES[language].launcher(self._place)
        return self._made[language]


def _language(runtime: str) -> Name:
    return language_of(runtime or None) or DEFAULT
