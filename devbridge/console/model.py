"""What the console answers and is sent: values whose JSON is documented in docs/console-api.md.

Times are seconds since the epoch. Payloads, results and checkpoints are JSON *texts*: a browser's
numbers have 53 bits, those of a payload have as many as they have.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from devbridge.runs.model import State

Time = Annotated[float, Meta(ge=0, le=253402300799)]
"""Seconds since the epoch, until the end of the year 9999."""


class Row(Struct, frozen=True, kw_only=True):
    """A run in a list."""

    id: str
    job: str
    state: State
    trigger: str | None
    """The kind and the name of what has started it; null: somebody has called it."""
    created_at: float | None
    starts_at: float | None
    """When it is to start, while it is SCHEDULED."""
    started_at: float | None
    ended_at: float | None
    attempt: int
    max_attempts: int
    cancelled: bool
    """Its end was asked for."""
    payload: str
    """The beginning of it."""
    error: str | None
    """In one line."""
    paused: str | None = None
    """Where a debugger has stopped it: ``jobs/a.py:12``."""


class Rows(Struct, frozen=True):
    """A page of runs, the newest first."""

    runs: list[Row]
    after: str | None
    """What the next page is asked for with; null: this is the last."""
    total: int | None
    """How many there are in all; null: not known."""


class Change(Struct, frozen=True):
    """One change of a run's state."""

    at: float
    state: State
    attempt: int
    detail: str | None


class Frame(Struct, frozen=True):
    """One place in the code that an error came through."""

    text: str
    """As it was told."""
    file: str | None
    """The file's absolute path, of the app's own code that is still there."""
    line: int | None
    column: int | None
    function: str | None
    own: bool
    """It is the app's own code."""
    source: list[tuple[int, str]]
    """The lines around it, as they are now, with their numbers."""


class Cause(Struct, frozen=True):
    """An error that belongs to another."""

    how: str
    """What stands before it: ``caused by``."""
    type: str
    message: str
    notes: list[str]
    frames: list[Frame]
    depth: int


class Failure(Struct, frozen=True):
    """Why a run has not succeeded. Of frames the user's own, the innermost last."""

    type: str
    message: str
    notes: list[str]
    frames: list[Frame]
    causes: list[Cause]
    text: str
    """The whole of it, as a terminal shows it."""


class Attempt(Struct, frozen=True):
    """One attempt of a run."""

    attempt: int
    started_at: float | None
    ended_at: float | None
    state: State
    detail: str | None
    line: int | None
    """The line of the run's log at which it begins, from 0; null: not known."""


class LogEnd(Struct, frozen=True):
    """How far a log has come."""

    total: int
    """Its lines."""
    complete: bool
    """Nothing will be added."""


class Detail(Struct, frozen=True, kw_only=True):
    """All that is known of one run."""

    run: Row
    history: list[Change]
    attempts: list[Attempt]
    payload: str | None
    payload_missing: str | None
    """Why there is none."""
    result: str | None
    result_missing: str | None
    """Why there is none, of a run that has SUCCEEDED."""
    failure: Failure | None
    checkpoint: str | None
    previous: str | None
    """The id of the run of the same job that was asked for before."""
    log: LogEnd | None
    """null: it is not known yet, ask for the log."""


class LogMoved(Struct, frozen=True):
    """A log has grown, or is complete now."""

    id: str
    total: int
    complete: bool


class Lines(Struct, frozen=True):
    """A part of a run's log."""

    start: int = field(name="from")
    lines: list[str]
    total: int
    complete: bool
    version: str
    """Another one: the lines have other numbers now, for the log was rotated."""


class Line(Struct, frozen=True):
    """Where a text was found in a log."""

    line: int | None
    """null: nowhere."""


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs; what is left out is any."""

    job: str | None = None
    state: str = ""
    """One or more, with commas between."""
    since: Time | None = None
    until: Time | None = None
    trigger: str = ""
    """Its kind and its name: ``queue orders``."""
    text: str = ""
    """In the payload, the error or the id. ASCII letters are the same in either case."""


class RunsWanted(Filter, frozen=True, forbid_unknown_fields=True):
    """Which runs are listed."""

    log: str = ""
    """In what the run has printed: a page may have few runs, or none, and `after` all the same."""
    limit: int = 100
    after: str | None = None


class LogWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines of a log, or which text in it."""

    start: int = field(default=0, name="from")
    """The first line, from 0; below 0 from the end."""
    count: int = 200
    find: str = ""
    """The line that has this text, at `from` or behind it."""
    back: bool = False
    """Or before it."""


class Invocation(Struct, frozen=True, forbid_unknown_fields=True):
    """A run that is asked for."""

    job: str
    payload: str
    """Of a trigger, what is sent to it: a message's body, a record's data."""
    key: str | None = None
    """With the same key no second run is started."""
    trigger: str | None = None
    """Send it as this trigger's event: its kind and its name."""
    check: bool = True
    """Refuse what the handler does not declare."""


class Invoked(Struct, frozen=True):
    """A run that was started."""

    id: str | None
    """null: which run the event starts is not known yet."""
    duplicate: bool = False
    """The key had started it before."""
    note: str | None = None


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """The same job again."""

    payload: str | None = None
    """Another payload; null: that of the run, and its last checkpoint, if it has not succeeded."""
    check: bool = True


class Cancelled(Struct, frozen=True):
    """What came of a cancellation."""

    was: State
    state: State
    waits: bool
    """No `devbridge dev` was there: the next one cancels the run."""
    grace: float | None = None
    """Seconds from now in which its process may end by itself; null: it does not run here."""


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class Bulk(Struct, frozen=True, forbid_unknown_fields=True):
    """The same for many runs."""

    action: Literal["replay", "cancel"]
    filter: Filter
    count: int | None = None
    """How many they are, as the answer without it has said. null: do nothing, only count."""


class Undone(Struct, frozen=True):
    """A run with which it did not work."""

    id: str
    message: str


class BulkDone(Struct, frozen=True):
    """How many runs there are, and what was done with them."""

    count: int
    done: int | None
    """null: they were only counted."""
    failed: list[Undone]


class Error(Struct, frozen=True):
    """Why a request was refused, or has failed."""

    type: str
    message: str
    where: str | None = None
    remedy: str | None = None
    path: str | None = None
    """Where in a payload."""
    line: int | None = None
    column: int | None = None


class Failed(Struct, frozen=True):
    """The answer with every status from 400 on."""

    error: Error


class EventsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """What a stream tells besides which runs have changed."""

    run: str | None = None
    """How far the log of this run has come."""
