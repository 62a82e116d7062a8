"""A job in AWS Batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """AWS Batch runs the job on an EC2 machine that it starts for it and ends afterwards.

    Args:
        cpu: vCPUs.
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
    cpu: float = 1
    memory: str = "2 GB"
    gpu: int = 0
    spot: bool = False
    disk: str | None = None
    instance_types: Sequence[str] = ()
    max_vcpus: int = 16
