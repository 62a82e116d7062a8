"""Looks at the messages of a dead-letter queue, sends them back, deletes them.

By hand, not by SQS's StartMessageMoveTask: that moves all or nothing, and with new ids but without
our key, so that nobody could tell a message that was sent back twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from devbridge.messages.letters import Letter, letter

HIDDEN: Final = 30
"""Seconds that a received message is hidden from others, at most: it is given back before."""
_WAIT: Final = 1
"""Seconds that SQS is asked to look on all its servers."""
_AT_ONCE: Final = 10
"""Messages that one call of SQS takes."""
_NO_QUEUE: Final = ("NonExistentQueue", "QueueDoesNotExist")

Route = Callable[[Letter], "Back"]
"""How a message goes back; raises `NoWayBack`."""


@dataclass(frozen=True, slots=True)
class Back:
    """The way back of a message."""

    to: str
    """The name of the queue, or of the invoker."""
    send: Callable[[], object]
    """Raises `NoWayBack`."""


class NoWayBack(Exception):
    """A message cannot be sent back: it does not say where to, or names what is not the stage's,
    that queue is not there, or its run is not started."""


@dataclass(slots=True)
class Looked:
    """What was seen."""

    letters: list[Letter]
    more: bool
    """There may be others: the bound was reached, somebody else has them, or they are of a FIFO
    queue, of which SQS shows ten of each group."""


@dataclass(slots=True)
class Moved:
    """What has been sent back or deleted, and what has not."""

    ids: list[str] = field(default_factory=list)
    to: dict[str, int] = field(default_factory=dict)
    """How many by the queue's name."""
    kept: list[tuple[str, str]] = field(default_factory=list)
    """The ids of those that stay, and why."""


class Reader:
    """Receives the messages of one queue, each once. What is not deleted is there for others again
    when the block ends, however it does.

    A daemon that was killed may have sent the message of a run twice: the second one is passed
    over, and goes when the first one does.

    Args:
        sqs: botocore's client.
    """

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._held: dict[str, str] = {}
        self._seen: set[str] = set()
        self._first: dict[str, str] = {}
        """The id of the message that was seen first, by the key of letters."""
        self._copies: dict[str, list[str]] = {}
        """The ids of further ones, by the id of the first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()

    def __iter__(self) -> Iterator[Letter]:
        """Until none comes any more that was not seen."""
        while True:
            found = [letter(each) for each in self._receive()]
            self._held |= {each.id: each.receipt for each in found}
            new = [each for each in found if each.id not in self._seen]
            self._seen |= {each.id for each in new}
            yield from [each for each in new if not self._is_copy(each)]
            if not new:
                return

    def wanted(self, ids: Collection[str] | None) -> Iterator[Letter]:
        """Those with these ids, until all have come; None: all."""
        left = None if ids is None else set(ids)
        for found in self:
            if left is None or found.id in left:
                yield found
            if left is not None:
                left.discard(found.id)
                if not left:
                    return

    def delete(self, found: Letter) -> None:
        """Delete one that was received, and what of it is there twice."""
        for each in (found.id, *self._copies.pop(found.id, ())):
            self._delete(each)

    def copies(self) -> int:
        """How many of those that were seen, and not deleted, were there before."""
        return sum(map(len, self._copies.values()))

    def _delete(self, message: str) -> None:
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self._held[message])
        del self._held[message]

    def _is_copy(self, found: Letter) -> bool:
        first = self._first.setdefault(found.key, found.id) if found.run else found.id
        if first == found.id:
            return False
        if first in self._held:
            self._copies.setdefault(first, []).append(found.id)
        else:
            self._delete(found.id)
        return True

    def give_back(self) -> None:
        """Show to others what was received and not deleted."""
        receipts = list(self._held.values())
        self._held.clear()
        for start in range(0, len(receipts), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _AT_ONCE])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _receive(self) -> Sequence[dict[str, Any]]:
        found = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=HIDDEN,
            WaitTimeSeconds=_WAIT,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return found.get("Messages") or ()


def router(sqs: Any, inboxes: Sequence[str]) -> Route:
    """To queues: that which a message names, else the job's own.

    Args:
        inboxes: the URLs of the own queues of the jobs whose dead letters these are.
    """
    known: dict[str, str] = {}

    def route(found: Letter) -> Back:
        url = address(found)
        return Back(url.rpartition("/")[2], lambda: sqs.send_message(**found.back(url)))

    def address(found: Letter) -> str:
        if not (arn := found.source):
            if len(inboxes) != 1:
                raise NoWayBack("it does not say which queue it came from")
            return inboxes[0]
        if arn not in known:
            account, name = arn.split(":")[4:]
            try:
                asked = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
            except sqs.exceptions.ClientError as error:
                if error.response["Error"]["Code"].rpartition(".")[2] not in _NO_QUEUE:
                    raise
                raise NoWayBack(f"its queue {name} is not there any more") from None
            known[arn] = asked["QueueUrl"]
        return known[arn]

    return route


def count(sqs: Any, url: str) -> int:
    """About how many messages a queue has, those included that somebody looks at now."""
    kinds = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(kinds))["Attributes"]
    return sum(int(found.get(kind, 0)) for kind in kinds)


def look(sqs: Any, url: str, most: int) -> Looked:
    """The messages of a queue, the oldest first.

    Args:
        most: so many are enough.
    """
    letters: list[Letter] = []
    with Reader(sqs, url) as reader:
        for found in reader:
            letters.append(found)
            if len(letters) == most:
                break
        more = count(sqs, url) > len(letters) + reader.copies()
    letters.sort(key=lambda each: each.sent_at)
    return Looked(letters, more)


def redrive(
    sqs: Any,
    url: str,
    route: Route,
    wanted: Collection[str] | None,
    done: Moved,
    *,
    dry_run: bool = False,
    told: Callable[[], None] = lambda: None,
) -> None:
    """Send messages back to where they came from, and delete them here. One that is sent and, as we
    are killed, not deleted, starts no second run when it is sent once more.

    Args:
        wanted: their ids; None: all.
        done: is told what was done.
        dry_run: do neither.
        told: is called after each.
    """
    keys: set[str] = set()
    with Reader(sqs, url) as reader:
        for found in reader.wanted(wanted):
            if found.redriven in keys:
                continue  # it has failed again meanwhile: once is what was asked for
            try:
                back = route(found)
                if not dry_run:
                    keys.add(found.key)
                    back.send()
            except NoWayBack as error:
                done.kept.append((found.id, str(error)))
                continue
            if not dry_run:
                reader.delete(found)
            done.to[back.to] = done.to.get(back.to, 0) + 1
            done.ids.append(found.id)
            told()


def purge(
    sqs: Any,
    url: str,
    wanted: Collection[str] | None,
    done: Moved,
    *,
    told: Callable[[], None] = lambda: None,
) -> None:
    """Delete messages for good.

    Args:
        wanted, done, told: as `redrive` has them.
    """
    with Reader(sqs, url) as reader:
        for found in reader.wanted(wanted):
            reader.delete(found)
            done.ids.append(found.id)
            told()
