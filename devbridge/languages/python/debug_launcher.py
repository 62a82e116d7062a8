"""Workers that find debugpy: `devbridge dev --debug`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from devbridge.runs.model import CodeSpec
from devbridge.workers.base import Launcher, Process, WorkerSpec
from devbridge.workers.modules import Modules
from runner import debugging


class DebugLauncher:
    """A Launcher that tells another one's workers where debugpy is.

    Args:
        folder: that of debugpy's package.
    """

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self._launcher = launcher
        self._folder = folder

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """See `Launcher.launch`."""
        if spec.debug is not None:
            told = {
                debugging.DEBUGGER: os.fspath(spec.debug),
                debugging.FOLDER: os.fspath(self._folder),
            }
            spec = dataclasses.replace(spec, environment={**spec.environment, **told})
        return await self._launcher.launch(spec, output_fd)

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """See `Launcher.prepare`."""
        await self._launcher.prepare(jobs, vouched)

    def reported(self, job: str, modules: Modules) -> bool:
        """See `Launcher.reported`."""
        return self._launcher.reported(job, modules)

    async def close(self) -> None:
        """See `Launcher.close`."""
        await self._launcher.close()
