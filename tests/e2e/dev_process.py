"""Drives `devbridge dev` as a user at a terminal does: start it, read it, press Ctrl-C."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from tests.clients import endpoint_of, root_client

PYTHON = os.environ.get("TESTED_PYTHON", sys.executable)
"""The interpreter whose devbridge is tested: `.ci/wheel` gives one that has the wheel alone."""
DEADLINE = 60.0
"""Seconds to wait for a line; generous, because the machine may be busy with other tests."""


def client(app: Path, service: str) -> Any:
    """An AWS client, for the embedded cloud that runs in the app's folder."""
    return root_client(endpoint_of(app), service)


class DevProcess:
    """`devbridge dev ...` in an app's folder, its output read line by line as it comes."""

    def __init__(
        self,
        app: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        python: str = PYTHON,
        files: tuple[int, int] | None = None,
    ) -> None:
        """`files`: how many it may open, soft and hard limit."""
        self.app = app
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [python, "-m", "devbridge", "dev", *arguments],
            cwd=app,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **(environment or {})},
            start_new_session=True,
        )
        if files is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, files)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(
        self, pattern: str, *, after: int = 0, deadline: float = DEADLINE
    ) -> re.Match[str]:
        """The first match in a line from number `after` on."""
        until = time.monotonic() + deadline
        with self._news:
            seen = after
            while True:
                for number in range(seen, len(self.lines)):
                    if match := re.search(pattern, self.lines[number]):
                        return match
                seen = len(self.lines)
                left = until - time.monotonic()
                ended = not self._reader.is_alive()
                if left <= 0 or ended:
                    why = "the process ended" if ended else "no such line in time"
                    raise AssertionError(f"{why}: {pattern!r} in:\n{self.text}")
                self._news.wait(min(left, 1.0))

    @property
    def mark(self) -> int:
        """A place in the output, for `wait_for(..., after=mark)`."""
        with self._news:
            return len(self.lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, deadline: float = DEADLINE) -> int:
        code = self._process.wait(deadline)
        self._reader.join(5)
        return code

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self.send(signal.SIGINT)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def run_line(job_id: str, text: str) -> str:
    """A pattern of a line of this run: behind its bar, whatever jobs and functions the app has, and
    at the end of its only line if it is short."""
    return rf"^\|  (?:\S+ +)?{job_id[:8]}  +(?:Invoke .*  )?{text}"


def run(app: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run another devbridge command in the app's folder."""
    return subprocess.run(
        [PYTHON, "-m", "devbridge", *arguments],
        cwd=app,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=clean_environment(),
        check=False,
    )


def command(
    app: Path, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The same in this process, in a fraction of the time: for what a test asks again and again,
    where the command's own process is not what it is about."""
    if sys.executable != PYTHON:
        return run(app, *arguments, stdin=stdin)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(app)
        for name in os.environ.keys() - clean_environment().keys():
            patch.delenv(name)
        done = CliRunner().invoke(main, arguments, input=stdin, prog_name="devbridge")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def clean_environment() -> dict[str, str]:
    """The developer's environment without any AWS setting of this machine."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}


def processes_of(folder: Path) -> Sequence[str]:
    """The command lines of all processes that work in or below a folder, or name it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = (entry / "cwd").readlink()
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if cwd.is_relative_to(folder) or str(folder) in command or str(folder) in environment:
            found.append(f"{entry.name} {command}")
    return found
