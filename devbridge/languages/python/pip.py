"""What pip installs into folders: wheels for another platform, and the requirements of `install`.

The folders are kept in the cache, by what was asked for.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from devbridge import progress
from devbridge.environment import of_pip
from devbridge.errors import BuildError
from devbridge.languages.python.pip_progress import Collected
from devbridge.languages.python.probe.distributions import canonical

_PIP: Final = (
    *(sys.executable, "-m", "pip"),
    *("--disable-pip-version-check", "--no-input"),
)
_NOT_OF_LIST: Final = ("PIP_QUIET", "PIP_VERBOSE", "PIP_USER", "PIP_GLOBAL", "PIP_SITE")
"""What is said of installing would make ``pip config list`` silent, or name some files only."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a zip must run on."""

    python: str
    """``3.11``"""
    architecture: str | None = "x86_64"
    """Of Amazon Linux; None is this machine, for the embedded cloud."""

    @property
    def machine(self) -> str:
        """For people."""
        if self.architecture is None:
            return "this machine"
        return "aarch64" if self.architecture == "arm64" else "x86_64"

    @property
    def options(self) -> list[str]:
        """pip's."""
        found = ["--python-version", self.python, "--implementation", "cp", "--only-binary=:all:"]
        if self.architecture is not None:
            found += ["--platform", f"manylinux2014_{self.machine}"]
            if tuple(map(int, self.python.split("."))) >= (3, 12):
                # Amazon Linux 2023, whose C library is newer.
                found += ["--platform", f"manylinux_2_28_{self.machine}"]
        return found


def environment(pip: Sequence[str], *, pinned: bool = False) -> dict[str, str]:
    """The environment of a pip that installs for devbridge: see `of_pip`.

    Args:
        pip: how it is called.
        pinned: which versions is no question.
    """
    done = subprocess.run(
        [*pip, "config", "list"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**of_pip(os.environ), **dict.fromkeys(_NOT_OF_LIST, "0")},
        text=True,
        check=False,
    )
    # A pip that cannot say it says why when it installs.
    return of_pip(os.environ, None if done.returncode else done.stdout, pinned=pinned)


def wheels(pins: Sequence[str], target: Target, cache: Path) -> Path:
    """A folder with exactly these versions, as wheels for the target.

    Raises:
        BuildError: there is no such wheel.
    """
    try:
        options = ["--no-deps", *target.options]
        return _installed(sorted(pins), options, " ".join(options), cache)
    except BuildError as error:
        raise BuildError(
            f"pip found no wheels for {target.machine}, Python {target.python}: {error.what}",
            where=error.where,
            remedy="use versions that have wheels for that platform",
        ) from error


def requirements_path(
    requirements: Sequence[str], target: Target | None, python: Path, version: str, cache: Path
) -> Path:
    """A folder with these requirements, and all that they require.

    Args:
        target: None for what runs in `python` on this machine.
        version: of `python`, e.g. ``3.11``.

    Raises:
        BuildError: pip cannot install them.
    """
    if target is None:
        options = ["--python", str(python)]
        key = f"{version} {sys.platform} {platform.machine()}"
    else:
        options, key = target.options, " ".join(target.options)
    try:
        return _installed(sorted(requirements), options, key, cache)
    except BuildError as error:
        what = "" if target is None else f" for {target.machine}, Python {target.python}"
        raise BuildError(
            f"`install` cannot be resolved{what}: {error.what}",
            where=error.where,
            remedy="correct `install` in app.py; names and versions are those of the package index",
        ) from error


def installed_path(
    requirements: Sequence[str], python: Path, cache: Path, *, version: str | None = None
) -> Path:
    """A folder from which `python` imports what `install` of a job names.

    It is made once: later versions of what is not pinned are not looked for.

    Args:
        version: of `python`, e.g. ``3.11``; asked for if it is not known.
        cache: the folder that it is made in.

    Raises:
        BuildError: pip cannot install them.
        InterpreterError: `python` does not work.
    """
    from devbridge.interpreter import verify_interpreter

    version = version or verify_interpreter(python).minor
    return requirements_path(requirements, None, python, version, cache)


def files_in(folder: Path, without: Iterable[str] = ()) -> dict[str, Path]:
    """The files of such a folder, by their names in a zip.

    Args:
        without: canonical names of distributions to leave out.
    """
    left_out = set(without)
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.name != "RECORD"
    }
    for distribution in metadata.distributions(path=[str(folder)]):
        if canonical(distribution.name) in left_out:
            for file in distribution.files or ():
                files.pop(file.as_posix(), None)
    return files


def importable(folder: Path) -> set[str]:
    """The top-level names that can be imported from such a folder."""
    return {path.name.partition(".")[0] for path in folder.iterdir() if "-" not in path.name}


def _installed(requirements: Sequence[str], options: Sequence[str], key: str, cache: Path) -> Path:
    """A folder with what pip installs; from the cache if it was installed before.

    Args:
        key: what it depends on beside the requirements.
    """
    told = "\n".join([*requirements, key])
    folder = cache / hashlib.sha256(told.encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=cache))
    # Options of pip itself stand before its command.
    own, rest = (list(options), []) if "--python" in options else ([], list(options))
    command = [*_PIP, *own, "install", "--no-compile", "--target", str(temporary), *rest]
    # What a requirement requires, and so how many packages there are, pip finds out as it goes.
    total = len(requirements) if "--no-deps" in options else 0
    try:
        with progress.task("install", f"pip: {', '.join(requirements)}", total, "packages") as task:
            code, errors = _run([*command, *requirements], Collected(task))
        if code != 0:
            raise BuildError(_cause(errors), where=", ".join(requirements))
        shutil.rmtree(temporary / "bin", ignore_errors=True)
        try:
            os.replace(temporary, folder)  # noqa: PTH105
        except OSError:
            if not folder.is_dir():  # Otherwise another process was faster.
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _run(command: Sequence[str], collected: Collected) -> tuple[int, str]:
    """pip's exit code, and what it has written to stderr."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(_PIP[:3]),
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout or ():
                collected.saw(line)
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        errors.seek(0)
        return code, errors.read().decode(errors="replace")


def _cause(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    if errors:
        return errors[-1]
    if lines and "No module named pip" in lines[-1]:
        return f"{sys.executable} has no pip; install it there: python -m ensurepip"
    return lines[-1] if lines else "pip failed"
