"""synth -> package -> plan -> execute: an app becomes a CloudFormation stack.

The only place that creates AWS resources. `deploy` does it all; what is there afterwards is asked
for with the others; `devbridge.deploy.remove` takes it away.
"""

from __future__ import annotations

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
