"""Jobs: a place in the cloud to run, and an invoker in front of it."""

from __future__ import annotations

from collections.abc import Sequence

from devbridge.constructs import Job
from devbridge.deploy.synth import later
from devbridge.deploy.synth.compute.known import compute_of, grouped
from devbridge.deploy.synth.endings import add_endings
from devbridge.deploy.synth.invoker import add_invoker, add_passing, add_roles
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.known import add_triggers
from devbridge.deploy.synth.turns import add_table


def add_shared(stack: Stack, jobs: Sequence[Job]) -> None:
    """Add what the jobs share: the invokers' roles, what hands turns on, and what is shared by
    those that run in the same place."""
    real = [job for job in jobs if in_cloud(job, stack.settings)]
    add_table(stack, real)
    later.add_shared(stack, jobs)
    add_roles(stack, jobs)
    for compute, own in grouped(real):
        compute.add_shared(stack, own)
    add_passing(stack, real)


def add_job(stack: Stack, job: Job) -> None:
    """Add all that one job is made of."""
    compute_of(job).add(stack, job)
    add_invoker(stack, job)
    add_endings(stack, job)
    add_triggers(stack, job)
