"""Messages that a queue hands to the function of a job: each is a run, and deleted when that has
succeeded.

The function's answer names the messages that have not: Lambda leaves them in their queue. They come
again after the job's delay, as often as the queue's redrive policy says. Each delivery is a run of
its own, with one attempt; the same delivery, should Lambda repeat it, is the same run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from runner import aws
from runner.attempt import Inbox, Output
from runner.claims import Claim, Place, run_uuid
from runner.dead_letters import delivered
from runner.host.base import Window
from runner.host.hops import FunctionHost, run_here
from runner.host.lines import Lines
from runner.host.settings import Settings
from runner.host.store import Store
from runner.host.told import Told
from runner.messages import Listening, Read, earlier_keys, read_message, source_arn, together
from runner.outcome import CANCELLED, MAX_INLINE, STARTING, SUCCEEDED, retry_delay
from runner.places import Places
from runner.triggered import triggered

DONE = (SUCCEEDED, CANCELLED)
"""The ends of runs whose messages are not to come again."""
_LOOKED = 20
"""Earlier deliveries that are looked up: a queue that was there before may deliver without end."""


class Claiming(Protocol):
    """What is to run a delivery."""

    def claim(self) -> bool:
        """Make the run this one's; False if it has been before."""
        ...


@dataclass(frozen=True)
class Delivery:
    """One message, or several that are one run."""

    read: Read
    records: Sequence[Mapping[str, Any]]
    event: Any
    """As the handler gets it."""

    @property
    def body(self) -> bytes:
        """The payload of the run."""
        return self.read.wrapped(self.event)


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run what has come; the answer names the messages that are to come again."""
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    left: list[Mapping[str, Any]] = []
    for number, one in enumerate(deliveries(event["Records"])):
        if not _run(one, context, deadline, first=not number):
            left += one.records
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in left]}


def deliveries(records: Sequence[Mapping[str, Any]]) -> list[Delivery]:
    """The runs that messages of one queue ask for."""
    listening = Listening.from_environment()
    read = [read_message(record, listening) for record in records]
    if listening.together(source_arn(records[0])):
        return [Delivery(together(read), records, {"Records": records})]
    return [Delivery(each, [record], record) for each, record in zip(read, records, strict=True)]


def _run(one: Delivery, context: Any, deadline: float, *, first: bool) -> bool:
    """Run one; whether its message is done with."""
    settings, environment = settings_of(one.read)
    lines = Lines(Output(), settings.run_id)
    try:
        if not first and deadline - time.time() < settings.timeout:
            lines.say("Waits", "those before it have taken the function's time")
            come_again(one, lines, 0)
            return False
        host = DeliveryHost(settings, environment, one, context, deadline)
        if (done := taken(one, settings, host, context.aws_request_id, lines)) is not None:
            return done
        end, run = run_here(settings, host, Inbox(), lines, environment)
    except aws.AwsError as error:
        lines.warn(f"its message comes again: {error}")
        return False
    if end.state in DONE or run.given_up:
        return True
    # The last time, too: a queue that was there before may have no dead-letter queue.
    come_again(one, lines, round(retry_delay(settings.retry_delay, one.read.delivery)))
    return False


def taken(
    one: Delivery, settings: Settings, host: Claiming, ran_by: str, lines: Lines
) -> bool | None:
    """Make a delivery this host's. None: it is; else nothing is left to do, and the answer is
    whether its message is done with.

    Args:
        ran_by: what the provider calls that which runs it.

    Raises:
        AwsError: that cannot be known, or written.
    """
    if _done_before(one, settings):
        lines.say("Again", "nothing is left to do: an earlier delivery of it has succeeded")
        return True
    _enter(settings, one.body, ran_by)
    if host.claim():
        return None
    lines.say("Again", "nothing is left to do: this delivery has been before")
    return _is_done(Store(settings))


def _done_before(one: Delivery, settings: Settings) -> bool:
    """Whether the run of an earlier delivery is done: the function was killed before it could say
    so.

    Raises:
        AwsError: that cannot be known.
    """
    found = triggered(one.body)
    for key in earlier_keys(found)[:_LOOKED] if found else ():
        uuid = run_uuid(settings.app, settings.stage, settings.job, key)
        if _is_done(Store(replace(settings, run_id=f":{uuid}"))):
            return True
    return False


def _is_done(store: Store) -> bool:
    found = store.told()
    return found is not None and found[0].state in DONE


def come_again(one: Delivery, lines: Lines, delay: int) -> None:
    """Have the messages come again after so many seconds."""
    found = triggered(one.body)
    for message in delivered(found) if found else ():
        try:
            aws.hide_message(message.queue, message.receipt, delay)
        except aws.AwsError as error:
            lines.warn(f"its message comes again when its queue's visibility timeout ends: {error}")


def settings_of(read: Read) -> tuple[Settings, dict[str, str]]:
    """Of the run, with its environment."""
    given = os.environ
    app, stage, job = (given[f"DEVBRIDGE_{name}"] for name in ("APP", "STAGE", "JOB_NAME"))
    uuid = run_uuid(app, stage, job, read.run_key)
    environment = {
        **given,
        "DEVBRIDGE_RUN_ID": f"{given['DEVBRIDGE_PROJECT']}:{uuid}",
        "DEVBRIDGE_ONCE": "1",
    }
    key = Places(f"{app}/{stage}/{job}").payload(uuid)
    environment["DEVBRIDGE_PAYLOAD_KEY"] = key
    return Settings.read(environment), environment


def _enter(settings: Settings, body: bytes, request_id: str) -> None:
    """Write what an invoker writes of a run that it starts.

    Raises:
        AwsError: it cannot be written.
    """
    now, uuid, compute = time.time(), settings.uuid, os.environ["DEVBRIDGE_COMPUTE"]
    places, once = settings.places, {"if-none-match": "*"}
    # A lone surrogate, which JSON allows, is no text for AWS; escaped, it is the same JSON.
    body = body.decode("utf-8", "surrogatepass").encode("utf-8", "backslashreplace")
    _put(settings, settings.payload_key, body, secret=True)
    inline = body.decode() if settings.inline and len(body) <= MAX_INLINE else None
    at = "" if inline is not None else settings.payload_key
    claim = Claim(now, settings.attempts, compute, inline, at)
    try:
        _put(settings, places.claim(uuid), claim.body(), secret=inline is not None, **once)
    except aws.Conflict:
        return  # the same delivery has come before
    _put(settings, places.in_list(uuid, now), b"")
    _put(settings, places.place(uuid), Place(request_id, compute, now).body())


def _put(
    settings: Settings, key: str, body: bytes, *, secret: bool = False, **condition: str
) -> None:
    encryption_key = settings.key if secret else ""
    aws.put_object(settings.bucket, key, body, encryption_key=encryption_key, condition=condition)


class DeliveryHost(FunctionHost):
    """One delivery of a message: it has this invocation, and no other."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        one: Delivery,
        context: Any,
        deadline: float,
    ) -> None:
        super().__init__(settings, environment, {"hop": 0}, context, deadline)
        self.first = Told(STARTING, attempt=one.read.delivery)

    def window(self, timeout: float, spent: float) -> Window:
        """See `Host`: nothing goes on elsewhere."""
        found = super().window(timeout, spent)
        return Window(found.timeout, cut=found.cut)
