"""Images of containers: the right to pull them. Pure."""

from __future__ import annotations

import re

from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import sub

_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^@:]+)")
"""An image of ECR: its account, region and repository."""
_PULL = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")


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
