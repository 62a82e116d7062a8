"""Where deployed TypeScript and JavaScript run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devbridge.languages.base import Build
from devbridge.sources.runtimes import RUNTIMES

RUNTIME: Final = "DEVBRIDGE_RUNTIME"
"""Tells the runner the runtime of a job, e.g. ``nodejs24.x``; without it, it is Python."""
_PYTHON: Final = "3.13"
"""What the runner of a Node job runs on."""


class DeployedNode:
    """Node, as `devbridge.languages.base.Deployed`."""

    def build(self, runtime: str, architecture: str, image: str | None) -> Build:
        """See `Deployed.build`: AWS's base images for Node have no Python for the runner."""
        del architecture
        variables = {RUNTIME: runtime}
        if image:
            return Build(image, variables=variables)
        versions = {"nodejs": RUNTIMES[runtime].version, "python": _PYTHON}
        return Build("", versions, variables)

    def image(self, runtime: str, image: str | None) -> Build:
        """See `Deployed.image`: Docker's own image, as AWS mirrors it; Debian's has Python, too."""
        own = f"public.ecr.aws/docker/library/node:{RUNTIMES[runtime].version}-bookworm"
        return Build(image or own, variables={RUNTIME: runtime})

    def function_variables(self, esbuild: Mapping[str, Any]) -> Mapping[str, str]:
        """See `Deployed.function_variables`: AWS's runtime reads source maps only when it is told
        to, and a trace without them names lines of the bundle."""
        if esbuild.get("sourcemap", True) is False:
            return {}
        return {"NODE_OPTIONS": "--enable-source-maps"}
