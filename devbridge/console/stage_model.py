"""What the console answers of functions, payloads and the stage; see `devbridge.console.model`."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class Recent(Struct, frozen=True):
    """A payload that a run was given."""

    id: str
    at: float | None
    payload: str


class Named(Struct, frozen=True):
    """A payload that has a name."""

    name: str
    payload: str
    trigger: str | None = None
    """What it is an event of."""


class Payloads(Struct, frozen=True):
    """What a job may be given."""

    recent: list[Recent]
    saved: list[Named]
    samples: list[Named]


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """A payload to be kept."""

    payload: str


class Broken(Struct, frozen=True):
    """Why a handler cannot be loaded, and where."""

    type: str
    message: str
    file: str | None
    line: int | None
    column: int | None
    text: str | None
    """The line."""
    told: str
    """The whole of it, as a terminal shows it."""


class Last(Struct, frozen=True):
    """A run of a function that was one of the last."""

    id: str
    state: str
    """A run's; of an API function's request what it was answered with: ``202``, or ``failed``."""
    started_at: float | None
    """Seconds since the epoch; of a run that has not started, when it was asked for."""
    seconds: float | None
    error: str | None
    """In one line: its type and message."""


class Function(Struct, frozen=True, kw_only=True):
    """A job, or an API function."""

    name: str
    kind: Literal["job", "function"]
    handler: str
    compute: str
    triggers: list[str]
    """The kind and the name of each."""
    schema: Any
    """The JSON Schema of a job's payload; null: not known."""
    timeout: float | None
    """Seconds."""
    live: bool
    """It runs on this machine."""
    broken: Broken | None
    recent: list[Last]
    """The newest first."""
    last_error: str | None
    """Of those."""


class Output(Struct, frozen=True):
    """What the stage has deployed."""

    name: str
    value: str
    link: str | None


class Resource(Struct, frozen=True):
    """One resource of the stage's stack."""

    name: str
    type: str
    id: str
    link: str | None


class Changed(Struct, frozen=True):
    """A resource that a deployment has changed."""

    name: str
    type: str
    status: str
    """CloudFormation's: ``update complete``."""


class Deployment(Struct, frozen=True):
    """A deployment of the stage."""

    at: float
    what: str
    """How it ended: ``update complete``."""
    changes: list[Changed]


class Secret(Struct, frozen=True):
    """A secret of the app. Its value is never told."""

    name: str
    set: bool


class Stage(Struct, frozen=True, kw_only=True):
    """The stage."""

    app: str
    stage: str
    root: str
    """The app's folder."""
    live: bool
    """Its jobs run on this machine."""
    cloud: str
    since: float | None
    """When what runs them was started."""
    developer: str | None
    credentials_end: float | None
    outputs: list[Output]
    resources: list[Resource]
    deployments: list[Deployment]
    """The newest first."""
    secrets: list[Secret]
    taken_by: str | None
    """Who has taken the stage over from this machine."""
    problems: list[str]
    """What could not be asked, and why."""


class Debugging(Struct, frozen=True):
    """Whether debuggers can stop what runs."""

    possible: bool
    """They could: this process runs the stage."""
    open: bool
    """Workers are open to them."""
    attach: list[Any]
    """How an editor attaches: entries of VS Code's launch.json."""


class Letter(Struct, frozen=True, kw_only=True):
    """A message of a dead-letter queue."""

    id: str
    sent_at: float
    receives: int
    run: str | None
    trigger: str | None
    error: str
    body: str


class DeadLetters(Struct, frozen=True, kw_only=True):
    """A dead-letter queue."""

    queue: str
    of: list[str]
    messages: int
    oldest: float | None
    letters: list[Letter]
    more: bool
    """There are more messages than these."""


class Redrive(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that are to be sent back to where they came from."""

    queue: str
    ids: list[str] | None = None
    """null: all."""


class Kept(Struct, frozen=True):
    """A message that stays."""

    id: str
    reason: str


class Redriven(Struct, frozen=True):
    """What became of them."""

    redriven: list[str]
    kept: list[Kept]
