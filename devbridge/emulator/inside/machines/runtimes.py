"""Which Python an image means on this machine, and that Python as the image has it.

AWS's base images have boto3 installed and nothing else, Docker's own not even that; so what runs
gets an environment of its own with just that in its ``site-packages``. What the app's own
environment has stays unseen: a dependency that was not packed is missed here as on AWS.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from .failure import Failure

LAMBDA: Final = re.compile(r"public\.ecr\.aws/lambda/python:(3\.\d+)(?:[-.][\w.-]+)?")
"""AWS's base images for Python, by their names."""
_UNABLE: Final = "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
_STANDARD_IMAGE: Final = re.compile(r"aws/codebuild/[\w.:/-]+")
_PROBE: Final = (
    "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', '')"
    " or sys.executable, sep='\\n')"
)
OWN: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The version of the interpreter that this runs in, which is the app's own: ``3.12``."""


def is_curated(image: str) -> bool:
    """Whether it is one of CodeBuild's own images, which have several versions of languages."""
    return bool(_STANDARD_IMAGE.fullmatch(image))


def python_of(image: str) -> Path:
    """The interpreter that stands for the image.

    Raises:
        Failure: the image is one that only a container engine can run, or its Python is not here.
    """
    if is_curated(image):
        return _own()
    found = LAMBDA.fullmatch(image)
    if not found:
        raise Failure(
            _UNABLE,
            f"containers do not run on the embedded cloud: it has no {image!r}, only AWS's base"
            " images for Python (public.ecr.aws/lambda/python:3.x) and aws/codebuild/*, for which"
            " it runs the commands as processes of this machine",
        )
    return meant(found[1], image, _UNABLE)


def meant(minor: str, image: str, code: str) -> Path:
    """The interpreter of that version, which an image means.

    Raises:
        Failure: there is none here; with that code.
    """
    python = interpreter(minor)
    if python is None:
        raise Failure(
            code,
            f"there is no Python {minor} on this machine, which {image!r} means: install it"
            f" (for example: uv python install {minor}, or pyenv install {minor})",
        )
    return python


def interpreter(minor: str) -> Path | None:
    """An interpreter of that version (``3.12``), outside of any virtual environment."""
    if minor == OWN:  # the app's own: the embedded cloud's environment was made with it
        return _own()
    found = _search(minor, os.environ.get("PATH", os.defpath), os.environ.get("HOME", "/"))
    if found is None:
        _search.cache_clear()  # it may be installed by the next time
    return found


def _own() -> Path:
    return Path(getattr(sys, "_base_executable", "") or sys.executable)


@cache
def _search(minor: str, path: str, home: str) -> Path | None:
    for candidate in _candidates(minor, path, Path(home)):
        if candidate.is_file() and (base := _base(candidate, minor)):
            return base
    return None


def _candidates(minor: str, path: str, home: Path) -> Iterator[Path]:
    name = f"python{minor}"
    for folder in path.split(os.pathsep):
        yield Path(folder or ".", name)
    for root, pattern in (
        (home / ".pyenv" / "versions", f"{minor}.*/bin/{name}"),
        (home / ".local" / "share" / "uv" / "python", f"cpython-{minor}.*/bin/{name}"),
        (home / ".local" / "bin", name),
        (Path("/usr/local/bin"), name),
        (Path("/usr/bin"), name),
        (Path("/opt/homebrew/bin"), name),
        (Path("/Library/Frameworks/Python.framework/Versions"), f"{minor}/bin/{name}"),
    ):
        yield from sorted(root.glob(pattern), reverse=True)


def _base(candidate: Path, minor: str) -> Path | None:
    """The interpreter itself, if it is one: pyenv's shims are there for versions that are not."""
    try:
        version, base = _told(candidate)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(base) if version == minor and base else None


def _told(python: Path) -> tuple[str, str]:
    """An interpreter's version (``3.12``), and the path that it has outside of environments."""
    done = subprocess.run(
        [str(python), "-I", "-c", _PROBE],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=20,
        check=True,
    )
    version, _, base = done.stdout.strip().partition("\n")
    return version, base


def without_environments(path: str) -> str:
    """A PATH without the programs of virtual environments: the image has none of the app's."""
    folders = path.split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if not Path(folder).parent.joinpath("pyvenv.cfg").exists()
    )


def make_environment(
    python: Path, directory: Path, minor: str | None = None, *, bare: bool = False
) -> Path:
    """Make the environment in the new `directory`; the folder to put first on PATH.

    It is a virtual environment, made by hand because ``venv`` takes a hundred times as long; a
    `bare` one has no boto3.
    """
    minor = minor or minor_of(python)
    binaries = directory / "bin"
    packages = directory / "lib" / f"python{minor}" / "site-packages"
    for folder in (binaries, packages):
        folder.mkdir(parents=True)
    for name in ("python", "python3", f"python{minor}"):
        (binaries / name).symlink_to(python)
    (directory / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    for origin in () if bare else _brought_along():
        (packages / origin.name).symlink_to(origin)
    return binaries


@cache
def minor_of(python: Path) -> str:
    """An interpreter's version: ``3.12``."""
    return _told(python)[0]


@cache
def _brought_along() -> tuple[Path, ...]:
    """boto3 and all that it requires, from the embedded cloud's own environment."""
    found: dict[str, list[Path]] = {}
    names = ["boto3"]
    for name in names:
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        found[name] = [Path(str(distribution.locate_file(top))) for top in sorted(tops)]
        required = (text for text in distribution.requires or () if "extra ==" not in text)
        names += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in required]
    return tuple(path for paths in found.values() for path in paths)
