"""synth -> package -> plan -> execute: an app becomes a CloudFormation stack.

The only place that creates AWS resources. `deploy` does it all; `outputs` and `remove` go with it.
"""

from __future__ import annotations

from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.facade import Deployed, deploy, outputs, remove
from devbridge.deploy.load import load_app

__all__ = [
    "Access",
    "Deployed",
    "OnProgress",
    "Progress",
    "deploy",
    "load_app",
    "outputs",
    "remove",
]
