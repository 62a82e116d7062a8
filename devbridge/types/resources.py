"""The kinds of `devbridge.resources`, and which of an app's constructs are bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devbridge import resources
from devbridge.constructs import App, Construct

KINDS: Final = ("Table", "Bucket", "Queue", "Topic", "Secret", "Config", "Function", "Api")


def bound_class(kind: str) -> Any:
    """The class of what ``Table.notes`` is."""
    return type(getattr(resources, kind).name)


def bound_names(app: App) -> dict[str, list[str]]:
    """Kind -> the names of the constructs of that kind that some job or function binds."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for construct in app.constructs:
        for target in getattr(construct, "bind", ()):
            found.get(_kind(target), set()).add(target.name)
    return {kind: sorted(names) for kind, names in found.items()}


def placeholders(app: App) -> Mapping[str, str]:
    """The environment variables of all that could be bound, with names of things that are not."""
    variables = {
        resources.variable("Job", "functionName", job.name): job.name
        for job in app.constructs
        if _kind(job) == "Job"
    }
    for construct in app.constructs:
        kind = _kind(construct)
        if kind in KINDS:
            prop = bound_class(kind).PROPERTY
            variables[resources.variable(kind, prop, construct.name)] = construct.name
    return variables


def _kind(construct: Construct) -> str:
    return type(construct).__name__
