"""The shell that runs a build's commands.

Each command is a script of its own, as in CodeBuild's agent, which takes over the exported
variables and the directory that the one before has left: so `cd` and variables persist, and a
command that says `exit` or is no shell at all ends nothing but itself. A guard leads the process
group: it waits at a pipe that only the cloud holds, and kills the group when that is closed. So
nothing of a build outlives it, not even when the cloud is killed.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GUARD: Final = "trap '' HUP INT TERM QUIT; read _; kill -KILL 0"


class Shell:
    """Runs commands one after the other. `terminate` may be called from any thread."""

    def __init__(
        self,
        directory: Path,
        *,
        cwd: Path,
        environment: Mapping[str, str],
        output: int,
        program: str = "/bin/sh",
        exported: Sequence[str] = (),
    ) -> None:
        """`directory` is for the scripts; `output` the descriptor that commands write to."""
        self.exported: dict[str, str] = {}
        """The values that the variables named as `exported` had after the last command."""
        self._directory = directory
        self._cwd = self._first_cwd = str(cwd)
        self._output = output
        self._program = program
        self._lock = threading.Lock()
        self._terminated = False
        self._kill_at = 0.0
        self._env = directory / "env.sh"
        # What is no variable's name would end the shell.
        usable = [item for item in environment.items() if _NAME.fullmatch(item[0])]
        self._env.write_text("".join(map(_assignment, usable)), encoding="utf-8")
        shown = "".join(
            f'[ "${{{name}+x}}" ] && printf "%s=%s\\000" {name} "${name}" >> exported.new\n'
            for name in exported
        )
        (directory / "leave.sh").write_text(
            f"export -p > env.new\n: > exported.new\n{shown}", encoding="utf-8"
        )
        read, self._hold = os.pipe()
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                process_group=0,
            )
        finally:
            os.close(read)

    def set(self, name: str, value: str) -> None:
        """Change a variable for the commands to come."""
        with self._env.open("a", encoding="utf-8") as file:
            file.write(_assignment((name, value)))

    def run(self, command: str) -> int:
        """Run the command to its end; its exit code, or the negative number of a signal.

        In the directory that the one before has left, or the first one when that is gone.
        """
        if not Path(self._cwd).is_dir():
            self._cwd = self._first_cwd
        inside = shlex.quote(str(self._directory))
        script = self._directory / "script.sh"
        leave = f"(pwd > {inside}/cwd.new; cd {inside}; . ./leave.sh)"
        (self._directory / "command.sh").write_text(f"{command}\n", encoding="utf-8")
        # The trap is for a command that exits, what follows it for one that has a trap of its own.
        script.write_text(
            f"trap {shlex.quote(leave)} EXIT\n"
            f". {inside}/env.sh\n"
            f"cd -- {shlex.quote(self._cwd)} || exit\n"
            f"set -a\n. {inside}/command.sh\nset -- $?\n{leave}\nexit $1\n",
            encoding="utf-8",
        )
        with self._lock:
            if self._terminated:
                return -signal.SIGTERM
            process = subprocess.Popen(
                [self._program, str(script)],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                cwd=self._cwd,
                env={"PATH": os.defpath},
                process_group=self._guard.pid,
                umask=0o022,
            )
        code = process.wait()
        if code >= 0:
            self._take_over()
        return code

    def terminate(self, grace: float) -> None:
        """End what runs, and let nothing else run: SIGTERM, and after `grace` seconds SIGKILL."""
        with self._lock:
            if not self._terminated:
                self._terminated = True
                self._kill_at = time.monotonic() + grace
                self._signal(signal.SIGTERM)
                timer = threading.Timer(grace, self._signal, (signal.SIGKILL,))
                timer.daemon = True
                timer.start()

    def close(self) -> None:
        """Kill what is left of the build's processes, when their grace is over. Idempotent."""
        with self._lock:
            self._terminated = True
        while time.monotonic() < self._kill_at and self._others():
            time.sleep(0.02)
        with self._lock:
            if self._guard.returncode is None:
                self._signal(signal.SIGKILL)
                os.close(self._hold)
                self._guard.wait()

    def _signal(self, number: signal.Signals) -> None:
        # The guard is not reaped before `close` is done: the number is this group's own.
        if self._guard.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._guard.pid, number)

    def _others(self) -> bool:
        """Whether the group has any process besides the guard."""
        return any(
            group == self._guard.pid and pid != self._guard.pid and state != "Z"
            for pid, group, state in _processes()
        )

    def _take_over(self) -> None:
        with suppress(FileNotFoundError):
            self._cwd = (self._directory / "cwd.new").read_text("utf-8").removesuffix("\n")
            (self._directory / "env.new").replace(self._env)
            pairs = (self._directory / "exported.new").read_bytes().split(b"\0")[:-1]
            self.exported = dict(pair.decode("utf-8", "replace").split("=", 1) for pair in pairs)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Number, group and state of each process of this machine."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            pid, group, state = line.split()
            yield int(pid), int(group), state[0]
        return
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone by now
            state, _, group, *_ = process.read_text().rpartition(")")[2].split()
            yield int(process.parent.name), int(group), state


def how(code: int) -> str:
    """How a command ended, in CodeBuild's words."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {signal.strsignal(-code) or -code}".lower()


def _assignment(item: tuple[str, str]) -> str:
    return f"export {item[0]}={shlex.quote(item[1])}\n"
