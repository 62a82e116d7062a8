"""Which dead-letter queues an app has, and what sends messages there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from devbridge import names
from devbridge.constructs import App, Bindable, Function, Job, OnQueue, Queue
from devbridge.constructs.owners import Owner, owners
from devbridge.deploy.synth.triggers.queues import inbox, own_dead_letters
from devbridge.deploy.synth.triggers.wanted import has_inbox, may_give_up
from devbridge.errors import NotDeployed, UnknownQueue, did_you_mean


@dataclass(frozen=True, slots=True)
class Place:
    """A dead-letter queue."""

    queue: Queue | Owner
    """Itself, or the job or function that it was made for."""
    senders: tuple[Owner | Queue, ...]
    """What sends there."""

    @property
    def name(self) -> str:
        """What users call it."""
        return self.queue.name

    @property
    def of(self) -> tuple[str, ...]:
        """What sends there, in words: ``job 'thumbs'``, ``queue 'orders'``."""
        return tuple(f"{sender.type.lower()} {sender.name!r}" for sender in self.senders)

    @property
    def inboxes(self) -> tuple[str, ...]:
        """CloudFormation's names of those jobs' own queues; none where a function sends there, too:
        what does not say whose it is may be of either."""
        if any(isinstance(sender, Function) for sender in self.senders):
            return ()
        jobs = [sender for sender in self.senders if isinstance(sender, Job)]
        return tuple(inbox(job) for job in jobs if has_inbox(job))

    def url(self, resources: Mapping[str, str], stage: str) -> str:
        """Where it is. See `address`.

        Raises:
            NotDeployed: the stage has no such queue yet.
        """
        if not isinstance(self.queue, Queue):
            return address(own_dead_letters(self.queue), resources, stage)
        return address_of(self.queue, resources, stage)


def places(app: App) -> list[Place]:
    """All dead-letter queues of an app, each once, in the order of app.py."""
    of: dict[Queue | Owner, dict[Owner | Queue, None]] = {}
    for queue, sender in _senders(app):
        of.setdefault(queue, {})[sender] = None
    return [Place(queue, tuple(senders)) for queue, senders in of.items()]


def named(app: App, name: str) -> list[Place]:
    """The dead-letter queues that a name means: of a job or function, all its own; of a Queue,
    itself, or where its messages go.

    Raises:
        UnknownQueue: there is none; the error lists those there are.
    """
    found = places(app)
    queues = [queue for queue in app.of_type(Queue) if queue.name == name]
    readers = [
        queue
        for owner in owners(app)
        for trigger in owner.triggers
        if isinstance(trigger, OnQueue) and trigger.queue in queues
        for queue in _dead_letters_of(owner, trigger)
    ]
    sent = [queue for queue, sender in _senders(app) if sender.name == name]
    for wanted in (queues, sent, readers):
        if meant := [place for place in found if place.queue in wanted]:
            return meant
    raise _unknown(app, name, found)


def labels(app: App) -> dict[str, str]:
    """What users call each queue that is made for the app, each invoker and each function, by
    CloudFormation's name of it."""
    found = {names.logical(queue): queue.name for queue in app.of_type(Queue)}
    jobs = app.of_type(Job)
    found |= {names.logical(job, "Invoker"): f"the job {job.name}" for job in jobs}
    functions = app.of_type(Function)
    found |= {names.logical(each): f"the function {each.name}" for each in functions}
    own = [job for job in jobs if has_inbox(job)]
    return found | {inbox(job): f"the own queue of {job.name}" for job in own}


def address_of(construct: Bindable, resources: Mapping[str, str], stage: str) -> str:
    """What AWS calls the main resource of a construct, one that exists too: as `address` has it.

    Raises:
        NotDeployed: the stage has it not yet.
    """
    for known in ("queue_url", "bucket_name", "stream_name", "arn"):
        if known in construct.known:
            return construct.known[known]
    return address(names.logical(construct), resources, stage)


def address(title: str, resources: Mapping[str, str], stage: str) -> str:
    """What AWS calls a resource, by CloudFormation's name of it: of a queue its URL, of a topic its
    ARN, of others mostly a name.

    Args:
        resources: those of the stage.

    Raises:
        NotDeployed: the stage has it not yet.
    """
    if found := resources.get(title):
        return found
    raise NotDeployed(
        f"{title} is not deployed at stage {stage!r}",
        where="app.py has it, the stack has not",
        remedy="deploy it: devbridge dev or devbridge deploy",
    )


def _senders(app: App) -> Iterator[tuple[Queue | Owner, Owner | Queue]]:
    for owner in owners(app):
        if may_give_up(owner):
            yield owner if owner.on_failure is None else owner.on_failure, owner
        for trigger in owner.triggers:
            if isinstance(trigger, OnQueue):
                for queue in _dead_letters_of(owner, trigger):
                    yield queue, owner
    for queue in app.of_type(Queue):
        if queue.dead_letter is not None:
            yield queue.dead_letter, queue


def _dead_letters_of(owner: Owner, trigger: OnQueue) -> Iterator[Queue | Owner]:
    queue = trigger.queue
    if queue.dead_letter is not None:
        yield queue.dead_letter
    elif isinstance(owner, Job) or not queue.known:  # SQS knows more of one that exists
        yield owner.on_failure or owner


def _unknown(app: App, name: str, found: Sequence[Place]) -> UnknownQueue:
    known = {place.name for place in found} | {
        sender.name for _, sender in _senders(app) if not isinstance(sender, Queue)
    }
    here = [each for each in app.constructs if each.name == name]
    why = f": {here[0]} sends none" if here else did_you_mean(name, known)
    return UnknownQueue(
        f"the app {app.name!r} has no dead letters of {name!r}{why}",
        where=str(app.where),
        remedy=f"use one of: {', '.join(sorted(known))}"
        if known
        else "a job or function with triggers has one, and a Queue with dead_letter=...",
    )
