"""Where deployed Python runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devbridge.languages.base import Build

_BEGINS: Final = "python"


class DeployedPython:
    """Python, as `devbridge.languages.base.Deployed`."""

    def build(self, runtime: str, architecture: str, image: str | None) -> Build:
        """See `Deployed.build`: AWS's base image for the version, whose boto3 is Lambda's."""
        tag = runtime.removeprefix(_BEGINS)
        suffix = "-arm64" if architecture == "arm64" else ""
        return Build(image or f"public.ecr.aws/lambda/python:{tag}{suffix}")

    def image(self, runtime: str, image: str | None) -> Build:
        """See `Deployed.image`: Docker's own image, as AWS mirrors it; it has no boto3."""
        tag = runtime.removeprefix(_BEGINS)
        return Build(image or f"public.ecr.aws/docker/library/python:{tag}-slim")

    def function_variables(self, esbuild: Mapping[str, Any]) -> Mapping[str, str]:
        """See `Deployed.function_variables`: none."""
        del esbuild
        return {}
