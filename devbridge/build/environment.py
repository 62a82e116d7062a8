"""The third-party distributions of the app's own interpreter, and their files for a target."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.build import scan
from devbridge.errors import BuildError

RUNTIME_DISTRIBUTIONS: Final = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "python-dateutil",
    "six",
    "urllib3",
)
"""What AWS Lambda's Python runtimes bring along."""
RUNTIME_IMPORTS: Final = frozenset(
    {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}
)
_BINARY: Final = (".so", ".pyd", ".dylib")


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution and its files: (name in the zip, file)."""

    name: str
    version: str
    """Empty for a package that no distribution owns."""
    files: tuple[tuple[str, Path], ...]

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def binary(self) -> bool:
        """It has compiled code: its files are only good for this platform."""
        return any(path.suffix in _BINARY for _, path in self.files)


@dataclass(frozen=True, slots=True)
class Target:
    """What a zip must run on."""

    python: str
    """``3.11``"""
    architecture: str = "x86_64"


def installed(names: Iterable[str], python: Path) -> list[Distribution]:
    """The distributions that let `python` import `names`, with all that they require.

    Raises:
        BuildError: one is not installed, or requires one that is not; or `python` failed.
    """
    wanted = sorted(names)
    if not wanted:
        return []
    if python == Path(sys.executable):
        answer = scan.scan(wanted, list(RUNTIME_DISTRIBUTIONS))
    else:
        answer = _ask(python, wanted)
    for name in answer["missing"]:
        raise BuildError(
            f"{name!r} is imported, and is not installed",
            where=str(python),
            remedy=f"install what provides it, e.g. {python} -m pip install {name}",
        )
    for name, requirement in answer["required"]:
        raise BuildError(
            f"{name!r} requires {requirement!r}, which is not installed",
            where=str(python),
            remedy=f"{python} -m pip install {requirement}",
        )
    return [
        Distribution(d["name"], d["version"], tuple((a, Path(f)) for a, f in d["files"]))
        for d in answer["distributions"]
    ]


def _ask(python: Path, names: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    arguments = [",".join(names), ",".join(RUNTIME_DISTRIBUTIONS)]
    done = subprocess.run(
        [python, "-I", Path(scan.__file__), *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise BuildError(
            f"the app's interpreter could not list its packages: {lines[-1] if lines else '?'}",
            where=str(python),
            remedy="create its environment again",
        )
    answer: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return answer


def files_for(
    distributions: Sequence[Distribution], target: Target | None, cache: Path
) -> dict[str, Path]:
    """The files to pack, by their names in the zip.

    Args:
        target: None for the embedded cloud, which runs functions on this very machine. Otherwise
            compiled distributions are resolved as wheels for the target, in the versions that are
            installed here.
        cache: folder that keeps resolved wheels, by the set of pins.

    Raises:
        BuildError: pip found no wheel.
    """
    foreign = [d for d in distributions if target and d.binary and d.version]
    files = {arc: path for d in distributions if d not in foreign for arc, path in d.files}
    if foreign and target:
        folder = _wheels([d.pin for d in foreign], target, cache)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name != "RECORD":
                files[path.relative_to(folder).as_posix()] = path
    return files


def _wheels(pins: Sequence[str], target: Target, cache: Path) -> Path:
    machine = "aarch64" if target.architecture == "arm64" else "x86_64"
    platforms = [f"manylinux2014_{machine}"]
    if tuple(map(int, target.python.split("."))) >= (3, 12):
        # Amazon Linux 2023, whose C library is newer.
        platforms.append(f"manylinux_2_28_{machine}")
    digest = hashlib.sha256("\n".join([*sorted(pins), target.python, machine]).encode())
    folder = cache / digest.hexdigest()[:24]
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=cache))
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--target", temporary),
                *(option for p in platforms for option in ("--platform", p)),
                *("--python-version", target.python, "--implementation", "cp"),
                *("--only-binary=:all:", "--no-deps", "--no-compile", "--no-input"),
                *("--disable-pip-version-check", *sorted(pins)),
            ],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise BuildError(
                f"pip found no wheels for {machine}, Python {target.python}: "
                + (errors[-1] if errors else done.stderr.strip()),
                where=", ".join(sorted(pins)),
                remedy="use versions that have wheels for that platform",
            )
        shutil.rmtree(temporary / "bin", ignore_errors=True)
        try:
            os.replace(temporary, folder)  # noqa: PTH105
        except OSError:
            if not folder.is_dir():  # Otherwise another process was faster.
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
