"""A job in AWS Lambda."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Lambda:
    """An AWS Lambda function runs the job; where its handler yields checkpoints, the function goes
    on in another invocation of itself before its 15 minutes are over.

    Args:
        memory_size: ``"512 MB"``, ``"2 GB"``: 128 MB to 10 GB.
        disk: of ``/tmp``, ``"512 MB"`` to ``"10 GB"``.
        reserved_concurrency: what is reserved of the account's concurrency for this function, and
            the most that it has of it.
    """

    name: ClassVar[str] = "lambda"
    memory_size: str = "1 GB"
    disk: str | None = None
    reserved_concurrency: int | None = None
