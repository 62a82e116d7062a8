"""synth -> package -> plan -> execute: an app becomes a CloudFormation stack.

The only place that creates AWS resources. `deploy` does it all; what is there afterwards is asked
for with the others; `devbridge.deploy.remove` takes it away.
"""

from __future__ import annotations

from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.stage import (
    Deployed,
    check_naming,
    deploy,
    diff,
    environment,
    lacking,
    outputs,
    require_naming,
    stack_values,
    stage_mode,
    synthesize,
)
from devbridge.names import Mode

__all__ = [
    "Access",
    "Deployed",
    "Mode",
    "OnProgress",
    "Progress",
    "check_naming",
    "deploy",
    "diff",
    "environment",
    "lacking",
    "outputs",
    "require_naming",
    "stack_values",
    "stage_mode",
    "synthesize",
]
