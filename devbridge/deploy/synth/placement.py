"""Where jobs run: what of a job is in the cloud, on which kind of stage. Pure."""

from __future__ import annotations

from devbridge.constructs import Job
from devbridge.deploy.synth.stack import Settings


def in_cloud(job: Job, settings: Settings) -> bool:
    """Whether the cloud can run the job: on a deployed stage, or where the laptop may not."""
    return has_invoker(job, settings) or offline_policy(job, settings) == "cloud"


def has_invoker(job: Job, settings: Settings) -> bool:
    """Whether the job is invoked in the cloud, and never through the stub."""
    return settings.mode == "deployed" or not job.live


def offline_policy(job: Job, settings: Settings) -> str:
    """What the job's stub does when no daemon is connected: queue, error or cloud."""
    return job.offline or settings.offline
