"""A builder that packs nothing: each construct's zip has its name in it, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.constructs import Function, Job
from devbridge.errors import BuildError
from devbridge.languages.base import Packing
from devbridge.packing.assets import JobAssets, Remarks
from devbridge.packing.zips import Asset


@dataclass
class FakeBuilder:
    """A `Packer`, and what it was made for."""

    packing: Packing = field(
        default_factory=lambda: Packing(python=Path("python"), version="3.11", cache=Path())
    )
    remarks: Remarks = field(default_factory=Remarks)
    analysed: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """The names of functions that cannot be packed."""
    closed: bool = False
    packages: set[str] = field(default_factory=set)
    """The names of jobs that import any."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes, of jobs that are in one zip."""

    def analyse(self, codes: Sequence[Function | Job]) -> None:
        self.analysed += [code.name for code in codes]

    def function_asset(self, function: Function) -> Asset:
        if function.name in self.broken:
            raise BuildError(f"{function}: no module 'x'")
        return Asset.of(str(function), function.name.encode())

    def job_assets(self, job: Job) -> JobAssets:
        packages = Asset.of(f"packages of {job}", b"packages")
        code = Asset.of(str(job), job.name.encode())
        found = packages if job.name in self.packages else None
        return JobAssets(code, found, self.sizes.get(job.name, 0))

    def app_files(self, function: Function) -> set[Path]:
        self.remarks.warnings.append(f"{function} is odd")
        return {function.app.root / f"{function.handler.module}.py"}

    def compare(self, job: Job) -> None:
        self.remarks.warnings.extend(
            [f"{job}: live runs have imported x", f"{job}: something else"]
        )

    def close(self) -> None:
        self.closed = True
