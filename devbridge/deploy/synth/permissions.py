"""Who may call a function by itself: the permissions of its own policy."""

from __future__ import annotations

from typing import Any

from devbridge.deploy.references import ref
from devbridge.deploy.synth.stack import Stack


def permit(
    stack: Stack,
    label: str,
    title: str,
    function: Any,
    principal: str,
    source: Any,
    *,
    own: bool = False,
) -> str:
    """Let a service of AWS call a function; the title of the permission.

    Args:
        function: its name or ARN.
        principal: ``sns.amazonaws.com``
        source: the ARN of what of the service's may.
        own: of this account only, where the ARN does not say it.
    """
    from troposphere import awslambda

    permission = awslambda.Permission(
        title,
        Action="lambda:InvokeFunction",
        FunctionName=function,
        Principal=principal,
        SourceArn=source,
    )
    if own:
        permission.SourceAccount = ref("AWS::AccountId")
    return stack.add(label, permission)
