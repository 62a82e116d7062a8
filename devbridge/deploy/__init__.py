"""synth -> package -> plan -> execute: an app becomes a CloudFormation stack.

The only place that creates AWS resources. `deploy` does it all; what is there afterwards is asked
for with the others; `devbridge.deploy.remove` takes it away. Each is imported when it is used: most
commands ask for what is deployed, and would wait for all that deploys.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from devbridge.deploy.access import Progress
    from devbridge.deploy.assets import lacking
    from devbridge.deploy.deployed import (
        check_naming,
        outputs,
        require_naming,
        resources,
        stack_values,
        stage_mode,
    )
    from devbridge.deploy.request import Request
    from devbridge.deploy.specs import environment
    from devbridge.deploy.stage import Deployed, deploy, diff, synthesize

__all__ = [
    "Deployed",
    "Progress",
    "Request",
    "check_naming",
    "deploy",
    "diff",
    "environment",
    "lacking",
    "outputs",
    "require_naming",
    "resources",
    "stack_values",
    "stage_mode",
    "synthesize",
]
_MODULES: Final = {
    "Deployed": "stage",
    "Progress": "access",
    "Request": "request",
    "check_naming": "deployed",
    "deploy": "stage",
    "diff": "stage",
    "environment": "specs",
    "lacking": "assets",
    "outputs": "deployed",
    "require_naming": "deployed",
    "resources": "deployed",
    "stack_values": "deployed",
    "stage_mode": "deployed",
    "synthesize": "stage",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
