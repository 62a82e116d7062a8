from __future__ import annotations

from pathlib import Path
from typing import Any

from devbridge.languages.python.debug_launcher import DebugLauncher
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules
from tests.unit.languages.fakes import FakeLauncher

FOLDER = Path("/lib/debugpy")


class Launcher(FakeLauncher):
    """One that keeps what it launches."""

    def __init__(self) -> None:
        super().__init__("python", [])
        self.specs: list[WorkerSpec] = []

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Any:
        self.specs.append(spec)
        return await super().launch(spec, output_fd)


def spec(debug: Path | None) -> WorkerSpec:
    return WorkerSpec(
        worker_id="w",
        root=Path("/app"),
        handler="a.handler",
        python=Path("python"),
        environment={"A": "1"},
        job="a",
        debug=debug,
    )


async def test_a_worker_that_is_open_to_debuggers_is_told_where_debugpy_is() -> None:
    launcher = Launcher()
    one = DebugLauncher(launcher, FOLDER)
    await one.launch(spec(Path("/notes/halted")), 0)
    await one.launch(spec(None), 0)
    assert [each.environment for each in launcher.specs] == [
        {"A": "1", "DEVBRIDGE_DEBUGGER": "/notes/halted", "DEVBRIDGE_DEBUGPY": "/lib/debugpy"},
        {"A": "1"},
    ]


async def test_all_else_is_the_launchers_own() -> None:
    launcher = Launcher()
    one = DebugLauncher(launcher, FOLDER)
    await one.prepare([], ["numpy"])
    one.reported("a", Modules(frozenset(), ()))
    await one.close()
    assert len(launcher.told) == 3
