"""What all triggers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct
from devbridge.constructs.code import Code
from devbridge.constructs.messaging import Queue
from devbridge.errors import InvalidValue
from devbridge.sources.base import Problem

ALLOWED: Final = "a list of triggers: OnQueue(...), OnTopic(...), OnObject(...), Schedule(...) ..."
LOOP: Final = (
    "not without loop=True: what writes where its own trigger reads starts itself again, and so on"
)


@dataclass(frozen=True, kw_only=True)
class Trigger(ABC):
    """What starts runs of a job, or calls a function.

    Args:
        name: what the terminal and ``context.trigger.name`` call it: letters, digits, single '-'
            or '_'. By default that of what it listens to.
        loop: let the job or function write where this trigger reads.
    """

    kind: ClassVar[str]
    """``queue``, ``topic``, ``object``, ``event`` ...: what ``context.trigger.kind`` says."""
    queued: ClassVar[bool] = False
    """Its records wait in the job's own queue, for as long as SQS keeps them."""
    answered: ClassVar[bool] = False
    """Who sends its records waits for the answer: nothing of them is kept."""
    polled: ClassVar[bool] = False
    """Lambda reads its records, and hands them over; else AWS calls by itself."""

    alone: ClassVar[str] = ""
    """What is allowed in place of two triggers with the same `claim`."""

    name: str | None = None
    loop: bool = False

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is called."""

    @property
    def reads(self) -> Construct | None:
        """The construct that it listens to, if it is one of the app."""
        return None

    @property
    def claim(self) -> tuple[Construct, object] | None:
        """What no other trigger of its type may have in the whole app, if there is such a thing."""
        return None

    @abstractmethod
    def problem(self, owner: Code) -> Problem | None:
        """What of it is not allowed, and what is.

        Args:
            owner: whose trigger it is.
        """

    def problem_beside(
        self,
        owner: Construct,  # noqa: ARG002
        triggers: Sequence[Trigger],  # noqa: ARG002
    ) -> Problem | None:
        """The same, beside all that the owner has."""
        return None

    def attach(self) -> None:  # noqa: B027 - most have nothing to do
        """Let what it listens to have what it needs: it is a trigger of somebody's now.

        Raises:
            InvalidValue: that cannot have it.
        """

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.label!r}"


def checked_triggers(
    owner: Code, triggers: Sequence[Trigger], bind: Sequence[Construct]
) -> tuple[Trigger, ...]:
    """The triggers of a job or function.

    Args:
        bind: what that one may write to.

    Raises:
        InvalidValue: one is not allowed, or two have the same name.
    """
    if not isinstance(triggers, Sequence) or isinstance(triggers, str):
        raise owner.invalid("triggers", triggers, ALLOWED)
    taken: dict[str, Trigger] = {}
    claimed = dict(_claimed(owner.app))
    for trigger in triggers:
        if not isinstance(trigger, Trigger):
            raise owner.invalid("trigger", trigger, ALLOWED)
        what = type(trigger).__name__
        if problem := trigger.problem(owner) or _own_problem(owner, trigger):
            raise owner.refused(f"{what}:", problem)
        if trigger.reads is not None and trigger.reads in bind and not trigger.loop:
            raise owner.refused(f"{what}:", (f"with bind=[{trigger.reads}]", LOOP))
        if (claim := trigger.claim) is not None:
            claim_of = (type(trigger), *claim)
            if claim_of in claimed:
                raise owner.refused(f"{what}:", (f"{claim[1]} {claimed[claim_of]}", trigger.alone))
            claimed[claim_of] = "twice"
        label = trigger.label
        if (other := taken.setdefault(_key(label), trigger)) is not trigger:
            raise InvalidValue(
                f"{owner}: {what} and {type(other).__name__} are both called {label!r}",
                where=str(owner.where),
                remedy=f"give one of them a name: {what}(..., name='other')",
            )
    for trigger in triggers:
        if problem := trigger.problem_beside(owner, triggers):
            raise owner.refused(f"{type(trigger).__name__}:", problem)
    for trigger in triggers:
        trigger.attach()
    return tuple(triggers)


def checked_on_failure(
    owner: Code, queue: Queue | None, triggers: Sequence[Trigger]
) -> Queue | None:
    """The queue for what its triggers have told and has failed for good; None: one of its own.

    Raises:
        InvalidValue: it cannot be that.
    """
    if queue is None:
        return None
    if not isinstance(queue, Queue) or queue.app is not owner.app:
        raise owner.invalid("on_failure", queue, "a Queue of this app, or None")
    if queue.fifo:
        raise owner.invalid("on_failure", queue, "a standard Queue, not a FIFO one")
    if not triggers:
        raise owner.invalid("on_failure", queue, "only with triggers")
    if owner.raw_events and all(trigger.answered for trigger in triggers):
        allowed = "only with triggers that nobody waits for: a request is answered by the Function"
        raise owner.invalid("on_failure", queue, allowed)
    read = [trigger.reads for trigger in triggers]
    if queue in read:
        allowed = f"a queue that {owner} does not read itself: what fails would start it again"
        raise owner.invalid("on_failure", queue, allowed)
    given_up = [one for one in read if isinstance(one, Queue) and one.dead_letter is None]
    if any(one in given_up for one in _dead_letters(queue)):
        allowed = f"a queue whose own dead letters do not come back to what {owner} reads"
        raise owner.invalid("on_failure", queue, allowed)
    return queue


def _dead_letters(queue: Queue) -> list[Construct]:
    """A queue, that of its dead letters, that of theirs, and so on."""
    found: list[Construct] = [queue]
    for one in found:
        after = [getattr(one, "dead_letter", None)]
        if after == [None]:
            after = [
                getattr(other, "on_failure", None)
                for other in queue.app.constructs
                if any(trigger.reads is one for trigger in getattr(other, "triggers", ()))
            ]
        found += [each for each in after if each is not None and each not in found]
    return found


def _claimed(app: App) -> Iterator[tuple[tuple[object, ...], str]]:
    """What the triggers of the app claim so far, and beside whom another one would."""
    for other in app.constructs:
        for trigger in getattr(other, "triggers", ()):
            if trigger.claim is not None:
                yield (type(trigger), *trigger.claim), f"beside {other}"


def _own_problem(owner: Construct, trigger: Trigger) -> Problem | None:
    name = trigger.name
    if name is not None and (not isinstance(name, str) or not values.NAME.fullmatch(name)):
        return f"name {name!r}", values.NAME_ALLOWED
    if not isinstance(trigger.loop, bool):
        return f"loop {trigger.loop!r}", "True or False"
    read = trigger.reads
    if read is not None and getattr(read, "app", None) is not owner.app:
        return repr(read), "a construct of this app"
    return None


def _key(label: str) -> str:
    return label.replace("-", "").replace("_", "").lower()


def whole(value: object, least: int, most: int) -> bool:
    """Whether it is a whole number of that range."""
    return type(value) is int and least <= value <= most
