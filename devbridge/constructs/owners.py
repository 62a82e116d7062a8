"""What has triggers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, TypeVar

from devbridge.constructs.app import App
from devbridge.constructs.function import Function
from devbridge.constructs.job import Job
from devbridge.constructs.triggering import Trigger

Owner: TypeAlias = Job | Function
"""Whose triggers there are: a job's start runs through its invoker, a function's call it."""
T = TypeVar("T", bound=Trigger)


def owners(app: App) -> Iterator[Owner]:
    """All that may have triggers."""
    yield from app.of_type(Job)
    yield from app.of_type(Function)


def triggers(app: App, kind: type[T]) -> Iterator[tuple[Owner, T]]:
    """The triggers of that type in the whole app."""
    for owner in owners(app):
        for trigger in owner.triggers:
            if isinstance(trigger, kind):
                yield owner, trigger
