"""The page and the picture that are made of what terminals have shown."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tests.recording.terminal import WIDTH, Terminal

MADE: Final = "<!-- Made by `python -m tests.recording`: what stands in it was run. -->\n"
HOME: Final = "/home/jane"
_FONT: Final = re.compile(r"@font-face \{.*?\}\s*", re.S)
"""Rich's picture asks another host for it."""


class Page:
    """Markdown of sentences and of what terminals have shown."""

    def __init__(self, home: Path) -> None:
        self.parts: list[str] = []
        self._home = home
        """It has a random name; the page says `HOME`."""

    def say(self, text: str) -> None:
        """A paragraph, or a heading."""
        self.parts.append(text)

    def save(self, folder: Path, path: str, text: str, *, after: str = "") -> None:
        """A file as an editor saves it; `after` is what stands in it already."""
        (folder / path).write_text(after + text, encoding="utf-8")
        self.parts.append(f'```python title="{path}"\n{text}```')

    def show(self, terminal: Terminal) -> Text:
        """All that the terminal has shown since the last time."""
        text = terminal.take()
        shown = text.plain.replace(str(self._home), HOME)
        lines = "\n".join(line.rstrip() for line in shown.splitlines())
        self.parts.append(f'```text title="{terminal.name}"\n{lines}\n```')
        return text

    def __str__(self) -> str:
        return MADE + "\n\n".join(self.parts) + "\n"


def picture(text: Text, title: str) -> str:
    """An SVG of a terminal with this text."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(text, soft_wrap=False)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="terminal")
    return _FONT.sub("", svg).replace(
        "Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace"
    )


def missing(page: str, seen: list[str]) -> list[str]:
    """Which of the patterns that were seen are not on a page."""
    return [pattern for pattern in seen if re.search(pattern, page, re.M) is None]
