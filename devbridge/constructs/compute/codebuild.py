"""A job in AWS CodeBuild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.app import Bindable
from devbridge.constructs.compute.base import Asked, ComputeBase, Refusal
from devbridge.constructs.file_systems import FileSystem
from devbridge.constructs.network import Vpc
from devbridge.durations import OF_ATTEMPTS, spelled
from devbridge.sources.base import Problem

_CPUS: Final = {3 * 1024: 2, 7 * 1024: 4, 15 * 1024: 8, 145 * 1024: 72}
"""vCPUs of CodeBuild's machines, by their memory."""
DEFAULT_MEMORY: Final = "3 GB"


@dataclass(frozen=True, slots=True)
class CodeBuild(ComputeBase):
    """A build of AWS CodeBuild runs the job: up to 36 hours, the sizes of the job's `memory_size`,
    nothing to pay while nothing runs. The default."""

    name: ClassVar[str] = "codebuild"
    definition: ClassVar[str] = "codebuild:project/{}"
    least: ClassVar[timedelta] = values.BUILD_TIMEOUT[0]
    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("memory", "memory_size", "cpu"), "its machine is that of Job(memory_size='7 GB')"
    )
    timeouts: ClassVar[tuple[timedelta, timedelta]] = (OF_ATTEMPTS[0], values.BUILD_TIMEOUT[1])

    def problem(self, asked: Asked) -> Refusal | None:
        """What of a job it has not."""
        if values.job_memory(asked.memory_size or DEFAULT_MEMORY, asked.architecture) is None:
            sizes = ", ".join(map(repr, values.job_memory_sizes(asked.architecture)))
            return "memory_size", (repr(asked.memory_size), f"{sizes} on {asked.architecture}")
        return None

    def mount_problem(self, bind: Sequence[Bindable], vpc: Vpc | None) -> Problem | None:  # noqa: ARG002
        """See `ComputeBase.mount_problem`: a build would have to be one that may do all on its
        host."""
        found = next((target for target in bind if isinstance(target, FileSystem)), None)
        allowed = "not with compute=CodeBuild, which mounts none; with Batch, Fargate or Lambda"
        return (repr(found), allowed) if found else None

    def timeout_allowed(self, asked: Asked) -> str:  # noqa: ARG002
        """See `ComputeBase.timeout_allowed`."""
        least, most = map(spelled, self.timeouts)
        return (
            f"{least} to {most}, e.g. '30 minutes', '1 hour', '1 day'; where it is deployed to"
            f" CodeBuild, from {spelled(values.BUILD_TIMEOUT[0])} on; Batch and Fargate have"
            f" {spelled(OF_ATTEMPTS[1])}"
        )

    def memory_mb(self, asked: Asked) -> int:
        """Of its machine."""
        return values.job_memory(asked.memory_size or DEFAULT_MEMORY, asked.architecture) or 0

    def cpus(self, asked: Asked) -> float:
        """vCPUs of its machine."""
        return _CPUS[self.memory_mb(asked)]
