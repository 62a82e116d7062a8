"""What hands events to whoever has a rule for them: EventBus."""

from __future__ import annotations

from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.existing import Arn, Existing
from devbridge.constructs.references import Reference


def _existing_bus(app: App, name: str, *, arn: str) -> EventBus:
    """A bus that exists, of the stage's own account and region, such as the one that has AWS's own
    events: nothing of it is made, changed or removed.

    Args:
        arn: ``arn:aws:events:REGION:ACCOUNT:event-bus/NAME``.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "EventBus", name, arn)
    bus = EventBus(app, name)
    bus.known = {"arn": it.text, "bus_name": it.name}
    return bus


class EventBus(Bindable):
    """An event bus of EventBridge, for events of the app's own.

    Args:
        transform: called with its `troposphere.events.EventBus`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(self, app: App, name: str, *, transform: Transform | None = None) -> None:
        super().__init__(app, name, transform=transform)
        self.register()

    existing = Existing(_existing_bus)

    @property
    def arn(self) -> Reference:
        """The deployed bus's ARN."""
        return Reference(self, "arn")

    @property
    def bus_name(self) -> Reference:
        """The deployed bus's name."""
        return Reference(self, "bus_name")
