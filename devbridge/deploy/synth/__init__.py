"""Synth: the app becomes a CloudFormation template. Pure but for the slow import of troposphere.

A job is what runs it (see `compute`) with its role, and an invoker. On a stage of `devbridge dev`
there is nothing that runs it (but its role is the real one) and the invoker is the stub, unless the
job runs in the cloud there too. The template is deterministic, and holds nothing that changes when
the embedded cloud is started again on another port.
"""

from __future__ import annotations

from devbridge.deploy.synth.compute.parts import job_variables
from devbridge.deploy.synth.placement import has_invoker, in_cloud
from devbridge.deploy.synth.stack import Assets, Settings, Template

__all__ = [
    "Assets",
    "Settings",
    "Template",
    "has_invoker",
    "in_cloud",
    "job_variables",
]
