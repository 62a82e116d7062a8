"""A job in AWS Batch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.compute.base import (
    Asked,
    ComputeBase,
    Refusal,
    not_ours,
    spot_problem,
    whole,
)

_LEAST_MEMORY_MB: Final = 4
_LEAST_DISK_GB: Final = 30
"""What the image that AWS has for such machines takes."""
_DISK_GB: Final = (_LEAST_DISK_GB, 16 * 1024)
_MOST_GPUS: Final = 16
_TYPE: Final = re.compile(
    r"(?P<family>(?P<kind>[a-z]+)-?\d+(?P<more>[a-z]*)[a-z0-9-]*)"
    r"(?:\.(?:\d+x|x)?(?:nano|micro|small|medium|large|metal)[a-z0-9-]*)?"
)
_NO_DRIVER: Final = ("g2", "g3", "g3s", "p2", "p3", "p3dn")
"""Families with GPUs that AWS's image of Amazon Linux 2023 has no driver for."""
_NO_IMAGE: Final = ("a1",)
"""Families whose processors that image does not know."""
_OF_GPUS: Final = ("g4dn", "g5", "g6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(ComputeBase):
    """AWS Batch runs the job on an EC2 machine that it starts for it and ends afterwards, up to
    14 days.

    Args:
        cpu: vCPUs, whole ones.
        memory: ``"7.5 GB"``, ``"60000 MB"``. A little less than a power of two fits the machines
            best: what runs on each of them beside the job takes some.
        gpu: graphics processors.
        spot: run on spare machines, at a fraction of the price: AWS may take one back with two
            minutes' notice, and the job then goes on elsewhere.
        disk: of the machine, ``"200 GB"``; by default that of its image (30 GB).
        instance_types: families (``"g5"``) or types (``"m6i.2xlarge"``) to choose from; by default
            what Batch thinks best.
        max_vcpus: of all machines together, of all jobs of the stage that ask for the same.
    """

    name: ClassVar[str] = "batch"
    definition: ClassVar[str] = "batch:job-definition/{}"
    least: ClassVar[timedelta] = values.BATCH_LEAST
    elsewhere: ClassVar[Mapping[str, str]] = {
        "memory_size": "its memory is memory='7.5 GB'",
        "vcpus": "its processors are cpu=2",
        "architecture": "it is the job's: Job(architecture='arm64')",
        "arm64": "it is the job's: Job(architecture='arm64')",
        "reserved_concurrency": "`concurrency` of the job bounds its runs, max_vcpus the machines",
    }
    cpu: int = 1
    memory: str = "1.75 GB"
    gpu: int = 0
    spot: bool = False
    disk: str | None = None
    instance_types: Sequence[str] = ()
    max_vcpus: int = 16

    def __post_init__(self) -> None:
        """Jobs that ask for the same share their machines: what is asked for can be compared."""
        if (types := values.strings(self.instance_types)) is not None:
            object.__setattr__(self, "instance_types", types)

    def problem(self, asked: Asked) -> Refusal | None:
        """What of it, or of a job, Batch has not."""
        if refused := not_ours(self, asked, "Batch(cpu=..., memory=...)"):
            return refused
        if not whole(self.cpu, 1):
            return self.refused("cpu", allowed="as cpu, a whole number from 1 on")
        if (values.megabytes(self.memory) or 0) < _LEAST_MEMORY_MB:
            allowed = f"as memory, a size such as '7.5 GB', {_LEAST_MEMORY_MB} MB at least"
            return self.refused("memory", allowed=allowed)
        if not whole(self.max_vcpus, self.cpu):
            allowed = f"as max_vcpus, a whole number from {self.cpu} on: one run has cpu={self.cpu}"
            return self.refused("cpu", "max_vcpus", allowed=allowed)
        if self.disk is not None and self.disk_gb is None:
            low, high = _DISK_GB
            allowed = f"as disk, '{low} GB' to '{high >> 10} TB', whole GB, or None for {low} GB"
            return self.refused("disk", allowed=allowed)
        return (
            self._gpu_problem(asked)
            or self._types_problem(asked)
            or spot_problem(self, self.spot, asked)
        )

    def _gpu_problem(self, asked: Asked) -> Refusal | None:
        if not whole(self.gpu, 0) or self.gpu > _MOST_GPUS:
            return self.refused("gpu", allowed=f"as gpu, a whole number from 0 to {_MOST_GPUS}")
        if self.gpu and asked.architecture == "arm64":
            allowed = "with gpu, architecture='x86_64': AWS's image with drivers for GPUs is for"
            return self.refused("gpu", allowed=f"{allowed} that one alone")
        return None

    def _types_problem(self, asked: Asked) -> Refusal | None:
        """The first of `instance_types` that is none, or could not run it."""
        what = "as instance_types,"
        types = values.strings(self.instance_types)
        if types is None or len(set(types)) != len(types):
            allowed = f"{what} a list of different families or types: ['m6i', 'c6i.2xlarge']"
            return self.refused("instance_types", allowed=allowed)
        for name in types:
            if not (found := _TYPE.fullmatch(name)):
                allowed = f"{what} families ('m6i') or types ('m6i.2xlarge'), not {name!r}"
                return self.refused("instance_types", allowed=allowed)
            family = found["family"]
            if family in _NO_IMAGE:
                allowed = f"{what} families that AWS's image of Amazon Linux 2023 runs on,"
                return self.refused("instance_types", allowed=f"{allowed} not {name!r}")
            if (arm := _is_arm(found["kind"], found["more"], family)) != (
                asked.architecture == "arm64"
            ):
                there = "arm64" if arm else "x86_64"
                allowed = f"{what} those of {asked.architecture}; {name!r} is {there}"
                return self.refused("instance_types", allowed=allowed)
            if self.gpu and (found["kind"] not in ("g", "gr", "p") or family in _NO_DRIVER):
                near = ", ".join(map(repr, _OF_GPUS))
                allowed = f"{what} with gpu={self.gpu}, families that have GPUs and are known to"
                allowed += f" AWS's image for them, such as {near}; not {name!r}"
                return self.refused("gpu", "instance_types", allowed=allowed)
        return None

    @property
    def disk_gb(self) -> int | None:
        """Of a machine's disk; None is what its image has."""
        return values.gigabytes(self.disk, _DISK_GB)

    def machines(self, architecture: str) -> tuple[str, ...]:
        """The instance types and families that Batch may choose from."""
        return tuple(self.instance_types) or (
            _OF_GPUS if self.gpu else (f"default_{architecture}",)
        )

    def memory_mb(self, asked: Asked) -> int:  # noqa: ARG002
        """Of its container."""
        return values.megabytes(self.memory) or 0

    def cpus(self, asked: Asked) -> float:  # noqa: ARG002
        """vCPUs of its container."""
        return self.cpu

    def hints(self, asked: Asked) -> tuple[str, ...]:
        """See `ComputeBase.hints`: a machine of 8 GB has no 8 GB for a container."""
        memory = self.memory_mb(asked)
        if memory < 1024 or memory & (memory - 1):
            return ()
        less = values.spelled_size(memory * 15 // 16)
        return (
            f"memory={self.memory!r} does not fit a machine of that size, for its system takes"
            f" some: Batch takes a machine of twice as much; say {less!r}",
        )


def _is_arm(kind: str, more: str, family: str) -> bool:
    """Whether a family has AWS's own processors: ``m7gd``, ``c6gn``, ``im4gn``."""
    return "g" in more or (kind, family[:3]) == ("p", "p6e")
