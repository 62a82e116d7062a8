"""All that runs jobs in the cloud, by what a job calls it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from devbridge.constructs import Job
from devbridge.deploy.resource_types import ResourceType
from devbridge.deploy.synth.compute.base import Compute
from devbridge.deploy.synth.compute.batch import InBatch
from devbridge.deploy.synth.compute.codebuild import InCodeBuild
from devbridge.deploy.synth.compute.fargate import InFargate
from devbridge.deploy.synth.compute.function import InLambda

COMPUTES: Final[tuple[Compute, ...]] = (InCodeBuild(), InBatch(), InFargate(), InLambda())
_BY_NAME: Final = {each.name: each for each in COMPUTES}


def compute_of(job: Job) -> Compute:
    """What runs a job."""
    return _BY_NAME[job.compute.name]


def grouped(jobs: Iterable[Job]) -> Iterator[tuple[Compute, Sequence[Job]]]:
    """The jobs by what runs them, which runs one at least."""
    every = list(jobs)
    for compute in COMPUTES:
        if own := [job for job in every if compute_of(job) is compute]:
            yield compute, own


def made_types() -> tuple[ResourceType, ...]:
    """The types of all resources that jobs become, once each, the main ones of the first first."""
    return tuple(dict.fromkeys(made for each in COMPUTES for made in each.makes))
