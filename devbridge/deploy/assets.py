"""Assets: the zips and images that an app's code becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from devbridge import names
from devbridge.constructs import App, Function, Job
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.functions import Broken, Kept, pack_functions
from devbridge.deploy.request import Request
from devbridge.deploy.settings import version_of
from devbridge.deploy.synth import Assets, Settings, has_invoker, in_cloud
from devbridge.deploy.synth.compute.known import compute_of
from devbridge.deploy.synth.placement import has_code, is_live
from devbridge.folders import STATE_DIR, cache_dir
from devbridge.languages.base import Packer, Packing
from devbridge.languages.packers import Packers
from devbridge.languages.python.invokers import function_stub_asset, invoker_asset, stub_asset
from devbridge.packing.assets import UNZIPPED_LIMIT, JobAssets
from devbridge.packing.container import build_image, image_uri
from devbridge.packing.imported import live
from devbridge.packing.zips import Asset

_LARGE: Final = 25 * 1024 * 1024
"""The bytes from which on a function's size is worth a line: a tenth of what Lambda takes."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a deployment would deploy."""

    assets: Assets
    """What the template refers to. Only code that stays as it is deployed has a version as yet."""
    zips: list[Asset]
    images: list[Job]
    """The jobs whose images must be there."""
    files: frozenset[Path]
    """Those that what is not live is made of, without what is installed."""

    def pinned(self, versions: Mapping[str, str]) -> Assets:
        """What the template refers to, in these S3 versions, by key."""
        return replace(self.assets, versions={**self.assets.versions, **versions})


def pack(request: Request, settings: Settings, broken: Broken | None = None) -> Packed:
    """Pack the app's code. What the deployed code may lack is told as warnings.

    Args:
        broken: see `pack_functions`.

    Raises:
        BuildError, HandlerNotFound: code cannot be packed.
        AppFailed: a file cannot be read, and may have a job.
    """
    app, cloud = request.app, request.cloud
    if app.unread:
        raise app.unread[0]
    jobs = app.of_type(Job)
    placed = [job for job in jobs if in_cloud(job, settings)]
    for job in placed:
        if missing := app.missing.get(str(job.handler)):
            raise missing
    functions = app.of_type(Function)
    coded = [each for each in functions if has_code(each, settings)]
    there = [each for each in coded if str(each.handler) not in app.missing]
    zipped = [job for job in placed if not job.container]
    invoked = [has_invoker(job, settings) for job in jobs]
    with closing(_packer(app, cloud, request.python, settings.python, request.schemas)) as packer:
        packer.analyse([*there, *zipped])
        made, kept = pack_functions(app, cloud, settings, packer, broken)
        zips = _Zips(
            stub=None if all(invoked) else stub(),
            invoker=invoker_asset(cache()) if any(invoked) else None,
            function_stub=(
                function_stub_asset(cache())
                if any(is_live(each, settings) for each in functions)
                else None
            ),
            functions=made,
            jobs={job.name: packer.job_assets(job) for job in zipped},
        )
        # A save of a live function's code concerns its workers, as that of a job's.
        deployed = [each for each in there if not is_live(each, settings)]
        files = frozenset(file for each in deployed for file in packer.app_files(each))
    for name, assets in zips.jobs.items():
        if assets.size >= _LARGE:
            request.on_progress(Progress("build", _told(name, assets)))
    for text in packer.remarks.warnings:
        request.on_progress(Progress("warning", text))
    for text in packer.remarks.left:
        request.on_progress(Progress("left", text))
    for text in filter(None, (folder.remark for folder in app.job_folders.values())):
        request.on_progress(Progress("left", text))
    images = [job for job in placed if job.container]
    return Packed(
        replace(
            zips.named(app.name, names.asset_bucket(cloud.account, cloud.region), kept),
            images={job.name: image_uri(job, cloud, settings.stage) for job in images},
        ),
        list(zips),
        images,
        files,
    )


def _told(job: str, assets: JobAssets) -> str:
    """How large a job's function is: the more it has to load, the longer each first run waits."""
    size, most = assets.size / 1024**2, UNZIPPED_LIMIT // 1024**2
    return (
        f"Job {job!r}: its function has {size:,.1f} MB of at most {most} MB; what of it is imported"
        " is loaded anew by each instance that starts (cold start)"
    )


@dataclass(frozen=True, slots=True)
class _Zips:
    """The zips of a deployment by what they are for."""

    stub: Asset | None
    invoker: Asset | None
    function_stub: Asset | None
    functions: Mapping[str, Asset]
    """By the construct's name."""
    jobs: Mapping[str, JobAssets]

    def __iter__(self) -> Iterator[Asset]:
        jobs = (asset for job in self.jobs.values() for asset in (job.packages, job.code))
        own = (self.stub, self.invoker, self.function_stub)
        every = (*own, *self.functions.values(), *jobs)
        return (asset for asset in every if asset)

    def named(self, app: str, bucket: str, kept: Kept) -> Assets:
        """Where the template finds them."""

        def key(asset: Asset | None) -> str:
            return names.asset(app, asset.key) if asset else ""

        return Assets(
            bucket=bucket,
            stub=key(self.stub),
            invoker=key(self.invoker),
            function_stub=key(self.function_stub),
            functions={**kept.keys, **{name: key(each) for name, each in self.functions.items()}},
            jobs={name: key(made.code) for name, made in self.jobs.items()},
            packages={n: key(made.packages) for n, made in self.jobs.items() if made.packages},
            versions=kept.versions,
        )


def _packer(
    app: App, cloud: Access, python: Path, version: str, schemas: Mapping[str, Any]
) -> Packer:
    local = cloud.endpoint_url is not None
    imported = live(app.root / STATE_DIR, app.root)
    return Packers(
        Packing(
            python=python,
            version=version,
            cache=cache(),
            local=local,
            schemas=schemas,
            live=imported,
            shapes={job.name: compute_of(job).shape for job in app.of_type(Job)},
        )
    )


def lacking(app: App, cloud: Access, python: Path, jobs: Iterable[str]) -> list[str]:
    """What live runs of these jobs have imported, and deployed ones would not have, in words.

    Raises:
        BuildError: it cannot be told what would be packed.
    """
    wanted = frozenset(jobs)
    with closing(_packer(app, cloud, python, version_of(python), {})) as packer:
        for job in app.of_type(Job):
            if job.name in wanted and not job.container:
                packer.compare(job)
    return [text for text in packer.remarks.warnings if "live runs have imported" in text]


def build_images(cloud: Access, jobs: Sequence[Job], stage: str, on_progress: OnProgress) -> None:
    """Build and push the images of container jobs; the embedded cloud needs none.

    Raises:
        BuildError: an image cannot be built or pushed.
    """
    for job in jobs:
        if cloud.endpoint_url is None:
            build_image(job, cloud, lambda text: on_progress(Progress("build", text)), stage=stage)
        else:
            on_progress(
                Progress("build", f"{job}: no image, the embedded cloud runs no containers")
            )


def stub() -> Asset:
    """The zip of the jobs' stub, packed when it is first asked for."""
    return stub_asset(cache())


def cache() -> Path:
    """The folder that keeps what was packed, resolved and installed."""
    return cache_dir() / "build"
