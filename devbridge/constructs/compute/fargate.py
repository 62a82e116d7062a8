"""A job in AWS Fargate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Fargate:
    """A task of Amazon ECS on AWS Fargate runs the job: no machine to choose, up to 14 days.

    Args:
        cpu: vCPUs: 0.25, 0.5, 1, 2, 4, 8 or 16.
        memory: ``"2 GB"``; which sizes there are depends on `cpu`.
        disk: ``"21 GB"`` to ``"200 GB"``; by default 20 GB.
        spot: run on spare capacity, at a fraction of the price: AWS may take it back with two
            minutes' notice, and the job then goes on elsewhere.
    """

    name: ClassVar[str] = "fargate"
    cpu: float = 1
    memory: str = "2 GB"
    disk: str | None = None
    spot: bool = False
