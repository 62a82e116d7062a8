"""The third-party distributions of the app's own interpreter, and their files for a target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.build import pip, scan
from devbridge.build.pip import Target
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


def installed(
    names: Iterable[str], python: Path, optional: Iterable[str] = ()
) -> list[Distribution]:
    """The distributions that let `python` import `names`, with all that they require.

    Args:
        optional: names too, but what is not installed is left out.

    Raises:
        BuildError: one is not installed, or requires one that is not; or `python` failed.
    """
    wanted, wished = sorted(names), sorted(optional)
    if not wanted and not wished:
        return []
    if python == Path(sys.executable):
        answer = scan.scan(wanted, list(RUNTIME_DISTRIBUTIONS), wished)
    else:
        answer = _ask(python, wanted, wished)
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


def _ask(
    python: Path, names: Sequence[str], optional: Sequence[str]
) -> dict[str, list[dict[str, str]]]:
    arguments = [" ".join(words) for words in (names, RUNTIME_DISTRIBUTIONS, optional)]
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
        target: None for code that runs in the app's interpreter on this very machine. Otherwise
            compiled distributions are resolved as wheels for the target, in the versions that are
            installed here.
        cache: folder that keeps resolved wheels, by the set of pins.

    Raises:
        BuildError: pip found no wheel.
    """
    foreign = [d for d in distributions if target and d.binary and d.version]
    files = {arc: path for d in distributions if d not in foreign for arc, path in d.files}
    if foreign and target:
        folder = pip.wheels([d.pin for d in foreign], target, cache)
        files.update(pip.files_in(folder))
    return files
