"""A job in AWS CodeBuild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class CodeBuild:
    """A build of AWS CodeBuild runs the job: up to 36 hours, the sizes of the job's `memory_size`,
    nothing to pay while nothing runs. The default."""

    name: ClassVar[str] = "codebuild"
