"""What becomes of events that a function has failed at, and nobody waits for the answer of."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import Function
from devbridge.deploy.references import ref
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues
from devbridge.deploy.synth.triggers.called import called


def add(stack: Stack, function: Function) -> None:
    """Add how often they are tried again, how old they may be, and where they go then; if the
    function has such triggers."""
    from troposphere import awslambda

    if not function.called_later:
        return
    told = awslambda.OnFailure(Destination=queues.dead_letters(function))
    config = awslambda.EventInvokeConfig(
        names.logical(function, "Tried"),
        FunctionName=ref(called(function)),
        Qualifier="$LATEST",
        MaximumRetryAttempts=function.retries,
        MaximumEventAgeInSeconds=int(function.max_age.total_seconds()),
        DestinationConfig=awslambda.DestinationConfig(OnFailure=told),
    )
    stack.add(str(function), config)
