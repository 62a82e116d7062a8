"""One row for each kind of trigger: how it is sent what it listens to, and what its job's invoker
is then called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs import Trigger
from devbridge.messages import asking, rows, samples, sending
from devbridge.messages.chosen import Content
from devbridge.messages.samples import Json, Sample
from devbridge.messages.sending import Sender, Sent


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a kind."""

    send: Callable[[Sender, Sample], Sent]
    """Sends it once.

    Raises:
        NotDeployed: the stage has not what it is sent to.
        CloudError: AWS has not taken it.
        PayloadError: it would start nothing.
        ClientError, BotoCoreError: it cannot be sent.
    """
    event: Callable[[Sample], Json]
    """What the invoker is called with; of records, one of them."""
    alone: bool = False
    """Each is a call of its own, and waits nowhere while nobody is there."""
    checked: bool = True
    """The handler's payload is what was sent."""


KINDS: Final[Mapping[str, Kind]] = {
    "queue": Kind(sending.queue, samples.queue),
    "topic": Kind(sending.topic, samples.in_inbox(samples.notification)),
    "object": Kind(sending.object_, samples.in_inbox(samples.object_), checked=False),
    "event": Kind(
        sending.event,
        samples.in_inbox(lambda sample: samples.delivered(sample, samples.event_of(sample))),
    ),
    "schedule": Kind(sending.schedule, samples.in_inbox(samples.scheduled)),
    "stream": Kind(sending.stream, samples.stream),
    "table": Kind(rows.table, samples.table, checked=False),
    "log": Kind(sending.log, samples.log, alone=True, checked=False),
    "request": Kind(asking.request, samples.request, alone=True),
    "load-balancer": Kind(asking.load_balancer, samples.load_balancer, alone=True),
}


def send(sender: Sender, trigger: Trigger, content: Content) -> Sent:
    """Send it to a trigger once. See `Kind.send`."""
    return KINDS[trigger.kind].send(sender, sender.sample(trigger, content))


def raw(found: Sequence[Sample]) -> Json:
    """The event of one call of the invoker that brings all these, of one trigger; where each is a
    call of its own, the first."""
    kind = KINDS[found[0].trigger.kind]
    return kind.event(found[0]) if kind.alone else {"Records": [kind.event(each) for each in found]}


def waits(trigger: Trigger) -> bool:
    """Whether what is sent waits for who starts the job."""
    return not KINDS[trigger.kind].alone


def is_checked(trigger: Trigger) -> bool:
    """Whether the handler's payload is what is sent."""
    return KINDS[trigger.kind].checked
