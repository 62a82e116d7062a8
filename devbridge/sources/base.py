"""What app.py's loading, and whoever watches files, must know of a language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from devbridge.sources.handlers import Handler, Missing

Problem = tuple[str, str]
"""What is not allowed, as an error shows it, and what is."""


LAMBDA_ROOT: Final = "/var/task"
"""Where AWS Lambda has a function's code."""


class Source(Protocol):
    """A language, as far as the text of its files tells."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those of its files, the first found of which is the handler's."""

    def file(self, root: Path, module: str) -> Path:
        """The file of a handler's module (``jobs/factorial``), whether it exists or not."""

    def missing(self, root: Path, handler: Handler) -> Missing | None:
        """Why this handler cannot be there, or None. What only running the code would tell is let
        through."""

    def is_generator(self, root: Path, handler: Handler) -> bool | None:
        """Whether this handler yields, as its file's text tells; None where only running it
        would."""

    def install_problem(self, install: tuple[str, ...]) -> Problem | None:
        """The first of what a construct's `install` names that cannot be installed."""

    def environment_problem(
        self, root: Path, environment: Mapping[str, str], known: tuple[str, ...]
    ) -> Problem | None:
        """What of a construct's environment the language's processes would not find as it is meant.

        Args:
            known: absolute folders that are there where it runs.
        """

    def changed(self, file: Path) -> None:
        """Take away what was kept of a file of the language's that is another one now."""

    def folders(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """The folders of the app, beside its own, that a construct's environment has modules
        looked for in; relative to the app's folder."""


def no_file(root: Path, path: Path, file: str, suffixes: tuple[str, ...]) -> Missing:
    """There is no such file; but others may be beside where it would be.

    Args:
        file: as the error is to name it.
    """
    folder = path.parent
    found = folder.iterdir() if folder.is_dir() else ()
    near = sorted(p.stem for p in found if p.suffix in suffixes)
    return Missing(
        f"the handler's file {file!r} does not exist",
        f"create it, or use one of the files in {folder.relative_to(root).as_posix()!r}:"
        f" {', '.join(near)}"
        if near
        else "create it, or correct the path",
    )
