"""The zips of Python functions and jobs: the handler, and what that imports, and nothing else."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.build.environment import RUNTIME_IMPORTS, Distribution, files_for, installed
from devbridge.build.imports import Import, imports_of
from devbridge.build.pip import Target, files_in, importable, requirements_path
from devbridge.build.zips import Asset, Content, Parts, make_zip, zip_asset
from devbridge.constructs import Function, Job, copied_files
from devbridge.errors import BuildError
from devbridge.schemas import FILE as SCHEMAS

OWN_ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder that the packages devbridge and stub_lambda are in."""
STUB: Final = "stub_lambda/handler.py"
INVOKER: Final = "stub_lambda/deployed.py"
_OWN_PACKAGES: Final = frozenset({"devbridge", "stub_lambda", "runner"})
UNZIPPED_LIMIT: Final = 250 * 1024 * 1024
"""AWS Lambda's limit, in bytes."""
_OF_PYTHON: Final = sys.stdlib_module_names | {"__main__"}
_LAZY: Final = "devbridge/__init__.py"
"""It imports the constructs when asked for them: never in a function."""


@dataclass
class Sources:
    """The local files that a handler reaches by imports, and what they need beyond those."""

    files: dict[str, Path] = field(default_factory=dict)
    third_party: dict[str, str] = field(default_factory=dict)
    """Importable name -> the line that needs it, e.g. ``api/start.py:3``."""
    optional: dict[str, str] = field(default_factory=dict)
    """The same for imports whose failure is caught."""


@dataclass(frozen=True, slots=True)
class JobAssets:
    """The two zips that a job's build starts from. What others have written changes seldom, and may
    be a hundred megabytes; so it need not be packed and uploaded with each change of the code."""

    code: Asset
    packages: Asset | None
    """The distributions that it imports; None if there are none."""


class Builder:
    """Packs the code of one deployment, for one cloud.

    It remembers what the app's interpreter has told, so it must not outlive the deployment.

    Args:
        python: the app's interpreter, whose packages are packed.
        version: its version, e.g. ``3.11``.
        cache: folder that keeps resolved wheels, and the keys of zips.
        local: for the embedded cloud, which runs what it is given on this very machine: functions
            in the app's Python, jobs in that of their runtime.
        schemas: JSON Schemas of the jobs' payloads, by the job's name, for those who bind them.
    """

    def __init__(
        self,
        python: Path,
        version: str,
        cache: Path,
        *,
        local: bool = False,
        schemas: Mapping[str, Any] = {},
    ) -> None:
        self.python = python
        self.version = version
        self.cache = cache
        self.local = local
        self.schemas = schemas
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Distribution]] = {}

    def function_asset(self, function: Function) -> Asset:
        """The zip of a function: what its handler reaches, and what its options add.

        Raises:
            BuildError: an import or a requirement cannot be resolved, a file does not parse, or it
                is too large.
        """
        sources = reachable(function.app.root, function.handler.file)
        packages, code = self._parts(function, sources, self._target(function))
        parts = Parts({**packages, **code.installed}, code.own)
        if (size := parts.size) > UNZIPPED_LIMIT:
            raise BuildError(
                f"{function}: its files have {size:,} bytes; AWS Lambda takes {UNZIPPED_LIMIT:,}",
                where=", ".join(sorted({name.partition("/")[0] for name in parts.installed})),
                remedy="import less in this function, or make it a job",
            )
        return zip_asset(str(function), parts, self.cache / "zips")

    def job_assets(self, job: Job) -> JobAssets:
        """What a job's build starts from: as a function, and the runner.

        Raises:
            BuildError: an import or a requirement cannot be resolved, or a file does not parse.
        """
        assert job.handler  # noqa: S101 - a container job has an image instead
        sources = reachable(job.app.root, job.handler.file)
        if "devbridge/decoding.py" in sources.files:
            # It decodes payloads to dataclasses and the like with it.
            sources.optional.setdefault("msgspec", "devbridge/decoding.py")
        packages, code = self._parts(job, sources, self._target(job))
        taken = [n for n in (*packages, *code.files) if n.partition("/")[0] == "runner"]
        if taken:
            raise BuildError(
                f"{job}: the name 'runner' is taken by what runs jobs",
                where=", ".join(sorted(taken)[:3]),
                remedy="rename that package of yours",
            )
        parts, known = Parts(code.installed, {**code.own, **_runner()}), self.cache / "zips"
        return JobAssets(
            zip_asset(str(job), parts, known),
            zip_asset(f"packages of {job}", Parts(packages), known) if packages else None,
        )

    def _target(self, code: Function | Job) -> Target | None:
        version = (code.runtime or f"python{self.version}").removeprefix("python")
        if not self.local:
            return Target(version, code.architecture)
        if isinstance(code, Function) or version == self.version:
            return None
        return Target(version, None)

    def _parts(
        self, code: Function | Job, sources: Sources, target: Target | None
    ) -> tuple[dict[str, Path], Parts]:
        """The files of distributions, and the others."""
        root, extra = code.app.root, self._required(code, target)
        here = importable(extra) if extra else set()
        needed = sources.third_party.keys() - here
        wished = (sources.optional.keys() | (sources.third_party.keys() & here)) - needed
        found = self._distributions(needed, wished, sources)
        # As on the laptop, what the app's interpreter has comes before what `install` adds.
        packages = files_in(extra, without=[d.name for d in found]) if extra else {}
        packages |= files_for(found, target, self.cache)
        copied = {name: root / name for name in copied_files(root, code.copy_files)}
        for name, path in copied.items():
            # To open a named pipe would wait for ever.
            if not path.is_file():
                raise BuildError(
                    f"{code}: copy_files: {name!r} is no file, and no link to one",
                    where=str(path),
                    remedy="delete it, or name the files that are to be copied",
                )
        schemas = {
            bound.name: self.schemas[bound.name]
            for bound in code.bind
            if isinstance(bound, Job) and bound.name in self.schemas
        }
        own: dict[str, Content] = {**sources.files}
        if schemas:
            packages |= {arc: path for d in _validator() for arc, path in d.files}
            own[SCHEMAS] = json.dumps(schemas, sort_keys=True).encode()
        return packages, Parts(copied, own)

    def _required(self, code: Function | Job, target: Target | None) -> Path | None:
        """The folder with what `install` names."""
        if not code.install:
            return None
        try:
            return requirements_path(code.install, target, self.python, self.version, self.cache)
        except BuildError as error:
            raise BuildError(
                f"{code}: {error.what}", where=str(code.where), remedy=error.remedy
            ) from error

    def _distributions(
        self, needed: Iterable[str], wished: Iterable[str], sources: Sources
    ) -> list[Distribution]:
        key = tuple(sorted(needed)), tuple(sorted(wished))
        if key not in self._known:
            try:
                self._known[key] = installed(key[0], self.python, key[1])
            except BuildError as error:
                lines = [
                    line for name, line in sources.third_party.items() if f"'{name}'" in error.what
                ]
                where = ", ".join([*lines, error.where or ""])
                raise BuildError(error.what, where=where, remedy=error.remedy) from error
        return self._known[key]


