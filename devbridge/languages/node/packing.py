"""The zips of Node functions and jobs: the bundle, what npm installs beside it, what is copied."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from devbridge.constructs import Function, Job
from devbridge.constructs.files import selected
from devbridge.errors import BundleError
from devbridge.files import NODE
from devbridge.languages.node.bundles import SOURCE, Asked, Bundles, Made
from devbridge.languages.node.graph import package_of
from devbridge.languages.node.native import aws, installed, names, pinned
from devbridge.languages.node.read_files import settings_of
from devbridge.languages.node.tools import find_node, target_here
from devbridge.packing.assets import (
    JobAssets,
    Remarks,
    function_asset,
    installing,
    job_assets,
    schemas_file,
)
from devbridge.packing.copied import copied
from devbridge.packing.zips import Asset, Content, Parts

_LARGEST: Final = 5
"""How many of a large zip's parts are named."""

Code = Function | Job


class NodePacker:
    """Packs the Node code of one deployment, for one cloud.

    Args:
        bundles: what makes the bundles; it is closed with this.
        local: for the embedded cloud, which runs what it is given on this very machine.
        schemas: JSON Schemas of the jobs' payloads, by the job's name.
    """

    def __init__(
        self,
        bundles: Bundles,
        *,
        local: bool = False,
        schemas: Mapping[str, Any] = {},
    ) -> None:
        self._bundles = bundles
        self.local = local
        self.schemas = schemas
        self.remarks = Remarks()
        self._made: dict[str, Made | BundleError] = {}

    def analyse(self, codes: Sequence[Code]) -> None:
        """Bundle all of these; what cannot be is told when it is packed.

        Raises:
            ToolMissing: there is no esbuild.
        """
        for code in codes:
            if str(code) not in self._made:
                try:
                    made = self._bundles.deployed(self._asked(code), self._target(code))
                except BundleError as error:
                    self._made[str(code)] = error
                    continue
                self._made[str(code)] = made
                for line in made.warnings:
                    self.remarks.warn(f"{code}: {line}")

    def app_files(self, function: Function) -> set[Path]:
        """The files that a function is made of and that are not installed, as far as they parse."""
        root = function.app.root
        copies = set(selected(root, function.copy_files).files.values())
        asked = self._asked(function)
        try:
            made = self._bundle(function)
        except BundleError as error:
            sources = [root / f"{asked.module}{suffix}" for suffix in SOURCE.suffixes]
            told = [root / error.where.partition(":")[0]] if error.where else []
            return {path for path in (*sources, *told) if path.is_file()} | copies
        own = [path for path in made.graph.modules if not package_of(path)]
        return {Path(path) for path in (*own, *settings_of(asked, own))} | copies

    def function_asset(self, function: Function) -> Asset:
        """The zip of a function.

        Raises:
            BuildError: it cannot be bundled, npm cannot install what it needs, or it is too large.
        """
        files = {**self._installed(function), **self._copied(function)}
        parts = Parts(files, self._own(function))
        largest = functools.partial(self._largest, function, parts)
        return function_asset(function, parts, self._bundles.cache, largest)

    def job_assets(self, job: Job) -> JobAssets:
        """What a job's build starts from: its code with the runner, and what npm installs.

        Raises:
            BuildError: it cannot be bundled, or npm cannot install what it needs.
        """
        code = Parts(self._copied(job), self._own(job))
        cache = self._bundles.cache
        return job_assets(job, self._installed(job), code, cache, runner=["node/*.mjs"])

    def compare(self, job: Job) -> None:
        """Bundle it, for the warnings: what live runs have imported is in the bundle, too.

        Raises:
            BuildError: it cannot be bundled.
        """
        self._bundle(job)

    def close(self) -> None:
        """End esbuild. Idempotent."""
        self._bundles.close()

    def _asked(self, code: Code) -> Asked:
        root = Path(code.app.root).resolve()
        runtime = code.runtime or ""
        return Asked(root, str(code.handler), code.esbuild, runtime, names(code.install))

    def _target(self, code: Code) -> str:
        if not self.local:
            return ""
        runtime = code.runtime or ""
        return target_here(find_node(self._bundles.environ, runtime), runtime)

    def _bundle(self, code: Code) -> Made:
        self.analyse([code])
        made = self._made[str(code)]
        if isinstance(made, BundleError):
            raise made
        return made

    def _own(self, code: Code) -> dict[str, Content]:
        """The bundle, and the schemas of the payloads that it sends and gets."""
        jobs = [each for each in (*code.bind, code) if isinstance(each, Job)]
        return {**self._bundle(code).files, **schemas_file(jobs, self.schemas)}

    def _installed(self, code: Code) -> dict[str, Path]:
        """The files below ``node_modules`` that `install` needs, for the machine it runs on."""
        if not code.install:
            return {}
        asked = self._asked(code)
        platform = None if self.local else aws(code.architecture)
        wanted = pinned(code.install, asked.source().parent)
        bundles = self._bundles
        with installing(code):
            folder = installed(wanted, asked.root, platform, bundles.environ, bundles.cache)
        return {
            f"{NODE}/{path.relative_to(folder).as_posix()}": path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
        }

    def _copied(self, code: Code) -> dict[str, Path]:
        return copied(code, self.remarks)

    def _largest(self, code: Code, parts: Parts) -> list[str]:
        """The largest of what a zip has, with their sizes."""
        sizes: dict[str, int] = {}
        for path, module in self._bundle(code).graph.modules.items():
            name = package_of(path).rpartition(f"{NODE}/")[2] or Path(path).name
            sizes[name] = sizes.get(name, 0) + module.size
        for name, item in parts.installed.items():
            top = name.removeprefix(f"{NODE}/").split("/")
            label = "/".join(top[:2] if top[0].startswith("@") else top[:1])
            sizes[label] = sizes.get(label, 0) + item.stat().st_size
        largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:_LARGEST]
        return [f"{name} ({sizes[name] / 1024 / 1024:,.1f} MB)" for name in largest]
