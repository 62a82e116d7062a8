"""The image of a job with ``runtime="container"``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from devbridge.constructs import values
from devbridge.sources.base import Problem


@dataclass(frozen=True, slots=True)
class Container:
    """A folder with a Dockerfile, and the command that is run in its image for each run.

    Args:
        directory: the folder that the image is built from, relative to the app's.
        cmd: the command and its arguments; the payload is in the environment variable
            DEVBRIDGE_PAYLOAD. Under `devbridge dev` it runs on the laptop, in that folder.
        file: the Dockerfile, relative to `directory`.
        build_args: values of the Dockerfile's ``ARG``.
    """

    directory: str
    cmd: Sequence[str]
    file: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)


def container_problem(root: Path, container: object) -> Problem | None:
    """What of a `container` is not allowed, and what is."""
    if not isinstance(container, Container):
        return repr(container), 'Container("folder", cmd=["python", "main.py"])'
    directory = _below(root, container.directory)
    if directory is None or not directory.is_dir():
        return f"directory {container.directory!r}", f"a folder that is in {root}"
    file = _below(directory, container.file)
    if file is None or not file.is_file():
        return f"file {container.file!r}", f"a Dockerfile that is in {container.directory!r}"
    if not (cmd := values.strings(container.cmd)) or any("\0" in word for word in cmd):
        return f"cmd {container.cmd!r}", "a list of words, e.g. ['python', 'main.py']"
    if not isinstance(container.build_args, Mapping) or not all(
        isinstance(key, str) and isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", key)
        for key, value in container.build_args.items()
    ):
        return f"build_args {container.build_args!r}", "a dict of strings, e.g. {'VERSION': '3'}"
    return None


def _below(root: Path, value: object) -> Path | None:
    """The path, if it cannot leave `root`."""
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    path = PurePosixPath(value)
    return None if path.is_absolute() or ".." in path.parts else root / path
