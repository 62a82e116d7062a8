"""Who is told that messages pile up: Alarm and CompositeAlarm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct, Transform
from devbridge.constructs.dead_letters import DeadLetters
from devbridge.constructs.messaging import Queue, Topic
from devbridge.constructs.values import Duration
from devbridge.durations import spelled
from devbridge.sources.base import Problem

Metric = Literal["age", "messages"]
METRICS: Final = ("age", "messages")
AGE: Final = (timedelta(minutes=1), values.RETENTION[1])
_PERIOD: Final = (timedelta(minutes=1), timedelta(days=1))
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_SHORT, _LONG = timedelta(days=1), timedelta(days=7)
"""How long all periods together may be: of periods below an hour, and of others."""
_ACTIONS: Final = 5
"""Of a state (API, PutMetricAlarm)."""
_CHILDREN: Final = 100
"""Of a composite alarm (API, PutCompositeAlarm)."""


class Alarm(Construct):
    """A CloudWatch alarm: a queue's oldest message is too old, or it has too many messages.

    It is on as soon as what is measured reaches the threshold in each of the last `periods`; a
    queue that nobody has used for six hours tells CloudWatch nothing, which counts as empty.

    Args:
        queue: mostly a dead-letter queue: a Queue, or the one that is made for a job,
            ``job.dead_letters``.
        metric: "messages": how many wait to be received; "age": how long the oldest has been in
            the queue; in a dead-letter queue since it has come there.
        threshold: a number of messages, or with "age" a duration from 1 minute to 14 days.
        periods: how many in a row.
        period: whole minutes, up to 1 day; together with `periods` at most 1 day, and of whole
            hours 7 days.
        notify: topics that CloudWatch publishes to when the alarm goes on; at most 5, no FIFO ones.
        transform: called with its `troposphere.cloudwatch.Alarm`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        queue: Queue | DeadLetters,
        metric: Metric = "messages",
        threshold: int | Duration = 1,
        periods: int = 1,
        period: Duration = "1 minute",
        notify: Sequence[Topic] = (),
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if not isinstance(queue, Queue | DeadLetters) or queue.app is not app:
            raise self.invalid("queue", queue, "a Queue of this app, or job.dead_letters")
        if metric not in METRICS:
            raise self.invalid("metric", metric, " or ".join(map(repr, METRICS)))
        if problem := notify_problem(app, notify):
            raise self.refused("notify", problem)
        self.queue = queue
        self.metric: Metric = metric
        self.threshold = self._threshold(threshold)
        """Messages, or seconds."""
        self.period = self._period(period, periods)
        self.periods = periods
        self.notify = tuple(notify)
        self.register()

    def _threshold(self, given: object) -> int:
        found = threshold(self.metric, given)
        if found is None:
            allowed = "with metric='messages', a whole number from 1 on"
            if self.metric == "age":
                allowed = "with metric='age', 1 minute to 14 days, e.g. '1 hour'"
            raise self.invalid("threshold", given, allowed)
        if allowed := too_old(self.metric, found, self.queue):
            raise self.invalid("threshold", given, allowed)
        return found

    def _period(self, period: object, periods: object) -> timedelta:
        found = values.whole_seconds(period, _PERIOD)
        if found is None or found % _MINUTE:
            raise self.invalid("period", period, "1 minute to 1 day, whole minutes")
        most = (_LONG if found >= _HOUR else _SHORT) // found
        if type(periods) is not int or not 1 <= periods <= most:
            raise self.invalid("periods", periods, f"a whole number from 1 to {most}")
        return found


class CompositeAlarm(Construct):
    """A CloudWatch alarm that is on while any, or all, of other alarms are: one message where there
    would be many. Those need no `notify` of their own.

    Args:
        any: alarms, one of which is enough.
        all: alarms that must all be on. Give one of the two.
        notify: as for Alarm.
        transform: called with its `troposphere.cloudwatch.CompositeAlarm`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        any: Sequence[Alarm | CompositeAlarm] = (),
        all: Sequence[Alarm | CompositeAlarm] = (),
        notify: Sequence[Topic] = (),
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        self.alarms = (*self._checked("any", any), *self._checked("all", all))
        if bool(any) == bool(all):
            raise self.invalid("any", any, "alarms in `any` or in `all`, and not in both")
        if len(self.alarms) > _CHILDREN:
            raise self.invalid("any" if any else "all", self.alarms, f"at most {_CHILDREN} alarms")
        if problem := notify_problem(app, notify):
            raise self.refused("notify", problem)
        self.each = bool(all)
        """Whether all of them must be on."""
        self.notify = tuple(notify)
        self.register()

    def _checked(self, what: str, alarms: Any) -> tuple[Alarm | CompositeAlarm, ...]:
        allowed = "a list of alarms of this app, each of them once"
        if not isinstance(alarms, Sequence) or isinstance(alarms, str):
            raise self.invalid(what, alarms, allowed)
        for place, one in enumerate(alarms):
            known = isinstance(one, Alarm | CompositeAlarm) and one.app is self.app
            if not known or one in alarms[:place]:
                raise self.invalid(what, one, allowed)
        return tuple(alarms)


def threshold(metric: Metric, given: object) -> int | None:
    """A threshold in messages or, of an age, in seconds; None: it is not allowed."""
    if metric == "messages":
        return given if type(given) is int and given >= 1 else None
    age = values.whole_seconds(given, AGE)
    return None if age is None else int(age.total_seconds())


def too_old(metric: Metric, found: int, queue: Queue | DeadLetters) -> str:
    """What a queue allows in place of a threshold that none of its messages reaches; "" if some
    do."""
    known = isinstance(queue, Queue) and queue.known
    if metric == "messages" or known or found < queue.retention.total_seconds():
        return ""
    kept = spelled(queue.retention)
    return f"less than {kept}, the retention of {queue}, when messages are gone"


def notify_problem(app: App, notify: object) -> Problem | None:
    """The first of an alarm's topics that CloudWatch would not publish to, and what it would."""
    allowed = f"a list of at most {_ACTIONS} topics of this app, each of them once"
    if not isinstance(notify, Sequence) or isinstance(notify, str) or len(notify) > _ACTIONS:
        return repr(notify), allowed
    for place, topic in enumerate(notify):
        if not isinstance(topic, Topic) or topic.app is not app or topic in notify[:place]:
            return repr(topic), allowed
        if topic.fifo:
            return repr(topic), "a Topic with fifo=False: alarms publish to no others"
    return None
