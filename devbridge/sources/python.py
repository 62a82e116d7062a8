"""Python's handlers.

The user's code is parsed, never imported: loading the app must not run its handlers' modules.
"""

from __future__ import annotations

import ast
import contextlib
import glob
import os
import posixpath
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devbridge.definitions import parsed, top_level_names, yields
from devbridge.sources.base import LAMBDA_ROOT, Problem, no_file
from devbridge.sources.clashes import is_hidden
from devbridge.sources.handlers import Handler, Missing

_PATH: Final = "PYTHONPATH"
_INSTALL: Final = "a list of requirements, e.g. ['polars>=1', 'boto3==1.40.*']"


class PythonSource:
    """Python, as `devbridge.sources.base.Source`."""

    suffixes = (".py",)

    def file(self, root: Path, module: str) -> Path:
        """See `Source.file`."""
        return root / f"{module}.py"

    def missing(self, root: Path, handler: Handler) -> Missing | None:
        """See `Source.missing`. A file that does not parse is let through: it may be of a newer
        Python than this one. The worker and the builder show its syntax error."""
        path = self.file(root, handler.module)
        file = path.relative_to(root).as_posix()
        top, _, below = handler.module.partition("/")
        if below and (hidden := is_hidden(root, top)):
            return Missing(f"the handler's file {file!r} cannot be imported", hidden)
        if not path.is_file():
            return no_file(root, path, file, self.suffixes)
        names = top_level_names(module) if (module := _parsed(path)) else None
        if names is None or handler.function in names:
            return None
        return Missing(
            f"{file!r} has no function {handler.function!r}",
            f"it has: {', '.join(sorted(names))}" if names else "it defines nothing",
        )

    def is_generator(self, root: Path, handler: Handler) -> bool | None:
        """See `Source.is_generator`."""
        module = _parsed(self.file(root, handler.module))
        return yields(module, handler.function) if module else None

    def install_problem(self, install: tuple[str, ...]) -> Problem | None:
        """The first requirement that pip would not understand, and what it would."""
        from packaging.requirements import InvalidRequirement, Requirement

        for requirement in install:
            try:
                Requirement(requirement)
            except InvalidRequirement as error:
                reason = str(error).partition("\n")[0]
                return repr(requirement), f"{_INSTALL} ({reason})"
        return None

    def environment_problem(
        self, root: Path, environment: Mapping[str, str], known: tuple[str, ...]
    ) -> Problem | None:
        """The PYTHONPATH of an environment, if a deployed process would not have all of its
        folders; and what is allowed."""
        for entry in filter(None, environment.get(_PATH, "").split(":")):
            path = posixpath.normpath(entry)
            if any(f"{path}/".startswith(f"{folder}/") for folder in known):
                continue
            top = os.path.realpath(root)
            inside = f"{os.path.realpath(root / path)}/".startswith(f"{top}/")
            if path.startswith(("/", "..")) or "\\" in entry or not inside:
                allowed = "as PYTHONPATH, folders below the app's, relative to it, e.g. 'src:lib'"
                return repr({_PATH: environment[_PATH]}), allowed
        return None

    def changed(self, file: Path) -> None:
        """See `Source.changed`: its bytecode. Python's own check compares size and whole seconds:
        of two saves within one, it would take the first for the second."""
        real = Path(os.path.realpath(file))
        for folder in {file.parent, real.parent}:
            for cached in (folder / "__pycache__").glob(f"{glob.escape(file.stem)}.*.pyc"):
                with contextlib.suppress(OSError):
                    cached.unlink()

    def folders(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """The folders of the app that PYTHONPATH names, relative to the app's folder."""
        found = [
            posixpath.normpath(entry.removeprefix(f"{LAMBDA_ROOT}/"))
            for entry in environment.get(_PATH, "").split(":")
            if entry
        ]
        return tuple(entry for entry in found if not entry.startswith(("/", "..")))


def _parsed(path: Path) -> ast.Module | None:
    """A file's syntax; None if it has none that this Python knows."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return parsed(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError):
        return None
