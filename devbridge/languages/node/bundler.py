"""Bundles for `devbridge dev`: made in milliseconds, and meant as those that are deployed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.environment import NOTHING_FOUND, inherited
from devbridge.errors import BundleError
from devbridge.languages.node import loaded
from devbridge.languages.node.bundles import Asked, Bundles, Made
from devbridge.languages.node.esbuild import Request
from devbridge.languages.node.graph import Graph
from devbridge.languages.node.loaded import Candidate, Left
from devbridge.languages.node.native import beside, names
from devbridge.languages.node.options import ALWAYS_EXTERNAL
from devbridge.languages.node.read_files import read_files
from devbridge.languages.node.tools import Node, find_node, target_here

MODULES: Final = "modules.json"
"""What the worker reports, beside the bundle."""
_PLACE: Final = "0" * 32
"""The folder that esbuild is told to write to: as deep as those that are written."""
_OLD: Final = 7 * 24 * 3600.0
"""Seconds after which a bundle that nobody has made again is deleted."""
_TRY: Final = Path(__file__).with_name("try_modules.mjs")
_PATIENCE: Final = 30.0
"""Seconds that packages get to be loaded."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on the disk. It is never changed: other code has another folder."""

    file: Path
    modules: Path
    """What its worker reports to the Runtime API: which files to watch."""
    preload: tuple[Path, ...] = ()
    """Files of packages that it imports and has not in it, in import order."""
    warnings: tuple[str, ...] = ()
    """Of esbuild, a line each."""


@dataclass(slots=True)
class _Known:
    """What is remembered of a handler's bundle."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    left: Left | None = None
    """What is left to Node; None: that is to be found out."""
    stamps: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of the ``package.json`` of what is left to Node."""
    request: Request | None = None
    files: frozenset[str] = frozenset()
    """What it was made of the last time, without what is installed."""


