"""The zips of Python functions and jobs: the handler, and what that imports, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from devbridge.constructs import Function, Job, Secret
from devbridge.constructs.files import selected
from devbridge.errors import BuildError
from devbridge.languages.python import environment, lacking, reached
from devbridge.languages.python.environment import Distribution, files_for
from devbridge.languages.python.pip import Target, files_in, importable, requirements_path
from devbridge.languages.python.reached import LAZY, Asked, Reached
from devbridge.packing.assets import (
    JobAssets,
    Remarks,
    Shape,
    function_asset,
    installing,
    job_assets,
    schemas_file,
)
from devbridge.packing.copied import copied
from devbridge.packing.imported import Live
from devbridge.packing.zips import Asset, Parts
from devbridge.sources.python import PythonSource
from devbridge.sources.runtimes import FUNCTIONS, JOBS, of_language

_SOURCE: Final = PythonSource()


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
        live: what the live runs of jobs have imported, by the job's name.
        shape: what some code is packed as.
    """

    def __init__(
        self,
        python: Path,
        version: str,
        cache: Path,
        *,
        local: bool = False,
        schemas: Mapping[str, Any] = {},
        live: Mapping[str, Live] = {},
        shape: Callable[[Function | Job], Shape] = lambda _: Shape(),
    ) -> None:
        self.python = python
        self.version = version
        self.cache = cache
        self.local = local
        self.schemas = schemas
        self._live = live
        self._shape = shape
        self.remarks = Remarks()
        self._reached: dict[str, Reached] = {}

    def analyse(self, codes: Sequence[Function | Job]) -> None:
        """Ask the app's interpreter what all of these reach: faster than one by one.

        Raises:
            BuildError: it failed.
        """
        for bare in (False, True):
            new = [code for code in codes if self._shape(code).brings_sdk != bare]
            if not new:
                continue
            self._reached |= reached.ask(
                [Asked.of(code, self._target(code)) for code in new],
                root=new[0].app.root,
                python=self.python,
                version=self.version,
                cache=self.cache,
                warn=lambda key, text: self.remarks.warn(f"{key}: {text}"),
                names=lacking.tops(self._live.values(), self._brought(new[0])),
                bare=bare,
            )

    def _brought(self, code: Function | Job) -> frozenset[str]:
        """What it need not bring along."""
        return environment.RUNTIME_IMPORTS if self._shape(code).brings_sdk else frozenset()

    def app_files(self, function: Function) -> set[Path]:
        """The files that a function is made of and that are not installed, as far as they parse."""
        root = function.app.root
        copied = selected(root, function.copy_files).files
        try:
            found = self._reach(function)
        except BuildError:
            file = _SOURCE.file(root, function.handler.module)
            return {file, *copied.values()}
        return {*found.files.values(), *found.loose, *copied.values()}

    def function_asset(self, function: Function) -> Asset:
        """The zip of a function: what its handler reaches, and what its options add.

        Raises:
            BuildError: an import or a requirement cannot be resolved, a file does not parse, or it
                is too large.
        """
        packages, code = self._parts(function, self._target(function))
        parts = Parts({**packages, **code.installed}, code.own)
        return function_asset(
            function,
            parts,
            self.cache,
            lambda: sorted({name.partition("/")[0] for name in parts.installed}),
        )

    def job_assets(self, job: Job) -> JobAssets:
        """What a job's runs start from: as a function, and the runner.

        Raises:
            BuildError: an import or a requirement cannot be resolved, a file does not parse, or it
                is too large.
        """
        packages, code = self._parts(job, self._target(job))
        self._compare(job, [*packages, *code.files])
        return job_assets(job, packages, code, self.cache, whole=self._shape(job).whole)

    def compare(self, job: Job) -> None:
        """Warn of what the job's live runs have imported and a deployed one would not have.

        Raises:
            BuildError: as `job_assets`.
        """
        # The names are those of this machine's packages: nothing is downloaded for that.
        packages, code = self._parts(job, None)
        self._compare(job, [*packages, *code.files])

    def close(self) -> None:
        """See `Packer.close`: nothing goes on."""

    def _compare(self, job: Job, packed: Sequence[str]) -> None:
        if job.name in self._live:
            known = self._reach(job).tops
            for line in lacking.lacking(self._live[job.name], packed, known, self._brought(job)):
                self.remarks.warn(f"{job}: {line}")

    def _reach(self, code: Function | Job) -> Reached:
        if str(code) not in self._reached:
            self.analyse([code])
        return self._reached[str(code)]

    def _target(self, code: Function | Job) -> Target | None:
        version = (code.runtime or f"python{self.version}").removeprefix("python")
        if not self.local:
            known = of_language("python", JOBS if isinstance(code, Job) else FUNCTIONS)
            if f"python{version}" not in known:
                raise BuildError(
                    f"{code}: AWS has no Python {version}, the version of the app's interpreter",
                    where=str(self.python),
                    remedy=f"name one with runtime=: {', '.join(known)}",
                )
            return Target(version, code.architecture)
        # The embedded cloud runs functions in the app's own Python, whatever they name.
        if isinstance(code, Function) or self._shape(code).whole or version == self.version:
            return None
        return Target(version, None)

    def _parts(self, code: Function | Job, target: Target | None) -> tuple[dict[str, Path], Parts]:
        """The files of distributions, and the others."""
        found = self._reach(code)
        found.check()
        sources = {**self._devbridge(found), **found.files}
        extra = self._required(code, target)
        here = importable(extra) if extra else set()
        needed = found.distributions(here, self.python)
        if isinstance(code, Job) and "devbridge/payload/decode.py" in sources:
            # It decodes payloads to dataclasses and the like with it; a function decodes none.
            needed += [each for each in found.optional("msgspec") if each not in needed]
        needed += [each for each in self._sdk(code, found) if each not in needed]
        # As on the laptop, what the app's interpreter has comes before what `install` adds.
        for line in environment.overruled(code.install, needed):
            self.remarks.warn(f"{code}: {line}")
        packages = files_in(extra, without=[d.name for d in needed]) if extra else {}
        packages |= files_for(needed, target, self.cache)
        schemas = schemas_file([each for each in code.bind if isinstance(each, Job)], self.schemas)
        if schemas:
            validator = environment.own(("fastjsonschema",))
            packages |= {arc: path for d in validator for arc, path in d.files}
        copies = copied(code, self.remarks)
        return packages, Parts({**found.metadata, **copies}, {**sources, **schemas})

    def _sdk(self, code: Function | Job, found: Reached) -> Sequence[Distribution]:
        """What devbridge needs of AWS's SDK to start the jobs and read the secrets that are bound,
        where it is not there."""
        if self._shape(code).brings_sdk or not any(isinstance(b, Job | Secret) for b in code.bind):
            return ()
        return found.optional(environment.SDK) or environment.own(
            (environment.SDK,), environment.NEVER
        )

    def _devbridge(self, found: Reached) -> dict[str, Path]:
        """What of devbridge a handler imports."""
        sources: dict[str, Path] = {}
        for module, names, place in found.own:
            own = reached.own_files(module, names)
            if own.keys() <= {LAZY} and names:
                raise BuildError(
                    f"{module!r} has nothing to import at run time",
                    where=place,
                    remedy="import Job from devbridge.job, and Table from devbridge.resources",
                )
            sources |= own
        return sources

    def _required(self, code: Function | Job, target: Target | None) -> Path | None:
        """The folder with what `install` names."""
        if not code.install:
            return None
        with installing(code):
            return requirements_path(code.install, target, self.python, self.version, self.cache)
