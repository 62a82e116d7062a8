"""A plan in words, for people and for programs. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from devbridge.deploy.changes import Action, Change
from devbridge.deploy.plan import Plan

MARKS: Final[Mapping[Action, str]] = {"add": "+", "change": "~", "replace": "!", "remove": "-"}
"""The first character of a change's line."""

_HASH: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
"""The SHA-256 that a zip is named by."""


def lines(plan: Plan) -> Iterator[str]:
    """The plan for people: one line a change, who may do what apart from the rest.

    A line begins with ``+`` (added), ``~`` (changed), ``!`` (replaced) or ``-`` (removed).
    """
    counts = Counter(change.action for change in plan.changes)
    said: Mapping[Action, str] = {
        "add": "added",
        "change": "changed",
        "replace": "replaced",
        "remove": "removed",
    }
    text = ", ".join(f"{counts[key]} {word}" for key, word in said.items() if counts[key])
    yield f"stack {plan.stack}{' (new)' if plan.creates else ''}: {text or 'only its outputs'}"
    order = list(MARKS)
    changes = sorted(plan.changes, key=lambda c: (order.index(c.action), c.label, c.logical_id))
    width = max((len(change.label) for change in changes), default=0)
    for change in changes:
        if not change.iam:
            yield _line(change, width)
    if any(change.iam for change in changes):
        yield "who may do what:"
    same = 0
    for change in changes:
        if change.iam and _says_the_same(change):
            same += 1
        elif change.iam:
            yield _line(change, width)
            yield from (f"+   {change.label} {_short(text)}" for text in change.granted)
            yield from (f"-   {change.label} {_short(text)}" for text in change.revoked)
    if same:
        yield f"~ {same} more that follow what they refer to; who may do what stays the same"


def _short(text: str) -> str:
    """Nobody reads all of a hash."""
    return _HASH.sub(r"\1...", text)


def _says_the_same(change: Change) -> bool:
    """Whether it only follows what it refers to."""
    return change.action == "change" and not (change.properties or change.granted or change.revoked)


def _line(change: Change, width: int) -> str:
    what = f"{MARKS[change.action]} {change.label:<{width}}  {change.type}  {change.logical_id}"
    notes = []
    if change.action == "change":
        notes.append(", ".join(change.properties))
    if change.action != "replace":
        notes.append(change.reason)
    if change.action == "replace":
        notes.append(f"replaced: {change.reason}")
    if change.data:
        notes.append("its data is kept, outside of the app" if change.kept else "ITS DATA IS LOST")
    elif change.kept:
        notes.append("kept, outside of the app")
    return "  ".join([what, *filter(None, notes)])


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "stack": plan.stack,
        "creates": plan.creates,
        "changes": [
            {
                "action": change.action,
                "construct": change.label,
                "logicalId": change.logical_id,
                "type": change.type,
                "physicalId": change.physical_id or None,
                "reason": change.reason or None,
                "properties": list(change.properties),
                "iam": change.iam,
                "granted": list(change.granted),
                "revoked": list(change.revoked),
                "data": change.data,
                "kept": change.kept,
            }
            for change in plan.changes
        ],
    }
