"""What carries messages: Queue and Topic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.existing import Arn, Existing
from devbridge.constructs.references import Reference
from devbridge.constructs.storage import Removal
from devbridge.constructs.values import Duration
from devbridge.sources.base import Problem

RECEIVES: Final = 3
"""How often a message is received before its dead-letter queue gets it, where nobody says."""
SUBSCRIBERS: Final = (
    "an e-mail address, an https:// URL, a Queue or a Function of this app, each of them once"
)
_MAIL: Final = re.compile(
    r"(?=.{3,254}\Z)[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]+\.)+[A-Za-z]{2,}", re.ASCII
)
"""What has the shape of one; whether there is such a mailbox, the confirmation finds out."""
_URL: Final = re.compile(r"https://[\w.-]+(:\d{1,5})?(/[^\s#]*)?", re.ASCII)


def _existing_queue(app: App, name: str, *, arn: str, encryption_key: str | None = None) -> Queue:
    """A queue that exists, of the stage's own region: nothing of it is made, changed or removed.

    Args:
        arn: ``arn:aws:sqs:REGION:ACCOUNT:NAME``. A queue of another account must admit who uses it
            in a policy of its own.
        encryption_key: the ARN of the KMS key that encrypts it, which its users may use then.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "Queue", name, arn)
    queue = Queue(app, name, fifo=it.name.endswith(".fifo"), encryption_key=encryption_key)
    queue.encryption_key = encryption_key
    queue.known = {"arn": it.text, "queue_url": it.queue_url, "queue_name": it.name}
    return queue


class Queue(Bindable):
    """An SQS queue, encrypted, and closed to what is not TLS.

    Args:
        fifo: in order and exactly once, at a lower rate.
        visibility_timeout: how long a received message is hidden from others, 0 seconds to 12
            hours; by default 30 seconds, or 60 where a job is triggered by it.
        retention: how long a message is kept, 60 seconds to 14 days.
        dead_letter: the queue for messages that were received `max_receives` times and not
            deleted; a FIFO queue needs a FIFO one, a standard queue a standard one.
        max_receives: 1 to 1000; by default 3, or, of a queue that keeps its messages until their
            runs have succeeded, the job's `retries` and one.
        removal: as for Table.
        encryption_key: as for Table.
        transform: called with its `troposphere.sqs.Queue`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        fifo: bool = False,
        visibility_timeout: Duration | None = None,
        retention: Duration = "4 days",
        dead_letter: Queue | None = None,
        max_receives: int | None = None,
        removal: Removal | None = None,
        encryption_key: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        self.fifo = self.flag("fifo", fifo)
        hidden = None
        if visibility_timeout is not None:
            hidden = values.whole_seconds(visibility_timeout, values.VISIBILITY_TIMEOUT)
        if hidden is None and visibility_timeout is not None:
            raise self.invalid(
                "visibility_timeout", visibility_timeout, "0 seconds to 12 hours, whole seconds"
            )
        kept = values.whole_seconds(retention, values.RETENTION)
        if kept is None:
            raise self.invalid("retention", retention, "60 seconds to 14 days, whole seconds")
        if dead_letter is not None and (
            not isinstance(dead_letter, Queue) or dead_letter.app is not app
        ):
            raise self.invalid("dead_letter", dead_letter, "a Queue of this app, or None")
        if dead_letter is not None and dead_letter.fifo != fifo:
            raise self.invalid("dead_letter", dead_letter, f"a Queue with fifo={fifo}, as its own")
        if max_receives is not None and (
            type(max_receives) is not int or not 1 <= max_receives <= 1000
        ):
            allowed = "a whole number from 1 to 1000, or None"
            raise self.invalid("max_receives", max_receives, allowed)
        self.choice("removal", removal, values.REMOVALS)
        self.encryption_key = self.key_of(encryption_key)
        self.visibility_timeout = hidden
        self.retention = kept
        self.dead_letter = dead_letter
        self.max_receives = max_receives
        self.removal = removal
        self.register()

    existing = Existing(_existing_queue)

    @property
    def arn(self) -> Reference:
        """The deployed queue's ARN."""
        return Reference(self, "arn")

    @property
    def queue_url(self) -> Reference:
        """The deployed queue's URL."""
        return Reference(self, "queue_url")

    @property
    def queue_name(self) -> Reference:
        """The deployed queue's name."""
        return Reference(self, "queue_name")


def _existing_topic(app: App, name: str, *, arn: str, encryption_key: str | None = None) -> Topic:
    """A topic that exists: nothing of it is made, changed or removed.

    Args:
        arn: ``arn:aws:sns:REGION:ACCOUNT:NAME``. A topic of another account must admit who uses it
            in its policy.
        encryption_key: as for Queue.existing.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "Topic", name, arn)
    topic = Topic(app, name, fifo=it.name.endswith(".fifo"), encryption_key=encryption_key)
    topic.encryption_key = encryption_key
    topic.known = {"arn": it.text, "topic_arn": it.text}
    return topic


class Topic(Bindable):
    """An SNS topic, to which is published over TLS only.

    Args:
        fifo: in order and exactly once; only SQS queues can subscribe.
        subscribers: who gets the messages: e-mail addresses, ``https://`` URLs, Queues, Functions.
            A queue gets SNS's own envelope, with the message as a text in it. To an address or URL
            nothing comes before its owner has confirmed what SNS sends there.
        encryption_key: as for Table. AWS's own services, CloudWatch's alarms too, publish to it
            only if the key's policy admits them.
        transform: called with its `troposphere.sns.Topic`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        fifo: bool = False,
        subscribers: Sequence[Subscriber] = (),
        encryption_key: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        self.encryption_key = self.key_of(encryption_key)
        self.fifo = self.flag("fifo", fifo)
        if problem := subscribers_problem(self, subscribers):
            raise self.refused("subscriber", problem)
        self.subscribers = tuple(subscribers)
        self.register()

    existing = Existing(_existing_topic)

    @property
    def arn(self) -> Reference:
        """The deployed topic's ARN."""
        return Reference(self, "arn")


Subscriber = str | Bindable
"""Who gets a topic's messages: an e-mail address, an ``https://`` URL, a Queue, a Function."""
_KINDS: Final = ("Queue", "Function")
"""By their names: functions are above messaging, for their triggers name topics."""


def is_mail(subscriber: object) -> bool:
    """Whether it has the shape of an e-mail address."""
    return isinstance(subscriber, str) and bool(_MAIL.fullmatch(subscriber))


def subscribers_problem(topic: Topic, subscribers: object) -> Problem | None:
    """The first of a topic's subscribers that SNS would not deliver to, and what it would.

    Source: SNS, "Message delivery for FIFO topics": they deliver to queues only; and to FIFO
    queues, only they do.
    """
    if not isinstance(subscribers, Sequence) or isinstance(subscribers, str):
        return repr(subscribers), f"a list of what is {SUBSCRIBERS}"
    for place, one in enumerate(subscribers):
        if isinstance(one, str):
            known = is_mail(one) or bool(_URL.fullmatch(one))
        else:
            known = isinstance(one, Bindable) and one.app is topic.app and one.type in _KINDS
        if not known or one in subscribers[:place]:
            return repr(one), SUBSCRIBERS
        if topic.fifo and not isinstance(one, Queue):
            return repr(one), "queues only, with fifo=True"
        if not topic.fifo and isinstance(one, Queue) and one.fifo:
            return repr(one), "with a FIFO queue, a Topic with fifo=True"
    return None
