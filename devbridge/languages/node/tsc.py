"""The TypeScript compiler of a project: found, run, and what it says read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.languages.node import manifests
from devbridge.languages.node.binary import system
from devbridge.languages.node.tools import tool_environment

_LOOK: Final = 0.02
"""Seconds between two looks at whether it has ended: with TypeScript 7 it has after 0.1 s."""
_LINE: Final = re.compile(
    r"(?:(?P<file>\S.*?)\((?P<line>\d+),(?P<column>\d+)\): )?error TS(?P<code>\d+): (?P<text>.*)"
)
_NATIVE: Final = 7
"""The first version that is a program of the platform's own."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that tsc tells of."""

    file: Path | None
    """Absolute; None: it is of no file."""
    line: int
    column: int
    """Both from 1."""
    code: int
    """``2322``"""
    message: str


@dataclass(frozen=True, slots=True)
class Compiler:
    """A TypeScript that can be run."""

    version: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run of a compiler."""

    problems: tuple[Problem, ...]
    failure: str = ""
    """Why it gave no answer; nothing if it gave one."""


def upwards(folder: Path) -> Iterator[Path]:
    """The folder and those above it, nearest first: where Node.js looks for packages."""
    yield folder
    yield from folder.parents


def installed(folder: Path, package: str) -> Path | None:
    """The package that a module in that folder would import, without links; None: there is none."""
    for each in upwards(folder):
        found = each / "node_modules" / package
        if (found / "package.json").is_file():
            return found.resolve()
    return None


def compiler(folder: Path, node: Callable[[], str | None]) -> Compiler | None:
    """The TypeScript that a module in that folder would import; None: there is none.

    Args:
        node: finds a Node.js. Before version 7, the compiler is a program for it.
    """
    package = installed(folder, "typescript")
    if package is None:
        return None
    version = manifests.text(package, "version")
    if int(version.partition(".")[0] or 0) >= _NATIVE and (own := _native(package)):
        return Compiler(version, (str(own),))
    script = package / "bin" / "tsc"
    interpreter = node()
    if interpreter is None or not script.is_file():
        return None
    return Compiler(version, (interpreter, str(script)))


def _native(package: Path) -> Path | None:
    """Its program for this platform, which npm has in a package of its own."""
    own = installed(package, f"@typescript/typescript-{system()}")
    program = own / "lib" / "tsc" if own else None
    return program if program and os.access(program, os.X_OK) else None


def run(
    found: Compiler,
    arguments: Sequence[str],
    folder: Path,
    *,
    timeout: float,
    stopped: Callable[[], bool],
    waiting: Callable[[float], None],
) -> Ended:
    """Run it in a folder, which the files that it names are relative to.

    Args:
        stopped: asked often; when it says so, it is killed.
        waiting: is told often for how many seconds it has run.
    """
    with tempfile.TemporaryFile() as out:
        try:
            process = subprocess.Popen(
                [*found.command, *arguments],
                cwd=folder,
                env=tool_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Ended((), f"{found.command[0]} does not start: {error.strerror}")
        failure = _wait(process, timeout, stopped, waiting)
        out.seek(0)
        text = out.read().decode(errors="replace")
    # 1 and 2: it has found errors.
    if not failure and process.returncode not in (0, 1, 2):
        last = (text.strip().splitlines() or [""])[-1]
        failure = f"TypeScript {found.version} ended with {process.returncode}: {last}".rstrip(": ")
    return Ended(tuple(problems(text, folder)), failure)


def _wait(
    process: subprocess.Popen[bytes],
    timeout: float,
    stopped: Callable[[], bool],
    waiting: Callable[[float], None],
) -> str:
    began = time.monotonic()
    try:
        while not stopped():
            try:
                process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - began
                if seconds > timeout:
                    return f"TypeScript takes longer than {timeout:g} s"
                waiting(seconds)
            else:
                return ""
        return "it was stopped"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def problems(text: str, folder: Path) -> Iterator[Problem]:
    """The errors in what tsc has printed, in the folder where it ran."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            found.append((match, []))
        elif found and line.startswith(" "):
            found[-1][1].append(line)
    for match, more in found:
        file = Path(os.path.normpath(folder / match["file"])) if match["file"] else None
        message = "\n".join([match["text"], *more])
        yield Problem(
            file, int(match["line"] or 0), int(match["column"] or 0), int(match["code"]), message
        )
