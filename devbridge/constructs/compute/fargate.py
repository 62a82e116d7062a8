"""A job in AWS Fargate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.compute.base import Asked, ComputeBase, Refusal, not_ours, spot_problem
from devbridge.constructs.compute.workers import Workers

_GB: Final = 1024
SIZES: Final[Mapping[float, tuple[int, ...]]] = {
    0.25: (512, 1 * _GB, 2 * _GB),
    0.5: tuple(range(1 * _GB, 4 * _GB + 1, _GB)),
    1: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
    32: (60 * _GB, 120 * _GB, 244 * _GB),
}
"""The megabytes that Fargate has for each number of vCPUs (Amazon ECS, task size)."""
_DISK_GB: Final = (21, 200)
_OWN_DISK_GB: Final = 20
"""What every task has; the least that may be *asked* for is one more."""
_READ: Final = timedelta(hours=2)
"""A message is hidden for six times as long, and SQS hides none for more than 12 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fargate(ComputeBase):
    """A task of Amazon ECS on AWS Fargate runs the job: no machine to choose, up to 14 days.

    Args:
        cpu: vCPUs: 0.25, 0.5, 1, 2, 4, 8, 16 or 32.
        memory: ``"2 GB"``; which sizes there are depends on `cpu`.
        disk: ``"21 GB"`` to ``"200 GB"``; by default 20 GB.
        spot: run on spare capacity, at a fraction of the price: AWS may take it back with two
            minutes' notice, and the job then goes on elsewhere.
        workers: tasks that never stop read the job's queue, as many as its messages need:
            ``Workers(min=0, max=5)``. With ``triggers=[OnQueue(queue, done="succeeded")]``.
    """

    name: ClassVar[str] = "fargate"
    definition: ClassVar[str] = "ecs:task-definition/{}"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "gpu": "Fargate has no GPUs: compute=Batch(gpu=1, ...) has",
        "instance_types": "Fargate has no machines to choose: compute=Batch(...) has",
        "max_vcpus": "`concurrency` bounds how many runs there are at once",
        "memory_size": "its memory is memory='2 GB'",
        "architecture": "it is the job's: Job(architecture='arm64')",
        "arm64": "it is the job's: Job(architecture='arm64')",
    }
    cpu: float = 1
    memory: str = "2 GB"
    disk: str | None = None
    spot: bool = False
    workers: Workers | None = None

    def problem(self, asked: Asked) -> Refusal | None:
        """What of it, or of a job, Fargate has not."""
        if refused := not_ours(self, asked, "Fargate(cpu=..., memory=...)"):
            return refused
        if isinstance(self.cpu, bool) or not isinstance(self.cpu, int | float):
            return self.refused("cpu", allowed=f"as cpu, {_listed(SIZES)}")
        if (memory := values.megabytes(self.memory)) is None:
            return self.refused("memory", allowed="as memory, a size such as '512 MB' or '2 GB'")
        if memory not in SIZES.get(self.cpu, ()):
            return self.refused("cpu", "memory", allowed=_nearest(self.cpu, memory))
        if self.disk is not None and self.disk_gb is None:
            low, high = _DISK_GB
            allowed = f"as disk, '{low} GB' to '{high} GB', whole GB; None is {_OWN_DISK_GB} GB"
            return self.refused("disk", allowed=allowed)
        return spot_problem(self, self.spot, asked) or self._workers_problem(asked)

    def _workers_problem(self, asked: Asked) -> Refusal | None:
        if self.workers is None:
            return None
        if not isinstance(self.workers, Workers):
            allowed = "as workers, Workers(min=0, max=5, per_worker=10)"
            return self.refused("workers", allowed=allowed)
        if problem := self.workers.problem():
            return "compute", (f"Workers: {problem[0]}", problem[1])
        if asked.container:
            allowed = "only with a handler: nothing tells a command that another message has come"
            return self.refused("workers", allowed=allowed)
        return None

    @property
    def reads(self) -> timedelta | None:
        """See `ComputeBase.reads`."""
        return _READ if self.workers else None

    @property
    def bounded(self) -> str:
        """See `ComputeBase.bounded`."""
        return "Workers(max=...) instead"

    @property
    def disk_gb(self) -> int | None:
        """Of its disk; None is what every task has."""
        return values.gigabytes(self.disk, _DISK_GB)

    def memory_mb(self, asked: Asked) -> int:  # noqa: ARG002
        """Of its task."""
        return values.megabytes(self.memory) or 0

    def cpus(self, asked: Asked) -> float:  # noqa: ARG002
        """vCPUs of its task."""
        return self.cpu


def _nearest(cpu: float, memory: int) -> str:
    """What there is for that many vCPUs, and the combinations that are the nearest."""
    sizes = SIZES.get(cpu)
    if sizes:
        steps = {b - a for a, b in itertools.pairwise(sizes)}
        spelt = [repr(values.spelled_size(size)) for size in sizes]
        by = f" by {values.spelled_size(min(steps))}"
        there = f"{spelt[0]} to {spelt[-1]}{by}" if len(steps) == 1 else ", ".join(spelt)
        there = f"with cpu={cpu:g}, {there}"
    else:
        there = f"cpu={_listed(SIZES)}"
    near = dict.fromkeys(_near(cpu, memory))
    return f"{there}; the nearest: {' or '.join(near)}"


def _near(cpu: float, memory: int) -> Iterator[str]:
    if sizes := SIZES.get(cpu):
        yield _spelled(cpu, min(sizes, key=lambda size: (abs(size - memory), size)))
    enough = [(c, m) for c, each in SIZES.items() for m in each if c >= cpu and m >= memory]
    yield _spelled(*min(enough, default=(32, SIZES[32][-1])))


def _spelled(cpu: float, memory: int) -> str:
    return f"Fargate(cpu={cpu:g}, memory={values.spelled_size(memory)!r})"


def _listed(cpus: Mapping[float, object]) -> str:
    *rest, last = (f"{cpu:g}" for cpu in cpus)
    return f"{', '.join(rest)} or {last}"
