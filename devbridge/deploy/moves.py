"""Jobs that move: what runs them becomes something else. Found in two templates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from devbridge.constructs.compute import DEFAULT

_COMPUTE: Final = "DEVBRIDGE_COMPUTE"
_PROJECT: Final = "DEVBRIDGE_PROJECT"
"""What an invoker had before there was more than one place to run."""


def moved(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
) -> dict[str, str]:
    """Why what runs a job is made or taken away: by the job's label.

    Args:
        before, after: the resources of the deployed template, and of the one that it becomes.
        labels: logical id -> construct.
    """
    return {
        labels.get(name, name): (
            f"compute changes from {old} to {new}: its log and what is known of its runs stay"
        )
        for name in before.keys() & after.keys()
        for old in _compute(before[name])
        for new in _compute(after[name])
        if old != new
    }


def _compute(resource: Mapping[str, Any]) -> Iterator[str]:
    """What an invoker starts runs in; nothing of any other resource."""
    environment = (resource.get("Properties") or {}).get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if isinstance(variables, Mapping) and _PROJECT in variables:
        yield str(variables.get(_COMPUTE, DEFAULT.name))
