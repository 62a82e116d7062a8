"""Which runs a message has had that SQS has moved from a queue that holds each until its run has
succeeded.

Such a message carries nothing of them. But each of its deliveries was a run, whose id is made of
the message's and the delivery's number (`runner.messages`), and SQS keeps a message's id when it
moves it. One that is sent back, by whomever, is another message ("Configure a dead-letter queue
redrive", Amazon SQS).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from devbridge.constructs import App, Job, OnQueue, OnTopic
from devbridge.constructs.triggers.done import held
from devbridge.deploy.synth.triggers.queues import inbox
from devbridge.errors import NotDeployed
from devbridge.messages.letters import Letter
from devbridge.messages.places import address, address_of
from devbridge.protocol.codec import job_id
from devbridge.runs.base import RunRecord
from runner.messages import Listening, Read, read_message

Known: TypeAlias = Callable[[str, Sequence[str]], Mapping[str, RunRecord]]
"""Gives what is known of runs of the job of that name, by their ids without a project's name."""

_UNREADABLE: Final = (KeyError, TypeError, AttributeError)
"""What reading a message raises that is not as any trigger sends it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A queue that holds messages."""

    job: Job
    url: str
    own: bool
    """It is the job's own."""
    name: str = ""
    """Of the trigger, if it is a queue of the app's."""
    batch: bool = False
    """Several messages are one run."""
    topics: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The names of the triggers whose topics send to it, by the topics' ARNs."""

    def read(self, moved: Letter, most: int) -> list[Read]:
        """What a message said at each of its deliveries, the last one first; nothing, if it is not
        as any trigger sends it."""
        arn = moved.moved_from
        names = {arn: {"name": self.name, "held": True}}
        names |= {topic: {"name": name} for topic, name in self.topics.items()}
        listening = Listening(arn if self.own else "", sources=names)
        record = {"messageId": moved.id, "body": moved.body, "eventSourceARN": arn}
        numbered = [
            {**record, "attributes": {"ApproximateReceiveCount": str(number)}}
            for number in range(most, 0, -1)
        ]
        try:
            return [read_message(each, listening) for each in numbered]
        except _UNREADABLE:
            return []


def holding(app: App, resources: Mapping[str, str], stage: str) -> Iterator[Holding]:
    """The queues of a stage that hold messages. What is not deployed yet has none.

    Args:
        resources: what AWS calls those of the stage, by CloudFormation's name.
    """
    for job in app.of_type(Job):
        topics: dict[str, str] = {}
        own = ""
        for trigger in held(job.triggers):
            try:
                if isinstance(trigger, OnQueue):
                    url = address_of(trigger.queue, resources, stage)
                    yield Holding(job, url, False, trigger.label, trigger.batch is not None)
                    continue
                own = address(inbox(job), resources, stage)
                if isinstance(trigger, OnTopic):
                    topics[address_of(trigger.topic, resources, stage)] = trigger.label
            except NotDeployed:
                continue
        if own:
            yield Holding(job, own, True, topics=topics)


@dataclass(frozen=True, slots=True)
class _Moved:
    """A message that such a queue has given up."""

    queue: Holding
    read: Sequence[Read]
    """What it said at each delivery, the last one first."""
    ids: Sequence[str]
    """Those that its runs have if there were any, in the same order."""


class Deliveries:
    """Says of messages that such queues have given up which run has failed last, and why.

    Args:
        sqs: botocore's client.
    """

    def __init__(
        self, app: App, stage: str, sqs: Any, queues: Iterable[Holding], known: Known
    ) -> None:
        self._app = app
        self._stage = stage
        self._sqs = sqs
        self._known = known
        self._queues = {each.url.rpartition("/")[2]: each for each in queues}
        self._most: dict[str, int] = {}

    def told(self, letters: Sequence[Letter]) -> list[Letter]:
        """The same letters; those of such messages tell of their last run, as others do."""
        moved = [self._moved(each) for each in letters]
        wanted: dict[str, list[str]] = {}
        for each in moved:
            if each is not None and each.ids:
                wanted.setdefault(each.queue.job.name, []).extend(each.ids)
        runs: dict[str, RunRecord] = {}
        for job, ids in wanted.items():
            runs |= self._known(job, ids)
        return [self._filled(*each, runs) for each in zip(letters, moved, strict=True)]

    def _moved(self, letter: Letter) -> _Moved | None:
        queue = self._queues.get(letter.moved_from.rpartition(":")[2])
        if queue is None or letter.run:
            return None
        read = queue.read(letter, self._times(queue))
        keys = [] if queue.batch else [each.run_key for each in read]
        job = queue.job.name
        return _Moved(queue, read, [job_id(self._app.name, self._stage, job, key) for key in keys])

    def _filled(
        self, letter: Letter, moved: _Moved | None, runs: Mapping[str, RunRecord]
    ) -> Letter:
        if moved is None:
            return letter
        queue, told = moved.queue, dict(letter.told)
        if moved.read:
            told |= {"kind": moved.read[0].kind, "trigger": moved.read[0].name}
        # A delivery is used up without a run where there was no room for the job's function.
        run = next((runs[each] for each in moved.ids if each in runs), None)
        if run is not None:
            failure = run.failure
            error = f"{failure.type}: {failure.message}" if failure else run.state.value
            told |= {"run": run.job_id, "attempt": run.attempt, "error": error}
        elif queue.batch:
            told["error"] = f"its runs had more messages: devbridge jobs --job {queue.job.name}"
        else:
            told["error"] = f"never started: no run is known of its {self._times(queue)} deliveries"
        return dataclasses.replace(letter, told=told)

    def _times(self, queue: Holding) -> int:
        """How often a queue delivers a message before it gives it up."""
        if queue.url not in self._most:
            asked = self._sqs.get_queue_attributes(
                QueueUrl=queue.url, AttributeNames=["RedrivePolicy"]
            )
            policy = json.loads(asked.get("Attributes", {}).get("RedrivePolicy") or "{}")
            self._most[queue.url] = int(policy.get("maxReceiveCount", queue.job.retries + 1))
        return self._most[queue.url]
