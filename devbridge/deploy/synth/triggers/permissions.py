"""Who may call a job's invoker by itself."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.references import ref
from devbridge.deploy.synth import permissions
from devbridge.deploy.synth.stack import Stack


def permit(stack: Stack, job: Job, title: str, service: str, source: Any) -> str:
    """Let a service of AWS call a job's invoker; the title of the permission.

    Args:
        title: of what it calls it for.
        source: the ARN of what of the service's may; of this account only.
    """
    invoker, principal = ref(names.logical(job, "Invoker")), f"{service}.amazonaws.com"
    own = f"{title}Permission"
    return permissions.permit(stack, str(job), own, invoker, principal, source, own=True)
