"""Node.js, as a language.

What it does is imported when it is done: most apps have no TypeScript, and `dev` is to start soon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from devbridge.constructs import App, Function, Job
from devbridge.constructs.code import Code
from devbridge.errors import DevbridgeError
from devbridge.languages.base import Asking, Deployed, Fact, Packer, Packing, Workplace
from devbridge.languages.node.deployed import DeployedNode
from devbridge.packing.zips import Asset
from devbridge.types.model import JobTypes
from devbridge.workers.base import Launcher
from devbridge.workers.debugging import Debugger

NAME: Final = "nodejs"


class Node:
    """Node.js, as `devbridge.languages.base.Language`."""

    deployed: Deployed = DeployedNode()

    def packer(self, packing: Packing) -> Packer:
        """See `Language.packer`."""
        from devbridge.languages.node.bundles import Bundles
        from devbridge.languages.node.packing import NodePacker

        bundles = Bundles(os.environ, packing.cache)
        return NodePacker(bundles, local=packing.local, schemas=packing.schemas)

    def broken(self, function: Function, error: DevbridgeError) -> Asset:
        """See `Language.broken`."""
        from devbridge.languages.node.broken import broken_asset

        return broken_asset(function, error)

    def environment(self, code: Code, packing: Packing) -> Mapping[str, str]:  # noqa: ARG002
        """See `Language.environment`: what `install` names lies beside the bundle."""
        return {}

    def launcher(self, place: Workplace) -> Launcher:
        """See `Language.launcher`."""
        from devbridge.languages.node.bundler import DevBundler
        from devbridge.languages.node.launcher import NodeLauncher
        from devbridge.languages.node.tools import FoundNodes

        told: set[str] = set()
        find = FoundNodes(os.environ)

        def node(runtime: str) -> Path:
            found = find(runtime)
            if found.note and found.note not in told:
                told.add(found.note)
                place.say(found.note)
            return found.path

        bundler = DevBundler(place.bundles, place.cache, os.environ, place.say)
        return NodeLauncher(
            bundler, node, python=place.python, say=place.say, details=place.details
        )

    def debugger(self, place: Workplace, wait: float) -> Debugger:  # noqa: ARG002
        """See `Language.debugger`: each worker opens an inspector."""
        from devbridge.languages.node.debuggers import NodeDebugger

        return NodeDebugger(wait)

    def require_debugger(self, python: Path) -> None:
        """See `Language.require_debugger`: V8 has what it needs."""

    def types(self, app: App, jobs: Iterable[Job], asking: Asking) -> Mapping[str, JobTypes]:
        """See `Language.types`: TypeScript is asked."""
        from devbridge.languages.node.types import probe

        return probe(
            app,
            jobs,
            timeout=asking.timeout,
            slow=asking.slow,
            stopped=asking.stopped,
        )

    def facts(self, app: App) -> list[Fact]:
        """See `Language.facts`: node, esbuild and npm."""
        from devbridge.languages.node.tools import facts

        used = (code.runtime for code in app.of_type(Code) if code.language == NAME)
        return facts(os.environ, app.root, tuple(sorted(filter(None, used))))

    def set_up(self, app: App) -> str:
        """See `Language.set_up`: the link to devbridge's npm package."""
        from devbridge.languages.node.own_package import link

        return link(app.root)

    def declarations(self, app: App, types: Mapping[str, JobTypes]) -> Mapping[str, str]:
        """See `Language.declarations`."""
        from devbridge.languages.node.declarations import declarations

        return declarations(app, types)
