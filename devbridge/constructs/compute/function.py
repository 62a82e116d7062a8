"""A job in AWS Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.compute.base import Asked, ComputeBase, Refusal, not_ours, whole
from devbridge.constructs.file_systems import IN_A_VPC
from devbridge.durations import OF_ATTEMPTS, parsed, spelled
from devbridge.sources.runtimes import runs_in_functions

_DISK_MB: Final = (512, 10_240)
_MARGIN: Final = (timedelta(seconds=10), timedelta(minutes=10))
_MB_PER_CPU: Final = 1769
"""With so much memory, a function has one vCPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lambda(ComputeBase):
    """An AWS Lambda function runs the job; where its handler yields checkpoints, the function goes
    on in another invocation of itself before its 15 minutes are over.

    Args:
        memory_size: ``"512 MB"``, ``"2 GB"``: 128 MB to 10 GB.
        disk: of ``/tmp``, ``"512 MB"`` to ``"10 GB"``.
        reserved_concurrency: what is reserved of the account's concurrency for this function, and
            the most that it has of it.
        margin: how long before an invocation's end the next checkpoint is the last: 10 seconds to
            10 minutes. Longer than the handler takes from one checkpoint to the next.
    """

    name: ClassVar[str] = "lambda"
    definition: ClassVar[str] = "lambda:function:{}-job"
    unmounted: ClassVar[str | None] = IN_A_VPC
    timeouts: ClassVar[tuple[timedelta, timedelta]] = (OF_ATTEMPTS[0], timedelta(hours=36))
    elsewhere: ClassVar[Mapping[str, str]] = {
        "memory": "its memory is memory_size='1 GB'",
        "cpu": f"a function has a vCPU for each {_MB_PER_CPU} MB of memory_size",
        "gpu": "Lambda has no GPUs: compute=Batch(gpu=1, ...) has",
        "spot": "Lambda has no spare machines: Batch(spot=True) and Fargate(spot=True) have",
    }
    memory_size: str = "1 GB"
    disk: str | None = None
    reserved_concurrency: int | None = None
    margin: values.Duration = "1 minute"

    def problem(self, asked: Asked) -> Refusal | None:
        """What of it, or of a job, Lambda has not."""
        refused = not_ours(self, asked, "Lambda(memory_size=...)") or _lacking(asked)
        if refused := refused or self._out_of_range():
            return refused
        if asked.checkpoints is False and (asked.timeout or timedelta()) > values.INVOCATION:
            return "timeout", (spelled(asked.timeout or timedelta()), self.timeout_allowed(asked))
        return None

    def _out_of_range(self) -> Refusal | None:
        low, high = values.FUNCTION_MEMORY_MB
        if not low <= (values.megabytes(self.memory_size) or 0) <= high:
            return self.refused("memory_size", allowed="as memory_size, '128 MB' to '10 GB'")
        if self.disk is not None and self.disk_mb is None:
            return self.refused("disk", allowed="as disk, '512 MB' to '10 GB', or None for 512 MB")
        if self.reserved_concurrency is not None and not whole(self.reserved_concurrency, 1):
            allowed = "as reserved_concurrency, a whole number from 1 on, or None"
            return self.refused("reserved_concurrency", allowed=allowed)
        if parsed(self.margin, _MARGIN) is None:
            return self.refused("margin", allowed="as margin, '10 seconds' to '10 minutes'")
        return None

    @property
    def reads(self) -> timedelta | None:
        """See `ComputeBase.reads`."""
        return values.INVOCATION

    @property
    def bounded(self) -> str:
        """See `ComputeBase.bounded`."""
        return (
            "OnQueue(max_concurrency=...) instead; Lambda(reserved_concurrency=...) alone has AWS"
            " read messages that it cannot run, which uses up their deliveries"
        )

    @property
    def disk_mb(self) -> int | None:
        """Of its ``/tmp``; None is what every function has."""
        size = values.megabytes(self.disk)
        return size if size and _DISK_MB[0] <= size <= _DISK_MB[1] else None

    @property
    def margin_seconds(self) -> float:
        """Seconds before an invocation's end."""
        found = parsed(self.margin, _MARGIN)
        return found.total_seconds() if found else 0.0

    def default_timeout(self, asked: Asked) -> timedelta:
        """See `ComputeBase.default_timeout`: what does not go on has one invocation."""
        return values.INVOCATION if asked.checkpoints is False else timedelta(hours=8)

    def timeout_allowed(self, asked: Asked) -> str:
        """See `ComputeBase.timeout_allowed`."""
        least, most, once = map(spelled, (*self.timeouts, values.INVOCATION))
        if asked.checkpoints is False:
            return (
                f"{least} to {once} with compute=Lambda, where the handler is no generator; one"
                f" that yields checkpoints goes on in further invocations, for up to {most}."
                " CodeBuild, Batch and Fargate need no checkpoints"
            )
        return f"{least} to {most} with compute=Lambda, e.g. '10 minutes', '2 hours'"

    def memory_mb(self, asked: Asked) -> int:  # noqa: ARG002
        """Of its function."""
        return values.megabytes(self.memory_size) or 0

    def cpus(self, asked: Asked) -> float:
        """vCPUs of its function: as many as its memory has."""
        return round(self.memory_mb(asked) / _MB_PER_CPU, 2)


def _lacking(asked: Asked) -> Refusal | None:
    """What of a job no function has."""
    others = "CodeBuild, Batch or Fargate"
    if asked.container:
        return "runtime", ("'container'", f"not with compute=Lambda; {others} run containers")
    if not runs_in_functions(asked.runtime):
        text = f"not yet with compute=Lambda, where handlers are in Python; with {others}"
        return "runtime", (repr(asked.runtime), text)
    if asked.image:
        text = f"not with compute=Lambda, whose functions are zips; with {others}"
        return "image", (repr(asked.image), text)
    for name in asked.variables:
        if not values.LAMBDA_VARIABLE.fullmatch(name):
            allowed = f"with compute=Lambda, {values.LAMBDA_VARIABLE_ALLOWED}"
            return "environment", (repr(name), allowed)
    return None
