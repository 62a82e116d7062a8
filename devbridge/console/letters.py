"""The dead letters of a stage, as the console shows them and sends them back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from devbridge.console import stage_model
from devbridge.console.subject import Subject
from devbridge.deploy import resources
from devbridge.messages.letters import Letter
from devbridge.messages.stage import Boxes

MOST: Final = 50
"""Messages of a queue that are shown: looking hides them from others for a moment."""


def dead_letters(subject: Subject) -> Sequence[stage_model.DeadLetters]:
    """The dead-letter queues of the stage, those with the oldest messages they have.

    Raises:
        NotDeployed: the stage has not all of them yet.
        CloudError: the cloud does not answer.
    """
    with _boxes(subject) as boxes:
        found = []
        for place, count, oldest in boxes.overview():
            letters, more = boxes.of(place.name).look(MOST) if count else ([], False)
            found.append(
                stage_model.DeadLetters(
                    queue=place.name,
                    of=list(place.of),
                    messages=max(count, len(letters)),
                    oldest=oldest,
                    letters=[_letter(each) for each in letters],
                    more=more,
                )
            )
        return found


def redrive(subject: Subject, asked: stage_model.Redrive) -> stage_model.Redriven:
    """Send messages back to where they came from.

    Raises:
        UnknownQueue, UnknownMessage: there are none that are called so.
        NotDeployed, CloudError: as `dead_letters`.
    """
    with _boxes(subject) as boxes:
        box = boxes.of(asked.queue)
        wanted = None if asked.ids is None else box.whole(asked.ids)
        box.redrive(wanted, dry_run=False, told=lambda: None)
        kept = [stage_model.Kept(each, why) for each, why in box.moved.kept]
        return stage_model.Redriven(list(box.moved.ids), kept)


@contextlib.contextmanager
def _boxes(subject: Subject) -> Iterator[Boxes]:
    app, there, stage = subject.app(), subject.cloud(), subject.config.stage
    with subject.runs() as (runs, _), there.explained():
        found = resources(there, app.name, stage)
        yield Boxes(app, there, found, stage, runs.named)


def _letter(found: Letter) -> stage_model.Letter:
    return stage_model.Letter(
        id=found.id,
        sent_at=found.sent_at,
        receives=found.receives,
        run=found.run or None,
        trigger=found.trigger or None,
        error=found.error,
        body=found.body,
    )
