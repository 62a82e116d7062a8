"""Packs an app's code, each part in its language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devbridge.constructs import Function, Job
from devbridge.languages.base import Code, Packer, Packing
from devbridge.languages.known import LANGUAGES
from devbridge.packing.assets import JobAssets, Remarks
from devbridge.packing.zips import Asset
from devbridge.sources.runtimes import DEFAULT


class Packers:
    """The packers of all languages, as one `devbridge.languages.base.Packer`."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self._made: dict[str, Packer] = {}

    @property
    def remarks(self) -> Remarks:
        """See `Packer.remarks`."""
        every = [packer.remarks for packer in self._made.values()]
        return Remarks(
            [line for each in every for line in each.warnings],
            [line for each in every for line in each.left],
        )

    def analyse(self, codes: Sequence[Code]) -> None:
        """See `Packer.analyse`."""
        for packer in dict.fromkeys(map(self._of, codes)):
            packer.analyse([code for code in codes if self._of(code) is packer])

    def app_files(self, function: Function) -> set[Path]:
        """See `Packer.app_files`."""
        return self._of(function).app_files(function)

    def function_asset(self, function: Function) -> Asset:
        """See `Packer.function_asset`."""
        return self._of(function).function_asset(function)

    def job_assets(self, job: Job) -> JobAssets:
        """See `Packer.job_assets`."""
        return self._of(job).job_assets(job)

    def compare(self, job: Job) -> None:
        """See `Packer.compare`."""
        self._of(job).compare(job)

    def close(self) -> None:
        """See `Packer.close`."""
        for packer in self._made.values():
            packer.close()

    def _of(self, code: Code) -> Packer:
        name = code.language or DEFAULT
        if name not in self._made:
            self._made[name] = LANGUAGES[name].packer(self._packing)
        return self._made[name]
