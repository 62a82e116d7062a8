"""How a job's invoker hears that a run has ended: from the provider itself, for a run that was
killed tells nobody."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.policies import Json
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.compute.known import COMPUTES, compute_of
from devbridge.deploy.synth.permissions import permit
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack


def add_endings(stack: Stack, job: Job) -> None:
    """Add the rule that hands the provider's events to the job's invoker."""
    from troposphere import events

    if not in_cloud(job, stack.settings):
        return
    if not (pattern := _pattern(stack, job)):
        return
    invoker = names.logical(job, "Invoker")
    rule = events.Rule(
        names.logical(job, "Ended"),
        Description=f"tells the invoker of job {job.name} how its runs end",
        EventPattern=pattern,
        State="ENABLED",
        Targets=[events.Target(Id="invoker", Arn=arn_of(invoker))],
    )
    title = stack.add(str(job), rule, job.tags)
    may = names.logical(job, "EndedMayInvoke")
    permit(stack, str(job), may, ref(invoker), "events.amazonaws.com", arn_of(title))


def _pattern(stack: Stack, job: Job) -> Json | None:
    """The events that the invoker hears of.

    Where runs wait for their turn, they wait for those too that had begun before `compute` was
    changed: nobody else would hand the turns of these on.
    """
    if not job.concurrency:
        return compute_of(job).ended(stack, job)
    return {"$or": [found for each in COMPUTES if (found := each.ended(stack, job))]}
