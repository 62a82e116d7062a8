"""Asks the app's own interpreter what code imports, and which files that takes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge import definitions
from devbridge.environment import inherited
from devbridge.errors import BuildError
from devbridge.languages.python import pip
from devbridge.languages.python.pip import Target
from devbridge.languages.python.probe import __main__ as script
from devbridge.languages.python.probe.distributions import canonical

RUNTIME_DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "boto3": "boto3",
    "botocore": "botocore",
    "s3transfer": "s3transfer",
    "jmespath": "jmespath",
    "python-dateutil": "dateutil",
    "six": "six",
    "urllib3": "urllib3",
}
"""What AWS's Python runtimes, of functions and of builds, bring along: boto3 and all that it
requires. What is imported, by its distribution."""
RUNTIME_IMPORTS: Final = frozenset(RUNTIME_DISTRIBUTIONS.values())
SDK: Final = "botocore"
"""What of it devbridge itself uses at run time, to start jobs and to read secrets."""
OWN_ROOT: Final = Path(__file__).resolve().parents[3]
"""The folder that the packages devbridge and stub_lambda are in."""
NEVER: Final = frozenset({"devbridge"})
"""What a requirement of others never adds: of devbridge itself, a part is packed."""
EXCLUDED: Final = NEVER | RUNTIME_DISTRIBUTIONS.keys()
"""The same, where AWS's runtime is."""
_CLOCK: Final = 10_000_000
"""Nanoseconds that the time of a file may be behind."""
_BINARY: Final = (".so", ".pyd", ".dylib")
_PROBE: Final = Path(script.__file__)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution and its files: (name in the zip, file)."""

    name: str
    version: str
    """Empty for files that no distribution owns."""
    files: tuple[tuple[str, Path], ...]

    @property
    def pin(self) -> str:
        """What pip is told to get this very version."""
        return f"{self.name}=={self.version}"

    @property
    def binary(self) -> bool:
        """It has compiled code: its files are only good for this platform."""
        return any(path.suffix in _BINARY for _, path in self.files)


def ask(python: Path, question: Json, cache: Path) -> Json:
    """The answer of `devbridge.languages.python.probe`, by the app's interpreter.

    An answer is kept, and given again while the files and folders that it was read from are as
    they were: so code that has not changed costs no process.

    Args:
        cache: the folder that answers are kept in.

    Raises:
        BuildError: `python` failed.
    """
    text = json.dumps(question, sort_keys=True)
    environment = _environment()

    def asked() -> Json:
        done = subprocess.run(
            [python, "-P", _PROBE, OWN_ROOT],
            input=text,
            capture_output=True,
            text=True,
            cwd=question["root"],
            env=environment,
            check=False,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise BuildError(
                f"the app's interpreter could not list its packages: {lines[-1] if lines else '?'}",
                where=str(python),
                remedy="create its environment again",
            )
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    return kept(f"{python}\n{environment.get('PYTHONPATH')}\n{text}", asked, python, cache)


def kept(key: str, answered: Callable[[], Json], python: Path, cache: Path) -> Json:
    """What was answered to `key` before, while what it `depends` on is as it was; or what is
    answered now.

    Args:
        answered: answers, with the files and folders that the answer was read from: ``depends``.
        python: the interpreter that answers; an answer depends on it, too.
        cache: the folder that answers are kept in.
    """
    name = hashlib.sha256(f"{_probe_digest()}\n{key}".encode()).hexdigest()[:40]
    file = cache / f"{name}.json"
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(file.read_bytes())
        if known["stamps"] == _stamps(known["answer"]["depends"], python):
            return known["answer"]  # type: ignore[no-any-return]
    began = time.time_ns()
    answer = answered()
    stamps = _stamps(answer["depends"], python)
    if any(stamp[1:] and stamp[0] >= began - _CLOCK for stamp in stamps):
        return answer  # saved meanwhile: whether before it was read, nobody knows
    known = {"stamps": stamps, "answer": answer}
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache, delete=False) as new:
            json.dump(known, new)
        os.replace(new.name, file)  # noqa: PTH105
    return answer


def _environment() -> dict[str, str]:
    """That of a handler's process, as far as it says what can be imported."""
    return {**inherited(os.environ), "PYTHONIOENCODING": "utf-8"}


@functools.cache
def _probe_digest() -> str:
    digest = hashlib.sha256()
    for path in (*sorted(_PROBE.parent.glob("*.py")), Path(definitions.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stamps(places: Iterable[str], python: Path) -> list[list[int]]:
    """What changes when one of these files, or what a folder has, does."""
    return [_stamp(place) for place in (str(python), *places)]


def _stamp(place: str) -> list[int]:
    try:
        names = os.listdir(place)  # noqa: PTH208 - thousands of times
    except NotADirectoryError:
        found = os.stat(place)  # noqa: PTH116
        return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino]
    except OSError:
        return []
    # Hidden files and caches come and go.
    shown = sorted(name for name in names if name[0] != "." and name != "__pycache__")
    return [zlib.crc32("\0".join(shown).encode(errors="surrogateescape"))]


@functools.cache
def own(names: tuple[str, ...], excluded: frozenset[str] = EXCLUDED) -> tuple[Distribution, ...]:
    """The distributions that let this very Python import `names`, with all that they require:
    what devbridge itself brings along."""
    from devbridge.languages.python.probe import distributions as installed

    owners = installed.owners(names)
    told = [installed.described(top, owners[top], excluded, "") for top in names]
    found = {name for each in told for name in each["dists"]}
    made = [each for name in sorted(found) if (each := installed.by_name(name))]
    return tuple(
        Distribution(each.name, each.version, tuple((a, Path(f)) for a, f in each.files))
        for each in made
    )


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


def overruled(install: Iterable[str], needed: Iterable[Distribution]) -> Iterator[str]:
    """What `install` asks for in a version that is not packed: the app's interpreter has another,
    which comes first, as it does live. A line for each."""
    from packaging.requirements import Requirement

    there = {canonical(each.name): each.version for each in needed if each.version}
    for text in install:
        asked = Requirement(text)
        version = there.get(canonical(asked.name))
        if version and not asked.specifier.contains(version, prereleases=True):
            yield (
                f"install asks for {text}, and the app's interpreter has {version}, which is"
                " packed: install the same there"
            )


def unmet(tops: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(distribution, requirement) for what is required and not installed."""
    return list(dict.fromkeys((d, r) for top in tops for d, r in top["unmet"]))


__all__ = [
    "EXCLUDED",
    "NEVER",
    "OWN_ROOT",
    "RUNTIME_DISTRIBUTIONS",
    "RUNTIME_IMPORTS",
    "SDK",
    "Distribution",
    "Target",
    "ask",
    "files_for",
    "kept",
    "own",
    "unmet",
]
