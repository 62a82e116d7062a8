"""What is known of the types of jobs, whatever language their handlers are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Instance:
    """A class whose instances a job takes as its payload."""

    name: str
    """``jobs.factorial.Factorial``"""
    form: str
    """``dataclass``, ``attrs``, ``struct`` or ``pydantic``."""
    fields: Mapping[str, str]
    """Each field's type as Python writes it: one of JSON's scalars, or ``object``."""


@dataclass(frozen=True, slots=True)
class JobTypes:
    """What a job takes and returns."""

    payload: Json | None = None
    """JSON Schema; None for anything."""
    result: Json | None = None
    instances: tuple[Instance, ...] = ()
    accepted: Json | None = None
    """What to check before a payload is sent: a schema that refuses nothing which the handler's
    side accepts. None: nothing can be checked."""
    warning: str = ""
    """Why something could not be told."""
    loaded: bool = True
    """Its handler could be imported."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A job whose types take long to be told."""

    how: str
    """What goes on: ``importing jobs/a.py``."""
    seconds: float
    """So far."""
    at: str
    """The line of the app that it is at, as ``jobs/a.py:3``; "" if it is not known."""


def schemas(types: Mapping[str, JobTypes]) -> dict[str, Json]:
    """What `devbridge.payload.check` reads: job name -> the schema of its payloads."""
    return {job: known.accepted for job, known in types.items() if known.accepted is not None}
