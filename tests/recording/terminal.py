"""A terminal with a shell in it, driven by a script and read as a person reads it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pexpect
from rich.text import Text

WIDTH: Final = 100
DEADLINE: Final = 120.0
"""Seconds after which what was to be seen is missed."""
PROMPT: Final = "\x1b]133;A\x07$ "
"""Marked as terminals' shells mark it (OSC 133), since a command may print the same."""


class NeverSeen(Exception):
    """What a terminal was to show did not come."""


class Terminal:
    """Bash in a pseudo-terminal, in a folder.

    Args:
        variables: its environment, but for what makes a shell's looks.
    """

    def __init__(self, name: str, folder: Path, variables: Mapping[str, str]) -> None:
        self.name = name
        self.seen: list[str] = []
        """The patterns that were waited for."""
        looks = {
            "PS1": rf"\[{PROMPT[:-2]}\]$ ",
            "PS2": "",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }
        self._shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile"],
            cwd=str(folder),
            env={**variables, **looks},
            dimensions=(40, WIDTH),
            encoding="utf-8",
            codec_errors="replace",
        )
        self._raw = ""
        self._waited_at = 0
        self._taken = 0
        self._until(lambda: self._raw.endswith(PROMPT))
        self._taken = self._waited_at = len(self._raw) - len(PROMPT)

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._shell.sendline(line)

    def complete(self, line: str, whole: str) -> None:
        """Type the beginning of a line and the Tab key, wait for the whole, and type Enter."""
        before = len(self._raw)
        self._shell.send(f"{line}\t")
        self.see(re.escape(whole))
        self._shell.send("\n")
        self._until_prompt(before)

    def see(self, pattern: str) -> None:
        """Wait until what is shown since the last wait has this, at the beginning of a line where
        it begins with ^."""
        self.seen.append(pattern)
        try:
            self._until(lambda: re.search(pattern, self._plain(), re.M) is not None)
        except NeverSeen:
            raise NeverSeen(f"{self.name}: no {pattern!r} in\n{self._plain()}") from None

    def run(self, line: str, *patterns: str) -> None:
        """Type a command, wait for what it is to show, and for the next prompt."""
        before = len(self._raw)
        self.type(line)
        for pattern in patterns:
            self.see(pattern)
        self._until_prompt(before)

    def interrupt(self) -> None:
        """Ctrl-C, and wait for the prompt."""
        before = len(self._raw)
        self._shell.sendintr()
        self._until_prompt(before)

    def take(self) -> Text:
        """What was shown since the last time, as it looked when it stood still."""
        shown = self._raw[self._taken :]
        if shown.endswith(PROMPT):
            shown = shown[: -len(PROMPT)]
        self._taken += len(shown)
        self._waited_at = max(self._waited_at, self._taken)
        return _text(shown)

    def close(self) -> None:
        """End the shell, and what runs in it."""
        self._shell.close(force=True)

    def _until_prompt(self, before: int) -> None:
        self._until(lambda: len(self._raw) > before and self._raw.endswith(PROMPT))
        self._waited_at = len(self._raw)

    def _plain(self) -> str:
        return _text(self._raw[self._waited_at :]).plain

    def _until(self, shown: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not shown():
            if time.monotonic() > deadline:
                raise NeverSeen(f"{self.name}: {self._raw[-500:]!r}")
            try:
                self._raw += self._shell.read_nonblocking(4096, timeout=0.2)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                raise NeverSeen(f"{self.name}: the shell has ended\n{self._raw}") from None


def _text(raw: str) -> Text:
    shown = raw.replace(PROMPT, "$ ").replace("\r\n", "\n")
    return Text.from_ansi(shown.strip("\n"))
