"""What functions and jobs are deployed from, in any language: zips, and what is said of them."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.constructs import Function, Job
from devbridge.errors import BuildError
from devbridge.packing.zips import Asset, Content, Parts, content_size, zip_asset
from devbridge.payload.check import FILE as SCHEMAS

UNZIPPED_LIMIT: Final = 250 * 1024 * 1024
"""AWS Lambda's limit of a function's files, in bytes."""
_OWN_ROOT: Final = Path(__file__).parents[2]
_RUNNER: Final = "runner"
_NAMED: Final = 3
"""Of what is too large, so many are named."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a job's code is packed as, for the place that it runs in."""

    whole: bool = False
    """One zip has all: its code, what that imports, and the runner."""
    brings_sdk: bool = True
    """The SDK of AWS for its language is there already."""


@dataclass(frozen=True, slots=True)
class JobAssets:
    """The two zips that a job's runs start from. What others have written changes seldom, and may
    be a hundred megabytes; so it need not be packed and uploaded with each change of the code."""

    code: Asset
    packages: Asset | None
    """What it has of others; None if there is nothing, or `code` has all."""
    size: int = 0
    """Bytes, unpacked, of one that has all."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """What is said of the code of one deployment, each line once."""

    warnings: list[str] = field(default_factory=list)
    """What may be wrong and is no error."""
    left: list[str] = field(default_factory=list)
    """What `copy_files` has left out."""

    def warn(self, line: str) -> None:
        """Add a warning."""
        _add(line, self.warnings)

    def leave(self, line: str) -> None:
        """Add what has been left out."""
        _add(line, self.left)


def _add(line: str, lines: list[str]) -> None:
    if line not in lines:
        lines.append(line)


def function_asset(
    function: Function, parts: Parts, cache: Path, largest: Callable[[], Iterable[str]]
) -> Asset:
    """The zip of a function.

    Args:
        cache: folder that keeps the keys of zips, among others.
        largest: what to say of a zip that is too large: where that comes from.

    Raises:
        BuildError: it is too large.
    """
    if (size := parts.size) > UNZIPPED_LIMIT:
        raise BuildError(
            f"{function}: its files have {size:,} bytes; AWS Lambda takes {UNZIPPED_LIMIT:,}",
            where=", ".join(largest()),
            remedy="import less in this function, or make it a job",
        )
    return zip_asset(str(function), parts, cache / "zips")


def job_assets(
    job: Job,
    packages: Mapping[str, Path],
    code: Parts,
    cache: Path,
    *,
    runner: Iterable[str] = (),
    whole: bool = False,
) -> JobAssets:
    """What a job's runs start from: its code with the runner, and what is installed.

    Args:
        cache: folder that keeps the keys of zips, among others.
        runner: patterns of the runner's files, beside its Python modules.
        whole: in one zip, which is a function of AWS Lambda.

    Raises:
        BuildError: the runner's name is taken, or one zip is too large.
    """
    taken = [name for name in (*packages, *code.files) if name.partition("/")[0] == _RUNNER]
    if taken:
        raise BuildError(
            f"{job}: the name 'runner' is taken by what runs jobs",
            where=", ".join(sorted(taken)[:3]),
            remedy="rename that folder of yours",
        )
    parts = Parts(code.installed, {**code.own, **runner_files(*runner)})
    zips = cache / "zips"
    if whole:
        parts = Parts({**packages, **parts.installed}, parts.own)
        if (size := parts.size) > UNZIPPED_LIMIT:
            raise BuildError(
                f"{job}: its files have {size:,} bytes; AWS Lambda takes {UNZIPPED_LIMIT:,}",
                where=f"the largest: {', '.join(largest(parts))}",
                remedy="import less, or run it where there is more room: `compute` of the job",
            )
        return JobAssets(zip_asset(str(job), parts, zips), None, size)
    return JobAssets(
        zip_asset(str(job), parts, zips),
        zip_asset(f"packages of {job}", Parts(packages), zips) if packages else None,
    )


def largest(parts: Parts) -> list[str]:
    """What takes the most room in a zip, with its size: ``numpy (60 MB)``."""
    sizes: Counter[str] = Counter()
    for name, item in parts.files.items():
        sizes[name.partition("/")[0]] += content_size(item)
    return [f"{name} ({size // 1024**2:,} MB)" for name, size in sizes.most_common(_NAMED)]


def runner_files(*more: str) -> dict[str, Path]:
    """What runs a handler, by the names in the zip: Python modules, and what patterns name."""
    found = [path for each in ("**/*.py", *more) for path in (_OWN_ROOT / _RUNNER).glob(each)]
    return {path.relative_to(_OWN_ROOT).as_posix(): path for path in sorted(found)}


def schemas_file(jobs: Iterable[Job], schemas: Mapping[str, Any]) -> dict[str, Content]:
    """The file with the JSON Schemas of these jobs' payloads, by its name; nothing if no job has
    one."""
    found = {job.name: schemas[job.name] for job in jobs if job.name in schemas}
    return {SCHEMAS: json.dumps(found, sort_keys=True).encode()} if found else {}


@contextlib.contextmanager
def installing(code: Function | Job) -> Iterator[None]:
    """What fails in it is told of the code whose `install` it is."""
    try:
        yield
    except BuildError as error:
        raise BuildError(
            f"{code}: {error.what}", where=str(code.where), remedy=error.remedy
        ) from error
