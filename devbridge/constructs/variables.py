"""`environment` of a job or function: texts, numbers, and what is known later. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct
from devbridge.constructs.parameters import Config, Secret
from devbridge.constructs.references import Reference
from devbridge.sources.base import Problem

Value = str | int | float | Reference | Config | Secret
"""What a variable may be given. A Secret is fetched at the start of a run, a Config is its value.
"""
_ALLOWED = "as values, texts, numbers, references such as notes.arn, a Config or a Secret"


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of an environment, by what their values are."""

    texts: dict[str, str] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.texts, *self.references, *self.secrets)


def sorted_out(app: App, environment: object) -> Variables | Problem:
    """An environment by what its values are; or the first entry that is not allowed."""
    if not isinstance(environment, Mapping):
        return repr(environment), "a dict of strings"
    found = Variables()
    for name, value in environment.items():
        if problem := values.variable_problem(name) or _problem(app, {name: value}, value):
            return problem
        if isinstance(value, Reference):
            found.references[name] = value
        elif isinstance(value, Secret):
            found.secrets[name] = value
        else:
            found.texts[name] = value.value if isinstance(value, Config) else str(value)
    return values.environment_problem(found.texts) or found


def reference_problem(app: App, value: Reference) -> str | None:
    """What is allowed in place of a reference that the app's template cannot have."""
    if not isinstance(value.construct, Construct) or value.construct.app is not app:
        return "references to constructs of this app"
    if not values.plain(value.before + value.after):
        return values.PLAIN
    return None


def _problem(app: App, entry: Mapping[str, object], value: object) -> Problem | None:
    match value:
        case Reference():
            allowed = reference_problem(app, value)
            return (repr(entry), allowed) if allowed else None
        case Config() | Secret():
            return None if value.app is app else (repr(entry), "a Config or Secret of this app")
        case bool():
            return repr(entry), f"{_ALLOWED}; of {value} the text that is read: 'true' or '1', say"
        case float() if not math.isfinite(value):
            return repr(entry), _ALLOWED
        case str() | int() | float():
            return None
    return repr(entry), _ALLOWED
