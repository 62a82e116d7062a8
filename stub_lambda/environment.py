"""What an invoker is told by its environment of the job that it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass

from devbridge.errors import DevbridgeError


@dataclass(frozen=True, slots=True)
class Project:
    """The CodeBuild project of a deployed job."""

    name: str
    bucket: str
    """The asset bucket: large payloads and results are there."""
    container: bool = False
    """The job is a container's command, which gets its payload in its environment only."""
    inline: bool = False
    """A small payload may be in the build's environment."""
    key: str | None = None
    """The KMS key that encrypts payloads and results; None for S3's own."""

    @staticmethod
    def from_environment() -> Project | None:
        """What this function's environment variables say; None when the job is not deployed.

        Raises:
            DevbridgeError: a variable is missing.
        """
        name = os.environ.get("DEVBRIDGE_PROJECT")
        if not name:
            return None
        container, inline = (
            bool(os.environ.get(f"DEVBRIDGE_{what}")) for what in ("CONTAINER", "INLINE")
        )
        key = os.environ.get("DEVBRIDGE_KEY") or None
        return Project(name, required("DEVBRIDGE_BUCKET"), container, inline, key)


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
