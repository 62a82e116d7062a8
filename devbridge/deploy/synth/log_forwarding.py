"""Log forwarding: a subscription filter for each log group, and what its target allows.

Sources: CloudWatch Logs, "Subscription filters" (a group has at most two; a function allows
``logs.amazonaws.com``, a Firehose stream needs a role that it can assume).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Function
from devbridge.constructs.log_targets import Target, log_targets
from devbridge.constructs.values import stream_arn
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth.permissions import permit
from devbridge.deploy.synth.stack import Stack
from devbridge.errors import InvalidValue

ROLE: Final = "LogForwardingRole"
SERVICE: Final = "logs.amazonaws.com"
ALL: Final = ""
"""The filter pattern that lets every record through."""


def add_log_forwarding(stack: Stack) -> None:
    """Add what forwards the logs of all groups that the stack has and that are to be forwarded.

    Raises:
        InvalidValue: a Function is not there, would be called for its own logs, or is named by its
            ARN.
    """
    from troposphere import logs

    groups = list(_groups(stack))
    streams = sorted({target for _, _, target in groups if stream_arn(target)}, key=str)
    if streams:
        _add_role(stack, [str(stream) for stream in streams])
    permitted: dict[Target, str] = {}
    for label, group, target in groups:
        forwarding = logs.SubscriptionFilter(
            f"{group}Forwarding",
            LogGroupName=ref(group),
            FilterPattern=ALL,
            DestinationArn=_arn(target),
        )
        if stream_arn(target):
            forwarding.RoleArn = arn_of(ROLE)
        else:
            if target not in permitted:
                permitted[target] = _add_permission(stack, target)
            # CloudWatch calls the function once, to see whether it may.
            forwarding.DependsOn = permitted[target]
        stack.add(label, forwarding)


def _groups(stack: Stack) -> Iterator[tuple[str, str, Target]]:
    """The log groups that are forwarded: whose each is, its id, and where to. A job that runs on a
    laptop only has none."""
    targets = log_targets(stack.app)
    for code, target in targets.of.items():
        _refuse_own(stack, str(code), target)
        if (group := names.logical(code, "Logs")) in stack.labels:
            yield str(code), group, target
    if (invokers := targets.invokers) is not None and "InvokerLogs" in stack.labels:
        _refuse_own(stack, repr(stack.app), invokers)
        yield "the invokers", "InvokerLogs", invokers


def _refuse_own(stack: Stack, whose: str, target: Target) -> None:
    """A function of the app's that is named by its ARN: whether it would be called for its own logs
    could not be told."""
    for function in stack.app.of_type(Function):
        own = f":function:{names.function(function, stack.stage)}"
        if isinstance(target, str) and (target.endswith(own) or f"{own}:" in target):
            raise InvalidValue(
                f"{whose}: log_forwarding {target!r} is {function}",
                where=str(function.where),
                remedy=f"name it: log_forwarding={function.name!r}",
            )


def _arn(target: Target) -> Any:
    return arn_of(names.logical(target)) if isinstance(target, Function) else target


def _own_groups(stack: Stack) -> Any:
    """All log groups of the stage: one permission for all, as a function's policy has 20 KB."""
    return arn("logs", f"log-group:/aws/*/{stack.app.name}_{stack.stage}_*")


def _add_permission(stack: Stack, target: Target) -> str:
    if isinstance(target, Function):
        title, label = names.logical(target, "LogsPermission"), str(target)
    else:
        title = f"LogsPermission{hashlib.sha256(target.encode()).hexdigest()[:8]}"
        label = "log forwarding"
    return permit(stack, label, title, _arn(target), SERVICE, _own_groups(stack), own=True)


def _add_role(stack: Stack, streams: list[str]) -> None:
    trusted: Json = {
        **trust(SERVICE),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
            "StringLike": {"aws:SourceArn": arn("logs", "*")},
        },
    }
    actions = ["firehose:PutRecord", "firehose:PutRecordBatch"]
    stack.role("log forwarding", ROLE, [trusted], [allow(actions, streams)])
