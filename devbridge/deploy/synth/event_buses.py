"""Event buses of EventBridge."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import EventBus
from devbridge.deploy.synth.stack import Stack


def add_event_bus(stack: Stack, bus: EventBus) -> None:
    """Add a bus."""
    from troposphere import events

    title = names.logical(bus)
    stack.add_main(bus, events.EventBus(title, Name=names.event_bus(bus, stack.stage)))
