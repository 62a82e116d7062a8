"""Functions that run on the laptop: what has their name in the cloud is a stub.

Routes, triggers and permissions are the function's own, and so is the role. The deployed code, for
when nobody is at home, is a function beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Function, OnQueue
from devbridge.deploy.policies import Json, allow, logs_of
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth.bridge import bridge
from devbridge.deploy.synth.placement import function_policy, has_code, is_live
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.deploy.synth.triggers.wanted import hidden
from devbridge.protocol.messages import Topics

STUB_HANDLER: Final = "stub_lambda/function.handler"
LOGS: Final = "FunctionStubLogs"
LOG_DAYS: Final = 14
ROLE: Final = "FunctionRole"
"""The output with the ARN of a live function's role."""
_LONGEST: Final = 900
"""Seconds that Lambda lets a function have."""
_CONNECTING: Final = 10
"""Seconds on top of the function's own, for a stub that has yet to connect."""


def add_shared(stack: Stack, functions: Sequence[Function]) -> None:
    """Add what stubs share: a log group, for what they say of themselves."""
    if any(is_live(function, stack.settings) for function in functions):
        group = names.stubs_log_group(stack.app.name, stack.stage)
        key = stack.app.encryption_key
        stack.add_log_group("the stubs of functions", LOGS, group, LOG_DAYS, key)


def grants(stack: Stack, function: Function) -> list[Json]:
    """What the role of a live function needs for its stub."""
    topics = Topics(stack.app.name, stack.stage)
    objects = arn("s3", f"{stack.assets.bucket}/{topics.call_keys}*")
    found = [
        *bridge(stack, topics.calls),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [objects]),
        logs_of(LOGS),
    ]
    if has_code(function, stack.settings):
        copy = names.function_copy(function, stack.stage)
        found.append(allow(["lambda:InvokeFunction"], [arn("lambda", f"function:{copy}")]))
    return found


def stub_of(stack: Stack, function: Function, role: str) -> Any:
    """The function's stub."""
    from troposphere import awslambda

    settings = stack.settings
    environment = {
        "DEVBRIDGE_APP": stack.app.name,
        "DEVBRIDGE_STAGE": stack.stage,
        "DEVBRIDGE_FUNCTION_NAME": function.name,
        "DEVBRIDGE_IOT_ENDPOINT": settings.iot_host,
        "DEVBRIDGE_OFFLINE": function_policy(function, settings),
        "DEVBRIDGE_BUCKET": stack.assets.bucket,
        "DEVBRIDGE_TIMEOUT": f"{function.timeout.total_seconds():g}",
    }
    if has_code(function, settings):
        environment["DEVBRIDGE_COPY"] = names.function_copy(function, stack.stage)
    resource = awslambda.Function(
        names.logical(function),
        FunctionName=names.function(function, stack.stage),
        Description=f"forwards to devbridge dev what is for function {function.name}",
        Runtime=f"python{settings.python}",
        Handler=STUB_HANDLER,
        Code=stack.assets.code(stack.assets.function_stub),
        Role=arn_of(role),
        Timeout=_timeout(function),
        MemorySize=256,
        LoggingConfig=awslambda.LoggingConfig(LogGroup=ref(LOGS)),
        Environment=checked_environment(function, environment),
    )
    if function.encryption_key:
        resource.KmsKeyArn = function.encryption_key
    return resource


def _timeout(function: Function) -> int:
    """Seconds. What reads a queue may not take longer than its messages are hidden (Lambda, API,
    CreateEventSourceMapping); for how long that is of a queue that exists, is not known."""
    own = math.ceil(function.timeout.total_seconds())
    queues = [trigger.queue for trigger in function.triggers if isinstance(trigger, OnQueue)]
    most = [own if queue.known else int(hidden(queue).total_seconds()) for queue in queues]
    return max(own, min(_LONGEST, own + _CONNECTING, *most))
