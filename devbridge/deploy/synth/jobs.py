"""Jobs: a place in the cloud to run, and an invoker in front of it."""

from __future__ import annotations

from devbridge.constructs import Job
from devbridge.deploy.synth.invoker import add_invoker
from devbridge.deploy.synth.project import add_project
from devbridge.deploy.synth.stack import Stack


def add_job(stack: Stack, job: Job) -> None:
    """Add all that one job is made of."""
    add_project(stack, job)
    add_invoker(stack, job)