def app_files(function: Function) -> set[Path]:
    """The files of the app that a function is made of, as far as they parse."""
    root, entry = function.app.root, function.handler.file
    try:
        found = reachable(root, entry).files
        names = {name for name, path in found.items() if root in path.parents}
    except BuildError:
        names = {entry}
    return {root / name for name in (*names, *copied_files(root, function.copy_files))}


@functools.cache
def stub_asset() -> Asset:
    """The zip of the stub: the same for every app, stage and job; packed once per process."""
    sources = reachable(OWN_ROOT, STUB, only=_OWN_PACKAGES)
    found = installed(sources.third_party, Path(sys.executable))
    files = {arc: path for d in found for arc, path in d.files if path.suffix == ".py"}
    return Asset.of("the stubs", make_zip({**files, **sources.files}))


@functools.cache
def invoker_asset() -> Asset:
    """The zip of the invoker of deployed jobs: the same for every app, stage and job."""
    sources = reachable(OWN_ROOT, INVOKER, only=_OWN_PACKAGES)
    return Asset.of("the invokers", make_zip(sources.files))


@functools.cache
def _runner() -> dict[str, Path]:
    """The package that runs a handler."""
    folder = OWN_ROOT / "runner"
    return {path.relative_to(OWN_ROOT).as_posix(): path for path in sorted(folder.rglob("*.py"))}


@functools.cache
def _validator() -> list[Distribution]:
    """What checks payloads against schemas; devbridge brings it along."""
    return installed(["fastjsonschema"], Path(sys.executable))


def reachable(root: Path, entry: str, *, only: frozenset[str] | None = None) -> Sources:
    """Everything that the file `entry` below `root` reaches by static imports.

    Args:
        only: the top-level packages that count as local; None for all that are below `root`.

    Raises:
        BuildError: a file does not parse, or a local module does not exist.
    """
    sources = Sources()
    queue = [(root, file) for file in _with_packages(root, entry)]
    while queue:
        base, name = queue.pop()
        if name in sources.files:
            continue
        sources.files[name] = base / name
        if name == _LAZY:
            continue
        for item in _imports(base, name):
            if only is None and base == OWN_ROOT:
                # What else devbridge imports for the user's types, those types bring along.
                if item.top in _OWN_PACKAGES:
                    queue += [(OWN_ROOT, file) for file in _own(item)]
                continue
            place = f"{name}:{item.line}"
            if only is None or item.top in only:
                local = list(_local(root, item))
                if local:
                    queue += [(root, file) for file in local]
                    continue
            if item.top in _OF_PYTHON or item.top in RUNTIME_IMPORTS:
                continue
            if item.top == "devbridge":
                own = _own(item)
                if set(own) <= {_LAZY} and item.names:
                    raise BuildError(
                        f"{item.module!r} has nothing to import at run time",
                        where=place,
                        remedy="import Job from devbridge.job, and Table from devbridge.resources",
                    )
                queue += [(OWN_ROOT, file) for file in own]
                continue
            into = sources.optional if item.optional else sources.third_party
            into.setdefault(item.top, place)
    return sources


def _imports(base: Path, name: str) -> Sequence[Import]:
    parts = Path(name).with_suffix("").parts
    try:
        return imports_of((base / name).read_bytes(), filename=name, package=".".join(parts[:-1]))
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise BuildError(
            f"{type(error).__name__}: {getattr(error, 'msg', error)}",
            where=f"{name}{line}",
            remedy="correct that line",
        ) from error


def _local(root: Path, item: Import) -> Iterator[str]:
    """The files below `root` that an import runs; none if it is not of there."""
    modules = [item.module, *(f"{item.module}.{name}" for name in item.names if name != "*")]
    for module in modules:
        path = module.replace(".", "/")
        for file in (f"{path}/__init__.py", f"{path}.py"):
            if (root / file).is_file():
                yield from _with_packages(root, file)
                break


@functools.cache
def _own(item: Import) -> tuple[str, ...]:
    """The same for devbridge's own packages, which do not change."""
    return tuple(_local(OWN_ROOT, item))


def _with_packages(root: Path, file: str) -> Iterator[str]:
    """A module's file, and the packages that are imported before it."""
    for folder in reversed(Path(file).parents):
        package = (folder / "__init__.py").as_posix()
        if folder != Path() and (root / package).is_file():
            yield package
    yield file