class DevBundler:
    """Makes bundles for `devbridge dev`. Its methods may be called from any thread.

    Args:
        folder: where bundles are written, below the app's folder: packages that are not in a bundle
            are found from there.
        cache: the folder that keeps esbuild, and what `install` names.
        environ: where node, npm and its registry are looked for.
        told: is told what is worth a line.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        environ: Mapping[str, str],
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._bundles = Bundles(environ, cache, told)
        self._lock = threading.Lock()
        self._jobs: dict[str, _Known] = {}
        self._texts: dict[str, tuple[tuple[int, int], str]] = {}
        self._nodes: dict[str, Node] = {}
        self._tried: dict[tuple[str, str], dict[str, list[str]]] = {}
        self._prune()

    def bundle(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str = "nodejs24.x",
        install: Sequence[str] = (),
    ) -> Bundle:
        """The bundle of a handler as its files are now.

        Args:
            root: the app's folder.
            options: ``esbuild={...}`` of the job.
            install: what npm installs beside it.

        Raises:
            BundleError: it cannot be made.
            ToolMissing: there is no esbuild, or no node.
            BuildError: what `install` names cannot be installed.
        """
        asked = self._asked(root, handler, options, runtime, install)
        known = self._known(asked)
        with known.lock:
            try:
                made = self._quick(asked, known) or self._anew(asked, known)
            except BundleError as error:
                error.files |= known.files  # what it was made of the last time
                raise
            left = known.left or Left()
            told = read_files(asked, made.graph, left)
            known.files = frozenset((*told["userFiles"], *told["own"]))
        links = beside(asked, self._bundles, install)
        return self._written(asked, made, left, links, told)

    def check(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str = "nodejs24.x",
        install: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Bundle as `devbridge deploy` does, and return what it warns of.

        Raises:
            BundleError: the bundle that would be deployed cannot be made, and the one of `bundle`
                can: who launches that is told what is wrong with it.
            ToolMissing: there is no esbuild.
        """
        asked = self._asked(root, handler, options, runtime, install)
        try:
            return self._bundles.deployed(asked).warnings
        except BundleError:
            try:
                self.bundle(root, handler, options, runtime, install)
            except BundleError:
                return ()
            raise

    def processes(self) -> list[int]:
        """The process ids of the esbuilds that run."""
        return self._bundles.processes()

    def close(self) -> None:
        """End esbuild."""
        self._bundles.close()

    def _asked(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str,
        install: Sequence[str],
    ) -> Asked:
        return Asked(Path(os.path.realpath(root)), handler, options, runtime, names(install))

    def _known(self, asked: Asked) -> _Known:
        told = [str(asked.root), asked.handler, asked.runtime, asked.external, dict(asked.options)]
        key = json.dumps(told, sort_keys=True, default=list)
        with self._lock:
            return self._jobs.setdefault(key, _Known())

    # --- bundles ----------------------------------------------------------------------------

    def _request(self, asked: Asked, replaced: Mapping[str, str]) -> Request:
        return self._bundles.request(
            asked,
            str(self._folder / _PLACE),
            target_here(self._node(asked), asked.runtime),
            runs_at=str(asked.root / asked.name),
            replaced=replaced,
        )

    def _node(self, asked: Asked) -> Node:
        if asked.runtime not in self._nodes:
            self._nodes[asked.runtime] = find_node(self._bundles.environ, asked.runtime)
        return self._nodes[asked.runtime]

    def _built(self, asked: Asked, request: Request) -> Made:
        result = self._bundles.built(asked, request)
        return self._bundles.made(asked, result, self._folder / _PLACE)

    def _quick(self, asked: Asked, known: _Known) -> Made | None:
        """The bundle, if what was left to Node the last time is what may be now."""
        left = known.left
        if left is None:
            return None
        if known.stamps != _stamps(left):
            known.left = None
            return None
        request = self._request(asked, left.replaced)
        if known.request is not None and known.request != request:
            self._bundles.forget(known.request)
        known.request = request
        made = self._built(asked, request)
        if loaded.holds(made.graph, left, self._text):
            return made
        known.left = None
        return None

    def _anew(self, asked: Asked, known: _Known) -> Made:
        """The bundle with all that is in it; what may be left to Node is found out."""
        whole = self._request(asked, {})
        made = self._built(asked, whole)
        left = self._left(asked, made.graph)
        known.left, known.stamps = left, _stamps(left)
        if left.replaced:
            self._bundles.forget(whole)
            return self._quick(asked, known) or made
        known.request = whole
        return made

    def _left(self, asked: Asked, graph: Graph) -> Left:
        esbuild = self._bundles.esbuild(asked.root)
        changed = any(asked.options.get(key) for key in loaded.CHANGING)
        changed |= not loaded.JAVASCRIPT.isdisjoint(asked.options.get("loader", ()))
        nothing = Left(rest=frozenset(path for path in graph.modules))
        if changed or not esbuild.served:
            return nothing
        external = (*ALWAYS_EXTERNAL, *asked.external, *asked.options.get("external", ()))
        words = (*asked.options.get("define", ()), *asked.options.get("alias", ()))
        chosen = loaded.candidates(graph, self._text, words, external)
        formats = {each.format for each in chosen}
        if asked.options.get("format") == "cjs" and formats != {"cjs"}:
            # What stands for an ES module would be asked for in another way than it is imported.
            return nothing
        if not chosen:
            return nothing
        return loaded.left(graph, chosen, self._loadable(asked, chosen), lambda p: Path(p).as_uri())

    def _loadable(self, asked: Asked, chosen: Sequence[Candidate]) -> Mapping[str, Sequence[str]]:
        """What Node can load of these, and the names that it finds there."""
        node = self._node(asked)
        modules = json.dumps([[each.path, each.format] for each in chosen])
        stamps = _stamps(Left(packages=frozenset(p for each in chosen for p in each.packages)))
        key = (modules, f"{node.path} {sorted(stamps.items())}")
        if key in self._tried:
            return self._tried[key]
        # Their code runs: it gets what it would get in a run, and no credentials.
        environ = {**inherited(self._bundles.environ), **NOTHING_FOUND}
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "found.json"
            try:
                subprocess.run(
                    [node.path, _TRY, modules, result],
                    cwd=asked.root,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_PATIENCE,
                    check=False,
                )
                self._tried[key] = json.loads(result.read_text(encoding="utf-8"))
            except (OSError, ValueError, subprocess.SubprocessError):
                self._tried[key] = {}
        return self._tried[key]

    def _text(self, path: str) -> str:
        """A file's text, read once."""
        try:
            found = os.stat(path)  # noqa: PTH116 - many, and it is quick
            stamp = (found.st_mtime_ns, found.st_size)
            if (kept := self._texts.get(path)) is None or kept[0] != stamp:
                text = Path(path).read_text(encoding="utf-8", errors="replace")
                kept = self._texts[path] = (stamp, text)
        except OSError:
            return ""
        return kept[1]

    # --- the disk ---------------------------------------------------------------------------

    def _written(
        self,
        asked: Asked,
        made: Made,
        left: Left,
        links: Mapping[str, Path],
        told: Mapping[str, Any],
    ) -> Bundle:
        modules = json.dumps(told).encode()
        files = {**made.files, MODULES: modules}
        digest = hashlib.sha256()
        for name, body in sorted(files.items()):
            digest.update(f"{name}\0{len(body)}\0".encode())
            digest.update(body)
        digest.update(json.dumps({name: str(links[name]) for name in sorted(links)}).encode())
        folder = self._folder / digest.hexdigest()[: len(_PLACE)]
        try:
            os.utime(folder)  # it is not old: see `_prune`
        except FileNotFoundError:
            self._write(folder, files, links)
        return Bundle(
            folder / asked.name,
            folder / MODULES,
            tuple(map(Path, left.preload)),
            made.warnings,
        )

    def _write(self, folder: Path, files: Mapping[str, bytes], links: Mapping[str, Path]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            for name, body in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            for name, target in links.items():
                link = temporary / "node_modules" / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target, target_is_directory=True)
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another thread was faster
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _prune(self) -> None:
        with contextlib.suppress(OSError):
            for each in self._folder.iterdir():
                if time.time() - each.stat().st_mtime > _OLD:
                    shutil.rmtree(each, ignore_errors=True)


def _stamps(left: Left) -> dict[str, tuple[int, int]]:
    """What changes when one of these packages is installed in another version."""
    found: dict[str, tuple[int, int]] = {}
    for package in left.packages:
        try:
            told = os.stat(f"{package}/package.json")  # noqa: PTH116 - many, and it is quick
        except OSError:
            continue
        found[package] = (told.st_mtime_ns, told.st_ino)
    return found
