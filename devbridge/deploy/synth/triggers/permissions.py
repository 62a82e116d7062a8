"""Who may call a job's invoker by itself."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.references import ref
from devbridge.deploy.synth.stack import Stack


def permit(stack: Stack, job: Job, title: str, service: str, source: Any) -> str:
    """Let a service of AWS call a job's invoker; the title of the permission.

    Args:
        title: of what it calls it for.
        source: the ARN of what of the service's may; of this account only.
    """
    from troposphere import awslambda

    permission = awslambda.Permission(
        f"{title}Permission",
        Action="lambda:InvokeFunction",
        FunctionName=ref(names.logical(job, "Invoker")),
        Principal=f"{service}.amazonaws.com",
        SourceArn=source,
        SourceAccount=ref("AWS::AccountId"),
    )
    return stack.add(str(job), permission)
