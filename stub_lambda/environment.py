"""What an invoker is told by its environment of the job that it starts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge.errors import DevbridgeError

_CODEBUILD: Final = "codebuild"
"""What runs the jobs of an invoker that is not told it: earlier versions knew nothing else."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the runs of a deployed job are, and what runs them."""

    project: str
    """What the ids of its runs begin with."""
    bucket: str
    """The asset bucket: it has what is known of the runs."""
    compute: str = _CODEBUILD
    """What runs them, by name."""
    place: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What must be known to start one there."""
    attempts: int = 1
    container: bool = False
    """The job is a container's command, which gets its payload in its environment only."""
    inline: bool = False
    """A small payload may be in the provider's records."""
    key: str | None = None
    """The KMS key that encrypts what is written; None for S3's own."""
    concurrency: int = 0
    """Runs that may run at the same time; 0: any number."""
    turns: str = ""
    """The table that says whose turn it is, where only so many may run."""

    @staticmethod
    def from_environment() -> Placement | None:
        """What this function's environment variables say; None when the job is not deployed.

        Raises:
            DevbridgeError: a variable is missing.
        """
        project = os.environ.get("DEVBRIDGE_PROJECT")
        if not project:
            return None
        container, inline = (
            bool(os.environ.get(f"DEVBRIDGE_{what}")) for what in ("CONTAINER", "INLINE")
        )
        place = os.environ.get("DEVBRIDGE_PLACE")
        return Placement(
            project,
            required("DEVBRIDGE_BUCKET"),
            os.environ.get("DEVBRIDGE_COMPUTE") or _CODEBUILD,
            json.loads(place) if place else {"project": project},
            int(os.environ.get("DEVBRIDGE_ATTEMPTS") or 1),
            container,
            inline,
            os.environ.get("DEVBRIDGE_KEY") or None,
            int(os.environ.get("DEVBRIDGE_CONCURRENCY") or 0),
            os.environ.get("DEVBRIDGE_TURNS", ""),
        )


def required(name: str) -> str:
    """The value of an environment variable.

    Raises:
        DevbridgeError: there is no such variable.
    """
    value = os.environ.get(name)
    if not value:
        raise DevbridgeError(
            f"the environment variable {name} is missing", remedy="deploy the stage again"
        )
    return value
