"""Follows a README as a stranger does: the commands of its sections, in a shell, as they stand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import npm
from tests.e2e.dev_process import clean_environment
from tests.waiting import eventually

_RUN_ID = re.compile(r"(?:[\w-]+:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STARTS_A_RUN = ("curl", "devbridge invoke")
_LETTER = re.compile(r"^[0-9a-f]{8}(?=  )", re.M)
_LISTS_LETTERS = "devbridge dlq list"
_DEADLINE = 120.0


@dataclass(frozen=True)
class Step:
    """A command of the README, and what came of it."""

    command: str
    """With what the reader puts into it."""
    code: int
    output: str


class Terminal:
    """A shell in an app's folder, with this environment's programs. Variables that are set stay."""

    def __init__(self, folder: Path, *, replaced: dict[str, str]) -> None:
        """
        Args:
            replaced: what this reader writes otherwise, e.g. another port.
        """
        self.folder = folder
        self._replaced = replaced
        self._id = ""
        path = os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"], *npm.programs()]
        )
        self._environment = {**clean_environment(), "PATH": path}

    def commands(self, section: str) -> list[str]:
        """The commands of the README's section with that heading."""
        text = (self.folder / "README.md").read_text()
        _, heading, rest = text.partition(f"\n## {section}\n")
        assert heading, f"there is no section {section!r}"
        blocks = re.findall(r"^```console\n(.*?)^```$", rest.partition("\n## ")[0], re.S | re.M)
        return [line for block in blocks for line in block.splitlines()]

    def follow(self, section: str, *, until: str = "", since: str = "") -> Iterator[Step]:
        """Run a section's commands one by one, but for what installs packages: those of Python are
        there, and those of npm are taken from where all tests have them.

        Args:
            until, since: the command to stop before, to go on after.
        """
        commands = self.commands(section)
        begin = commands.index(since) + 1 if since else 0
        end = commands.index(until) if until else len(commands)
        for command in commands[begin:end]:
            if command == "npm install":
                npm.install(self.folder)
            elif not command.startswith("pip install"):
                yield self.run(command)

    @contextmanager
    def started(self, command: str, *, says: str) -> Iterator[None]:
        """A command that goes on until Ctrl-C; it has said that it is ready.

        Args:
            says: what only the line has that says so.
        """
        process = subprocess.Popen(
            ["bash", "-c", self._told(command)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if says in line:
                    break
            else:
                raise AssertionError(said)
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=_DEADLINE)

    def _told(self, command: str) -> str:
        for old, new in {**self._replaced, r"\bID\b": self._id}.items():
            command = re.sub(old, new, command)
        return command

    def run(self, command: str) -> Step:
        """Run one command, with the id of the last run, or dead letter, for ``ID``."""
        command = self._told(command)
        variables = self.folder / ".devbridge" / "variables"
        variables.parent.mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "-c", f"set -a\n{command}\ncode=$?; env -0 > {variables}; exit $code"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
        pairs = (pair.partition("=") for pair in variables.read_text().split("\0") if pair)
        self._environment = {name: value for name, _, value in pairs}
        if command.startswith(_STARTS_A_RUN) and (ids := _RUN_ID.findall(done.stdout)):
            self._id = ids[-1]
        if command.startswith(_LISTS_LETTERS) and (ids := _LETTER.findall(done.stdout)):
            self._id = ids[-1]
        return Step(command, done.returncode, done.stdout)

    def until(self, command: str, found: str) -> str:
        """What a command prints that is run again until that is in it.

        Args:
            found: a regular expression.
        """

        def told() -> str:
            output = self.run(command).output
            return output if re.search(found, output, re.M) else ""

        return eventually(told, _DEADLINE)


def outputs(steps: Iterator[Step]) -> list[str]:
    """What each command has printed; all must have succeeded."""
    found = []
    for step in steps:
        assert step.code == 0, f"{step.command}\n{step.output}"
        found.append(step.output)
    return found
