"""The kinds of `devbridge.resources`, and which of an app's constructs are bound."""

from __future__ import annotations

from collections.abc import Mapping

from devbridge import resources
from devbridge.constructs import App, Job
from devbridge.resources import _Bindings, _Bound, _Property


def kinds() -> dict[str, type[_Bound]]:
    """Each kind's name, and the class of what ``Table.notes`` is."""
    return {
        name: type(each.any)
        for name, each in vars(resources).items()
        if isinstance(each, _Bindings)
    }


def properties(of: type[_Bound]) -> dict[str, _Property]:
    """The properties of a kind's class, by their attributes."""
    return {name: each for name, each in vars(of).items() if isinstance(each, _Property)}


def bound_names(app: App) -> dict[str, list[str]]:
    """Kind -> the names of the constructs of that kind that some job or function binds."""
    found: dict[str, set[str]] = {kind: set() for kind in kinds()}
    for construct in app.constructs:
        for target in getattr(construct, "bind", ()):
            found.get(target.type, set()).add(target.name)
    return {kind: sorted(names) for kind, names in found.items()}


def placeholders(app: App) -> Mapping[str, str]:
    """The environment variables of all that could be bound, with names of things that are not."""
    variables = {
        resources.variable("Job", "functionName", job.name): job.name for job in app.of_type(Job)
    }
    known = kinds()
    for construct in app.constructs:
        if construct.type in known:
            for prop in properties(known[construct.type]).values():
                name = resources.variable(construct.type, prop.name, construct.name)
                variables[name] = construct.name
    return variables
