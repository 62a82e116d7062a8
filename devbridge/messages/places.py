"""Which dead-letter queues an app has, and what sends messages there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from devbridge import names
from devbridge.constructs import App, Job, OnQueue, Queue
from devbridge.deploy.synth.triggers.queues import dead_letters, dead_letters_of, inbox
from devbridge.deploy.synth.triggers.wanted import has_inbox
from devbridge.errors import NotDeployed, UnknownQueue, did_you_mean


@dataclass(frozen=True, slots=True)
class Place:
    """A dead-letter queue."""

    name: str
    """Of the Queue, or of the job that it was made for."""
    title: str
    """CloudFormation's name of it."""
    of: tuple[str, ...]
    """What sends there: ``job 'thumbs'``, ``queue 'orders'``."""
    inboxes: tuple[str, ...]
    """CloudFormation's names of those jobs' own queues."""
    fifo: bool = False


def places(app: App) -> list[Place]:
    """All dead-letter queues of an app, each once, in the order of app.py."""
    of: dict[str, list[Job | Queue]] = {}
    for title, sender in _senders(app):
        known = of.setdefault(title, [])
        if sender not in known:
            known.append(sender)
    queues = {names.logical(queue): queue for queue in app.of_type(Queue)}
    return [_place(title, queues.get(title), senders) for title, senders in of.items()]


def named(app: App, name: str) -> list[Place]:
    """The dead-letter queues that a name means: of a job, all its own; of a Queue, itself, or where
    its messages go.

    Raises:
        UnknownQueue: there is none; the error lists those there are.
    """
    found = places(app)
    wanted = [title for title, sender in _senders(app) if sender.name == name]
    queues = {names.logical(queue) for queue in app.of_type(Queue) if queue.name == name}
    if itself := [place for place in found if place.title in queues]:
        return itself
    if meant := [place for place in found if place.title in wanted]:
        return meant
    readers = [
        dead_letters_of(job, trigger)
        for job in app.of_type(Job)
        for trigger in job.triggers
        if isinstance(trigger, OnQueue) and trigger.queue.name == name
    ]
    if meant := [place for place in found if place.title in readers]:
        return meant
    raise _unknown(app, name, found)


def address(place: Place | str, resources: Mapping[str, str], stage: str) -> str:
    """What AWS calls a queue, by what it calls the resources of the stage: its URL.

    Raises:
        NotDeployed: the stage has no such queue yet.
    """
    title = place if isinstance(place, str) else place.title
    if url := resources.get(title):
        return url
    raise NotDeployed(
        f"the queue {title} is not deployed at stage {stage!r}",
        where="app.py has it, the stack has not",
        remedy="deploy it: devbridge dev or devbridge deploy",
    )


def _senders(app: App) -> Iterator[tuple[str, Job | Queue]]:
    for job in app.of_type(Job):
        if not job.triggers:
            continue
        yield dead_letters(job), job
        for trigger in job.triggers:
            if isinstance(trigger, OnQueue):
                yield dead_letters_of(job, trigger), job
    for queue in app.of_type(Queue):
        if queue.dead_letter is not None:
            yield names.logical(queue.dead_letter), queue


def _place(title: str, queue: Queue | None, senders: Sequence[Job | Queue]) -> Place:
    jobs = [sender for sender in senders if isinstance(sender, Job)]
    return Place(
        queue.name if queue else jobs[0].name,
        title,
        tuple(f"{sender.type.lower()} {sender.name!r}" for sender in senders),
        tuple(inbox(job) for job in jobs if has_inbox(job)),
        queue is not None and queue.fifo,
    )


def _unknown(app: App, name: str, found: Sequence[Place]) -> UnknownQueue:
    known = {place.name for place in found} | {
        sender.name for _, sender in _senders(app) if isinstance(sender, Job)
    }
    here = [each for each in app.constructs if each.name == name]
    why = f": {here[0]} sends none" if here else did_you_mean(name, known)
    return UnknownQueue(
        f"the app {app.name!r} has no dead letters of {name!r}{why}",
        where=str(app.where),
        remedy=f"use one of: {', '.join(sorted(known))}"
        if known
        else "a job with triggers has a dead-letter queue, and a Queue with dead_letter=...",
    )
