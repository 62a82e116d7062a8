"""Who may call a job's invoker, or a function, by itself."""

from __future__ import annotations

from typing import Any

from devbridge.constructs.owners import Owner
from devbridge.deploy.references import ref
from devbridge.deploy.synth import permissions
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.called import called


def permit(stack: Stack, owner: Owner, title: str, service: str, source: Any) -> str:
    """Let a service of AWS call a job's invoker, or a function; the title of the permission.

    Args:
        title: of what it calls it for.
        source: the ARN of what of the service's may; of this account only.
    """
    function, principal = ref(called(owner)), f"{service}.amazonaws.com"
    own = f"{title}Permission"
    return permissions.permit(stack, str(owner), own, function, principal, source, own=True)
