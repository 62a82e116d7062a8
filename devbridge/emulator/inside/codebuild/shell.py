"""The shell that runs a build's commands.

Each command is a script of its own, as in CodeBuild's agent, which takes over the exported
variables and the directory that the one before has left: so `cd` and variables persist, and a
command that says `exit` or is no shell at all ends nothing but itself.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..machines.group import Group

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        self.group = Group()
        """The processes of all commands."""

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
        process = self.group.start(
            [self._program, str(script)],
            cwd=self._cwd,
            environment={"PATH": os.defpath},
            output=self._output,
        )
        if process is None:
            return -signal.SIGTERM
        code = process.wait()
        if code >= 0:
            self._take_over()
        return code

    def terminate(self, grace: float) -> None:
        """End what runs, and let nothing else run: SIGTERM, and after `grace` seconds SIGKILL."""
        self.group.terminate(grace)

    def close(self) -> None:
        """Kill what is left of the build's processes, when their grace is over. Idempotent."""
        self.group.close()

    def _take_over(self) -> None:
        with suppress(FileNotFoundError):
            self._cwd = (self._directory / "cwd.new").read_text("utf-8").removesuffix("\n")
            (self._directory / "env.new").replace(self._env)
            pairs = (self._directory / "exported.new").read_bytes().split(b"\0")[:-1]
            self.exported = dict(pair.decode("utf-8", "replace").split("=", 1) for pair in pairs)


def how(code: int) -> str:
    """How a command ended, in CodeBuild's words."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {signal.strsignal(-code) or -code}".lower()


def _assignment(item: tuple[str, str]) -> str:
    return f"export {item[0]}={shlex.quote(item[1])}\n"
