"""What AWS calls for a trigger: a job's invoker, or the function itself."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import Job
from devbridge.constructs.owners import Owner
from devbridge.deploy.synth.placement import has_invoker
from devbridge.deploy.synth.stack import Settings


def called(owner: Owner) -> str:
    """The title of the function that is called."""
    return names.logical(owner, "Invoker") if isinstance(owner, Job) else names.logical(owner)


def is_there(owner: Owner, settings: Settings) -> bool:
    """Whether something takes what comes, on that kind of stage, also while nobody runs `devbridge
    dev`."""
    return not isinstance(owner, Job) or has_invoker(owner, settings)


def what(owner: Owner) -> str:
    """What a trigger does: ``starts job thumbs``."""
    does = "starts job" if isinstance(owner, Job) else "calls function"
    return f"{does} {owner.name}"
