"""A blank: a Node process that has imported a job's packages and waits to become its worker.

See `runner/node/blank.mjs` for what it does, and for what is said over the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.workers.base import FreshProcess
from runner import debugging, languages, stuck

TAKEN_DEADLINE: Final = 5.0
"""Seconds in which a blank must have become a worker; a fresh process is then started instead."""
OF_ONE_WORKER: Final = frozenset(
    {
        *("AWS_LAMBDA_RUNTIME_API", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "DEVBRIDGE_RECORD", "DEVBRIDGE_WITHHELD"),
        *("DEVBRIDGE_BUNDLE", "DEVBRIDGE_MODULES", debugging.DEBUGGER, stuck.NOTE),
        "AWS_LAMBDA_LOG_STREAM_NAME",
    }
)
"""The variables that a worker gets, and nobody before it."""
_LOCKS: Final = (".package-lock.json", ".modules.yaml", ".yarn-integrity", ".yarn-state.yml")
"""What npm, pnpm and yarn write into node_modules whenever they have installed something."""

_MODULES: Final = "node_modules"
ENDED: Final = "it has ended"

Signature = tuple[int, int]


@dataclass(frozen=True)
class Kit:
    """What a blank is made of: the worker must have been made of the same."""

    command: tuple[str, ...]
    """What starts it, to which the script's arguments are added."""
    root: Path
    environment: Mapping[str, str] = field(repr=False)
    """Without `OF_ONE_WORKER`."""
    preload: tuple[Path, ...]

    def serves(self, wanted: Kit) -> bool:
        """Whether what has begun like this is, after further imports, what is wanted."""
        begun = wanted.preload[: len(self.preload)]
        return (self.command, self.root, self.environment, self.preload) == (
            wanted.command,
            wanted.root,
            wanted.environment,
            begun,
        )


def kit(
    starter: Sequence[str],
    node: Path,
    root: Path,
    environment: Mapping[str, str],
    preload: Iterable[Path],
) -> Kit:
    """The kit of a worker's blank; `starter` is what comes before Node's own command."""
    script = languages.node_command(os.fspath(node), "blank.mjs", environment)
    base = {name: value for name, value in environment.items() if name not in OF_ONE_WORKER}
    return Kit((*starter, *script), root, base, tuple(preload))


class Files:
    """What a blank has read, and whether it is still so."""

    def __init__(self, preload: Iterable[Path], modules: Path) -> None:
        """Look at the files now, before they are read: the preloaded ones, all others that the
        bundle's `modules` names as installed, and what tells of an installation."""
        paths = set(preload)
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            paths |= set(map(Path, json.loads(modules.read_bytes())["installed"]))
        for folder in {path.parent for path in paths}:
            paths |= _markers(folder)
        self._signatures = {os.fspath(path): _signature(os.fspath(path)) for path in paths}

    def are_current(self) -> bool:
        """Whether none of them has changed since."""
        return all(_signature(path) == then for path, then in self._signatures.items())


def _markers(folder: Path) -> set[Path]:
    """Of the package that a folder belongs to, and of the node_modules that it is in."""
    found = set()
    for each in (folder, *folder.parents):
        if each.name == _MODULES:
            found |= {each / name for name in _LOCKS}
        elif _MODULES in each.parts:
            found.add(each / "package.json")
    return found


def _signature(path: str) -> Signature | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - hundreds of them, while a save waits
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


class Blank:
    """One blank process, from its start until it is a worker, or is not needed any more."""

    def __init__(self, kit: Kit, files: Files, later: Iterable[str]) -> None:
        """Start it, in the thread whose end shall be its end.

        Args:
            files: what it reads, looked at before.
            later: the names of the variables that it will get.

        Raises:
            OSError: the system has no process to give.
        """
        self.kit = kit
        self.files = files
        self._loop = asyncio.get_running_loop()
        self.settled: asyncio.Future[str] = self._loop.create_future()
        """Why it cannot be used, as far as it says; "" when it waits."""
        self._taken: asyncio.Future[bool] = self._loop.create_future()
        self._received = b""
        self._noisy = False
        self._control, theirs = socket.socketpair()
        self._printed, output = os.pipe()
        try:
            with theirs, open(output, "wb", buffering=0) as printed:  # noqa: PTH123
                started = subprocess.Popen(
                    [*kit.command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=printed,
                    cwd=kit.root,
                    env=dict(kit.environment),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except OSError:
            self._control.close()
            os.close(self._printed)
            raise
        self.process = FreshProcess(started)
        self._control.setblocking(False)
        os.set_blocking(self._printed, False)
        self._loop.add_reader(self._control, self._read)
        self._outgoing = b""
        visible = sorted(name for name in later if name.startswith("AWS_"))
        self._send({"preload": [os.fspath(path) for path in kit.preload], "later": visible})

    @property
    def waits(self) -> bool:
        """Whether it can become a worker now: it has imported everything, printed nothing, and is
        still there."""
        ready = self.settled.done() and not self.settled.result()
        return ready and not self.process.ended.done() and not self.has_printed

    async def become(self, environment: Mapping[str, str], output_fd: int) -> bool:
        """Make it the worker with this environment, whose output goes to `output_fd`. False: it
        has ended instead."""
        later = {name: value for name, value in environment.items() if name in OF_ONE_WORKER}
        self._send({"env": later, "out": f"/proc/{os.getpid()}/fd/{output_fd}"})
        try:
            return await asyncio.wait_for(asyncio.shield(self._taken), TAKEN_DEADLINE)
        except TimeoutError:
            return False
        finally:
            self._hang_up()

    def end(self) -> None:
        """It is not needed."""
        self.process.signal_group(signal.SIGKILL)
        self._hang_up()

    @property
    def has_printed(self) -> bool:
        """Whether anything came out of it: its worker would have to print that, too."""
        if not self._noisy and self._control.fileno() >= 0:
            with contextlib.suppress(BlockingIOError):
                self._noisy = os.read(self._printed, 1) != b""
        return self._noisy

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._control.fileno() >= 0:  # else it has ended
            self._outgoing += json.dumps(message).encode() + b"\n"
            self._write()

    def _write(self) -> None:
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[self._control.send(self._outgoing) :]
        except BlockingIOError:
            self._loop.add_writer(self._control, self._write)
            return
        except OSError:  # it has ended; reading says so
            self._outgoing = b""
        self._loop.remove_writer(self._control)

    def _read(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "taken" in said:
                self._taken.set_result(True)
            elif not self.settled.done():
                self.settled.set_result(said.get("unfit", ""))

    def _hang_up(self) -> None:
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()
            os.close(self._printed)
        if not self.settled.done():
            self.settled.set_result(ENDED)
        if not self._taken.done():
            self._taken.set_result(False)
