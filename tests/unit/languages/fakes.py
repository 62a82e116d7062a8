"""A language that is made up: it tells what it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from devbridge.constructs import App, Function, Job
from devbridge.errors import DevbridgeError
from devbridge.languages.base import Asking, Code, Packing, Workplace
from devbridge.packing.assets import JobAssets, Remarks
from devbridge.packing.zips import Asset
from devbridge.runs.model import CodeSpec
from devbridge.types.model import JobTypes
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules


class FakePacker:
    """A `Packer` whose zips have its language's name in them."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.remarks = Remarks([f"{language} warns"], [f"{language} leaves"])
        self.asked: list[list[str]] = []
        self.closed = False

    def analyse(self, codes: Sequence[Code]) -> None:
        self.asked.append([code.name for code in codes])

    def app_files(self, function: Function) -> set[Path]:
        return {Path(self.language, function.name)}

    def function_asset(self, function: Function) -> Asset:
        return Asset.of(f"{self.language} {function.name}", b"")

    def job_assets(self, job: Job) -> JobAssets:
        return JobAssets(Asset.of(f"{self.language} {job.name}", b""), None)

    def compare(self, job: Job) -> None:
        self.remarks.warn(f"{self.language} compares {job.name}")

    def close(self) -> None:
        self.closed = True


class FakeLauncher:
    """A `Launcher` that writes down what it is told."""

    def __init__(self, language: str, told: list[str]) -> None:
        self.language = language
        self.told = told

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Any:
        self.told.append(f"{self.language} launches {spec.job}")

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        names = ",".join(job.name for job in jobs)
        self.told.append(f"{self.language} prepares {names} {list(vouched)}")

    def reported(self, job: str, modules: Modules) -> bool:
        self.told.append(f"{self.language} hears of {job}")
        return self.language == "nodejs"

    async def close(self) -> None:
        self.told.append(f"{self.language} closes")


class FakeLanguage:
    """A `Language`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []
        self.packers: list[FakePacker] = []
        self.places: list[Workplace] = []

    def packer(self, packing: Packing) -> FakePacker:
        self.packers.append(FakePacker(self.name))
        return self.packers[-1]

    def broken(self, function: Function, error: DevbridgeError) -> Asset:
        return Asset.of(f"{self.name} {function.name}: {error}", b"")

    def environment(self, job: Job, packing: Packing) -> Mapping[str, str]:
        return {}

    def launcher(self, place: Workplace) -> FakeLauncher:
        self.places.append(place)
        return FakeLauncher(self.name, self.told)

    deployed: Any = None

    def set_up(self, app: App) -> str:
        return f"{self.name} is set up"

    def types(self, app: App, jobs: Iterable[Job], asking: Asking) -> Mapping[str, JobTypes]:
        return {job.name: JobTypes(warning=self.name) for job in jobs}

    def declarations(self, app: App, types: Mapping[str, JobTypes]) -> Mapping[str, str]:
        return {f"{self.name}.d.ts": f"{app.name} {','.join(types)}"}
