"""Images that jobs run in: those that they name, and the right to pull them. Pure."""

from __future__ import annotations

import re

from devbridge.constructs import Job
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import sub
from devbridge.deploy.synth.stack import Settings

_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^@:]+)")
"""An image of ECR: its account, region and repository."""
_PULL = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")


def own(job: Job, settings: Settings) -> str | None:
    """The image that a job names. The embedded cloud runs no images: it knows what AWS's own ones
    stand for."""
    return job.image if settings.tls else None


def pull(image: str) -> list[Json]:
    """What a role needs to run an image: nothing, unless ECR has it and it is private."""
    found = _PRIVATE.match(image)
    if not found:
        return []
    account, region, repository = found.groups()
    place = f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{repository}"
    return [
        allow(["ecr:GetAuthorizationToken"], ["*"]),
        allow([f"ecr:{action}" for action in _PULL], [sub(place)]),
    ]
