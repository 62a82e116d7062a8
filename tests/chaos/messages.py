"""What becomes of messages that start jobs: each is a run, or a dead letter, once. Pure, but for
reading the ledger and the queues."""

from __future__ import annotations

import contextlib
import enum
import json
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.messages.letters import Letter
from devbridge.messages.mover import look
from devbridge.runs.model import State
from runner.triggered import triggered

KINDS: Final = ("queue", "topic", "object")
MOST: Final = 10_000


class Fate(enum.StrEnum):
    """What a message is to become, if nothing is killed."""

    WELL = "well"
    FAILS = "fails"
    MISFIT = "misfit"
    """It is not what the handler declares."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, which AWS has taken."""

    kind: str
    number: int
    fate: Fate
    run: str = ""
    """The id of its run; "" of an object, whose sequencer is S3's own."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number} ({self.fate})"


@dataclass(frozen=True, slots=True)
class Ran:
    """A run in the ledger that a message has started."""

    run: str
    kind: str
    number: int
    state: State
    attempt: int = 1
    error: str = ""


@dataclass(frozen=True, slots=True)
class Dead:
    """A message in a dead-letter queue."""

    run: str
    """"": no run was started."""
    kind: str
    number: int
    error: str


@dataclass
class Found:
    """All that has become of the messages."""

    runs: Sequence[Ran] = ()
    letters: Sequence[Dead] = ()
    ended: Mapping[str, int] = field(default_factory=dict)
    """How often the handler came to its end, by the run's id."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which promises were broken, and what became of how many."""

    broken: Sequence[str]
    counts: Mapping[str, int]


def judge(
    sent: Iterable[Sent],
    found: Found,
    *,
    excuses: Collection[str] = (),
    untried: bool = False,
) -> Verdict:
    """Hold what was found against what was sent.

    Args:
        excuses: types of failures that another end than a message's fate may have.
        untried: a message may be given up without a run, because nobody could be reached for long.
    """
    wanted = {(each.kind, each.number): each for each in sent}
    runs, letters = defaultdict(list), defaultdict(list)
    for ran in found.runs:
        runs[ran.kind, ran.number].append(ran)
    for dead in found.letters:
        letters[dead.kind, dead.number].append(dead)
    broken = [f"nobody has sent {key}" for key in sorted({*runs, *letters} - wanted.keys())]
    counts: Counter[str] = Counter()
    for key, one in wanted.items():
        wrong = [*_times(one, runs[key], letters[key], untried=untried)]
        for ran in runs[key]:
            wrong += _ends(one, ran, letters[key], found.ended.get(ran.run, 0), excuses)
        broken += [f"{one}: {what}" for what in wrong]
        counts[_end(runs[key], letters[key])] += 1
    return Verdict(broken, dict(sorted(counts.items())))


def _times(
    one: Sent, runs: Sequence[Ran], letters: Sequence[Dead], *, untried: bool
) -> Iterator[str]:
    """Once, and by the right id."""
    if not runs and not letters:
        yield "is lost"
    if len(runs) > 1:
        yield f"has {len(runs)} runs: {[ran.run for ran in runs]}"
    if len(letters) > 1:
        yield f"is {len(letters)} dead letters: {[dead.run for dead in letters]}"
    ids = {each.run for each in runs}
    if one.run and ids - {one.run}:
        yield f"is the run {ids}, and not {one.run}"
    for dead in letters:
        if dead.run and dead.run not in ids:
            yield f"is a dead letter of the run {dead.run}, which is not in the ledger"
        if not dead.run and (runs or not untried):
            yield "was given up as not started" + (", and there is a run" if runs else "")


def _ends(
    one: Sent, ran: Ran, letters: Sequence[Dead], ended: int, excuses: Collection[str]
) -> Iterator[str]:
    """As what it is, and told so."""
    well = ran.state is State.SUCCEEDED
    if well and letters:
        yield "succeeded, and is a dead letter"
    if not well and not letters:
        yield f"is {ran.state} ({ran.error}), and no dead letter"
    if well and not 1 <= ended <= ran.attempt:
        yield f"succeeded in attempt {ran.attempt}, and came to its end {ended} times"
    if ran.error.partition(":")[0] in excuses:
        return
    if well is not (one.fate is Fate.WELL) or (not well and ran.state is not State.FAILED):
        yield f"is {ran.state} ({ran.error})"
    if (one.fate is Fate.MISFIT) is not ran.error.startswith("PayloadInvalid"):
        yield f"ended with {ran.error}"


def _end(runs: Sequence[Ran], letters: Sequence[Dead]) -> str:
    if not runs:
        return "never started, dead letter" if letters else "lost"
    return f"{runs[0].state}{', dead letter' if letters else ''}"


# --- reading ------------------------------------------------------------------------------------


def ran(ledger: Path) -> list[Ran]:
    """The runs of a ledger that messages have started; none if there is none."""
    if not ledger.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT job_id, state, attempt, payload, failure FROM runs").fetchall()
    return [each for row in rows if (each := _ran(*row)) is not None]


def _ran(run: str, state: str, attempt: int, payload: bytes, failure: str | None) -> Ran | None:
    if (found := triggered(payload)) is None:
        return None
    told = json.loads(failure or "{}")
    error = f"{told['type']}: {told['message']}" if told else ""
    number = number_of(json.loads(found.payload))
    return Ran(run, found.kind, number, State(state), attempt, error)


def dead(sqs: Any, urls: Iterable[str]) -> list[Dead]:
    """The messages of these dead-letter queues, as `devbridge dlq` has them: one that was sent
    twice, because a daemon was killed before it could note the first time, is one."""
    return [_dead(each) for url in urls for each in look(sqs, url, MOST).letters]


def _dead(letter: Letter) -> Dead:
    kind = letter.trigger.partition(" ")[0]
    body = json.loads(letter.body)
    if isinstance(body, dict):  # what a topic, or a bucket's rule, has put into the job's own queue
        event = body.get("event") or {}
        body = json.loads(body["Message"]) if "Message" in body else event.get("detail", body)
    if isinstance(body, dict) and "object" in body:
        body = body["object"]
    return Dead(letter.run, kind, number_of(body), letter.error)


def number_of(payload: Any) -> int:
    """The number of the message that has this payload."""
    name = payload.get("number", payload.get("key", ""))
    return int(str(name).rpartition("-")[2])


def payload(fate: Fate, number: int) -> dict[str, Any]:
    """What a message of a queue or a topic says."""
    if fate is Fate.MISFIT:
        return {"number": f"misfit-{number}", "fails": False}
    return {"number": number, "fails": fate is Fate.FAILS}


def fates(rng: random.Random, kind: str, count: int) -> list[Fate]:
    """What so many messages of a kind are to become. An object always fits."""
    weights = (7, 2, 0 if kind == "object" else 1)
    return rng.choices(list(Fate), weights, k=count)


def times(lines: Iterable[str]) -> Mapping[str, int]:
    """How often each of them is there."""
    return Counter(lines)
