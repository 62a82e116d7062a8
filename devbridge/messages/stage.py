"""The dead-letter queues of one stage, by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from devbridge.constructs import App
from devbridge.deploy.access import Access
from devbridge.messages.deliveries import Deliveries, Known, holding, of_functions
from devbridge.messages.invoking import LONGEST, Invoking
from devbridge.messages.letters import Letter, whole_ids
from devbridge.messages.mover import (
    Back,
    Moved,
    NoWayBack,
    Route,
    count,
    look,
    purge,
    redrive,
    router,
)
from devbridge.messages.own import Own
from devbridge.messages.places import Place, address, labels, named, places
from devbridge.words import many

_OLDEST = 100
"""Messages that are looked at for the oldest one."""
_ALL = 1_000_000
"""Messages that are looked through for one that is named."""


class Waiting(Access, Protocol):
    """A cloud that is asked for what may take long, too."""

    def waiting(self, service: str, seconds: float) -> Any:
        """The client of a service that waits so many seconds for an answer, and asks once."""


class Boxes:
    """All dead-letter queues of a stage.

    Args:
        cloud: where the stage is.
        resources: what AWS calls those of the stage, by CloudFormation's name.
        known: gives what is known of the stage's runs.
    """

    def __init__(
        self,
        app: App,
        cloud: Waiting,
        resources: Mapping[str, str],
        stage: str,
        known: Known,
    ) -> None:
        self._app = app
        self._client = cloud.client
        self._invoking = Invoking(cloud.client, partial(cloud.waiting, "lambda", LONGEST))
        self._sqs = cloud.client("sqs")
        self._own = Own(app, resources, cloud.account, cloud.region)
        self._resources = resources
        self._stage = stage
        queues = holding(app, resources, stage)
        functions = of_functions(app, resources, stage)
        self._deliveries = Deliveries(app, stage, self._sqs, queues, known, functions)

    def overview(self, most: int = _OLDEST) -> list[tuple[Place, int, float | None]]:
        """Each queue, about how many messages it has, and when the oldest of them was sent, in
        seconds since the epoch.

        Raises:
            NotDeployed: the stage has not all of them yet.
        """
        found: list[tuple[Place, int, float | None]] = []
        for place in places(self._app):
            url = place.url(self._resources, self._stage)
            number = count(self._sqs, url)
            letters = look(self._sqs, url, most).letters if number else []
            found.append((place, max(number, len(letters)), _oldest(letters)))
        return found

    def of(self, name: str) -> Box:
        """Those of a job or a Queue.

        Raises:
            UnknownQueue: there is no such one.
            NotDeployed: the stage has not all of them yet.
        """
        urls = {
            place.url(self._resources, self._stage): [
                address(inbox, self._resources, self._stage) for inbox in place.inboxes
            ]
            for place in named(self._app, name)
        }
        known = labels(self._app)
        called = {
            url.rpartition("/")[2]: known[title]
            for title, url in self._resources.items()
            if title in known
        }
        return Box(self._client, self._invoking, name, urls, self._own, self._deliveries, called)


class Box:
    """What one name means: a dead-letter queue, or several.

    Args:
        invoking: calls invokers and functions.
        urls: the queues, each with the own queues of its jobs.
        own: knows what messages may name.
        deliveries: says which runs a message has had that carries nothing of them.
        called: what users call the queues and invokers of the stage, by AWS's name of them.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        invoking: Invoking,
        name: str,
        urls: Mapping[str, Sequence[str]],
        own: Own,
        deliveries: Deliveries,
        called: Mapping[str, str] = {},
    ) -> None:
        self._sqs = client("sqs")
        self._invoking = invoking
        self._name = name
        self._urls = urls
        self._own = own
        self._deliveries = deliveries
        self._called = called
        self.moved = Moved()
        """What was sent back or deleted."""

    def count(self) -> int:
        """About how many messages there are."""
        return sum(count(self._sqs, url) for url in self._urls)

    def look(self, most: int) -> tuple[list[Letter], bool]:
        """The messages, the oldest first, and whether there may be more.

        Args:
            most: so many are enough.
        """
        letters, more = self._look(most)
        return self._deliveries.told(letters), more

    def one(self, given: str) -> Letter:
        """The message whose id begins so.

        Raises:
            UnknownMessage: there is none, or there are several.
        """
        letters = {letter.id: letter for letter in self._look(_ALL)[0]}
        (whole,) = whole_ids(list(letters), [given])
        (found,) = self._deliveries.told([letters[whole]])
        return found

    def whole(self, given: Sequence[str]) -> list[str]:
        """The ids of the messages whose ids begin so.

        Raises:
            UnknownMessage: there is none of one, or there are several.
        """
        return whole_ids([letter.id for letter in self._look(_ALL)[0]], given)

    def _look(self, most: int) -> tuple[list[Letter], bool]:
        """As they are."""
        found = [look(self._sqs, url, most) for url in self._urls]
        letters = [letter for each in found for letter in each.letters]
        letters.sort(key=lambda letter: letter.sent_at)
        return letters[:most], len(letters) > most or any(each.more for each in found)

    def redrive(
        self, wanted: Sequence[str] | None, *, dry_run: bool, told: Callable[[], None]
    ) -> None:
        """Send messages back; what is done is in `moved`. See `mover.redrive`."""
        for url, inboxes in self._urls.items():
            if (left := self._left(wanted)) != []:
                route = self._route(router(self._sqs, inboxes))
                redrive(self._sqs, url, route, left, self.moved, dry_run=dry_run, told=told)

    def purge(self, wanted: Sequence[str] | None, *, told: Callable[[], None]) -> None:
        """Delete messages; which is in `moved`. See `mover.purge`."""
        for url in self._urls:
            if (left := self._left(wanted)) != []:
                purge(self._sqs, url, left, self.moved, told=told)

    @property
    def to(self) -> dict[str, int]:
        """How many were sent back to which queue, as users call it."""
        return {self._called.get(name, name): count for name, count in self.moved.to.items()}

    def summary(self, *, dry_run: bool) -> str:
        """What was sent back, in one line: ``3 of 3 messages redriven to orders``."""
        done, kept = len(self.moved.ids), len(self.moved.kept)
        if not done + kept:
            return f"no message is in the dead letters of {self._name}"
        to = f" to {', '.join(self.to)}" if self.to else ""
        verb = "would be redriven" if dry_run else "redriven"
        return f"{done:,} of {many(done + kept, 'message')} {verb}{to}"

    def _route(self, to_queues: Route) -> Route:
        def route(found: Letter) -> Back:
            self._own.check(found)
            if found.unqueued:
                raise NoWayBack("a function has failed at it, and it was in no queue to go back to")
            if not (invoker := found.invoker):
                return to_queues(found)
            to = invoker.rpartition(":")[2]
            if found.given_up is not None and self._own.is_function(found):
                events = self._invoking.events(found.given_up)
                return Back(to, lambda: self._invoking.call_function(invoker, events))
            calls = self._invoking.calls(found)
            return Back(to, lambda: self._invoking.call(invoker, calls))

        return route

    def _left(self, wanted: Sequence[str] | None) -> list[str] | None:
        if wanted is None:
            return None
        gone = {*self.moved.ids, *(each for each, _ in self.moved.kept)}
        return [each for each in wanted if each not in gone]


def _oldest(letters: Sequence[Letter]) -> float | None:
    return min((letter.sent_at for letter in letters), default=None)
