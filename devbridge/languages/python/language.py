"""Python, as a language."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from devbridge.constructs import App, Function, Job
from devbridge.errors import DevbridgeError
from devbridge.languages.base import Asking, Code, Deployed, Fact, Packer, Packing, Workplace
from devbridge.languages.python.broken import broken_asset
from devbridge.languages.python.debug_launcher import DebugLauncher
from devbridge.languages.python.deployed import DeployedPython
from devbridge.languages.python.found_debugpy import debugpy_folder
from devbridge.languages.python.packing import Builder
from devbridge.languages.python.pip import installed_path
from devbridge.languages.python.types import probe
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.packing.zips import Asset
from devbridge.types.model import JobTypes
from devbridge.workers.base import FreshLauncher, Launcher
from devbridge.workers.debugging import Debugger


class Python:
    """Python, as `devbridge.languages.base.Language`."""

    deployed: Deployed = DeployedPython()

    def packer(self, packing: Packing) -> Packer:
        """See `Language.packer`."""
        return Builder(
            packing.python,
            packing.version,
            packing.cache,
            local=packing.local,
            schemas=packing.schemas,
            live=packing.live,
            shape=packing.shape,
        )

    def broken(self, function: Function, error: DevbridgeError) -> Asset:
        """See `Language.broken`."""
        return broken_asset(function, error)

    def environment(self, code: Code, packing: Packing) -> Mapping[str, str]:
        """See `Language.environment`: where the runner looks for what `install` names."""
        if not code.install:
            return {}
        folder = installed_path(
            code.install, packing.python, packing.cache, version=packing.version
        )
        return {"DEVBRIDGE_PATH": str(folder)}

    def launcher(self, place: Workplace) -> Launcher:
        """See `Language.launcher`: forks of a zygote on Linux; elsewhere, where forking is not
        safe, fresh processes."""
        folder = debugpy_folder(place.python) if place.debug else None
        launcher: Launcher = FreshLauncher()
        if sys.platform == "linux":
            launcher = ZygoteLauncher(
                place.python,
                place.environment,
                root=place.root,
                say=place.say,
                details=place.details,
                record=place.fresh_jobs,
                debugger=folder,
            )
        return launcher if folder is None else DebugLauncher(launcher, folder)

    def debugger(self, place: Workplace, wait: float) -> Debugger:  # noqa: ARG002
        """See `Language.debugger`: debugpy's adapter. Debuggers are attached to the session, so no
        run waits for one."""
        from devbridge.languages.python.debugger import PythonDebugger

        return PythonDebugger(place)

    def require_debugger(self, python: Path) -> None:
        """See `Language.require_debugger`: debugpy."""
        debugpy_folder(python)

    def types(self, app: App, jobs: Iterable[Job], asking: Asking) -> Mapping[str, JobTypes]:
        """See `Language.types`: their handlers are imported."""
        return probe(
            app,
            asking.python,
            asking.given,
            jobs=jobs,
            timeout=asking.timeout,
            slow=asking.slow,
            stopped=asking.stopped,
        )

    def facts(self, app: App) -> list[Fact]:  # noqa: ARG002
        """See `Language.facts`: the app's interpreter is devbridge's own matter."""
        return []

    def set_up(self, app: App) -> str:  # noqa: ARG002
        """See `Language.set_up`: nothing."""
        return ""

    def declarations(
        self,
        app: App,  # noqa: ARG002
        types: Mapping[str, JobTypes],  # noqa: ARG002
    ) -> Mapping[str, str]:
        """See `Language.declarations`."""
        return {}
