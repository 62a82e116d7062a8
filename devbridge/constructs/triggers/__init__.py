"""What starts runs of a job by itself: messages, events, files, rows, the clock.

Triggers are plain data, as constructs are; `devbridge.deploy.synth.triggers` says what of AWS each
becomes, `stub_lambda.sources` what its records come as.
"""

from __future__ import annotations

from typing import Final

from devbridge.constructs.triggering import Trigger, checked_triggers
from devbridge.constructs.triggers.balancer import OnLoadBalancer
from devbridge.constructs.triggers.event import OnEvent
from devbridge.constructs.triggers.log import OnLog
from devbridge.constructs.triggers.objects import OnObject
from devbridge.constructs.triggers.queue import OnQueue
from devbridge.constructs.triggers.request import OnRequest
from devbridge.constructs.triggers.schedule import Schedule
from devbridge.constructs.triggers.stream import OnStream
from devbridge.constructs.triggers.table import OnTable
from devbridge.constructs.triggers.topic import OnTopic

KINDS: Final = tuple(
    trigger.kind
    for trigger in (
        OnQueue,
        OnTopic,
        OnObject,
        OnEvent,
        Schedule,
        OnStream,
        OnTable,
        OnLog,
        OnRequest,
        OnLoadBalancer,
    )
)
"""What kinds of triggers there are."""

__all__ = [
    "KINDS",
    "OnEvent",
    "OnLoadBalancer",
    "OnLog",
    "OnObject",
    "OnQueue",
    "OnRequest",
    "OnStream",
    "OnTable",
    "OnTopic",
    "Schedule",
    "Trigger",
    "checked_triggers",
]
