"""The door that everything which runs jobs in the cloud stands behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from devbridge.constructs import Job
from devbridge.deploy.policies import Json
from devbridge.deploy.resource_types import ResourceType
from devbridge.deploy.synth.stack import Stack
from devbridge.packing.assets import Shape


class Compute(Protocol):
    """One provider. Whether a job is to run there at all on this stage, `placement` decides."""

    @property
    def name(self) -> str:
        """As `compute.name` of a job says it."""

    @property
    def makes(self) -> tuple[ResourceType, ...]:
        """The types of the resources that a job becomes, the main one first."""

    @property
    def first(self) -> tuple[str, ...]:
        """What the developer of a job must be allowed to do for `devbridge dev`, too."""

    @property
    def shape(self) -> Shape:
        """What its code is packed as."""

    def networked(self, job: Job) -> bool:
        """Whether it needs subnets: those of the account's default VPC, unless it names others."""

    def add_shared(self, stack: Stack, jobs: Sequence[Job]) -> None:
        """Add what these jobs share: all that it is to run in this stage, one at least."""

    def add(self, stack: Stack, job: Job) -> None:
        """Add a job's role, which has always the same id, and what runs the job: nothing that
        works, where it is not to run."""

    def place(self, stack: Stack, job: Job) -> Json:
        """What its invoker must know to start a run, beside what is the same everywhere; with
        ``${references}``."""

    def invoker_grants(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """What the invokers of these jobs need of the provider: by name, for by reference a job
        that binds a job would depend on itself."""

    def left(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """What invokers need of the provider to tell of runs, and to stop them, of jobs that ran
        there once and run elsewhere now."""

    def passed(self, stack: Stack, job: Job) -> list[Json]:
        """What of that can be said by reference only."""

    def ended(self, stack: Stack, job: Job) -> Json | None:
        """The pattern of the provider's events that tell the end of a run; None: there are none,
        or nobody needs to hear of them."""
