"""JSON Schemas of TypeScript's unions, intersections and literal numbers. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]
ANYTHING: Final[Json] = {}
NULL: Final[Json] = {"type": "null"}
_NEVER: Final[Json] = {"not": {}}
_SCALARS: Final = ("string", "number", "boolean", "null")


def union(members: Sequence[Json]) -> Json:
    """The schema of what is one of these: literals are one enum, and anything takes all in."""
    flat: list[Json] = []
    literals: list[Any] = []
    for member in _flattened(members):
        if member == ANYTHING:
            return ANYTHING
        if "enum" in member:
            literals += [v for v in member["enum"] if not _among(v, literals)]
        elif member != _NEVER and member not in flat:
            flat.append(member)
    if _among(True, literals) and _among(False, literals):
        literals = [value for value in literals if not isinstance(value, bool)]
        flat.append({"type": "boolean"})
    if literals:
        flat.append({"enum": sorted(literals, key=_order)})
    # In which order TypeScript has them depends on what else it has read.
    flat.sort(key=_order)
    if not flat:
        return _NEVER
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def intersection(members: Sequence[Json]) -> Json:
    """The schema of what is all of these. A scalar with a brand is the scalar."""
    for member in members:
        if member.get("type") in _SCALARS or "enum" in member:
            return member
    known = [dict(member) for member in members if member]
    if len(known) == 1:
        return known[0]
    if not known or any(set(member) - {"type", "properties", "required"} for member in known):
        return {"allOf": known} if known else ANYTHING
    made: Json = {"type": "object", "properties": {}}
    for member in known:
        for key, value in member.get("properties", {}).items():
            both = made["properties"].get(key)
            made["properties"][key] = value if both in (None, value) else {"allOf": [both, value]}
    required = [key for member in known for key in member.get("required", ())]
    return {**made, **({"required": list(dict.fromkeys(required))} if required else {})}


def numbers(text: Json) -> Json:
    """The numbers that texts stand for; any, if not all are known."""
    if "enum" in text:
        return {"enum": [number(each) for each in text["enum"]]}
    return {"type": "number"}


def number(text: str) -> float | int:
    """What a literal says."""
    try:
        return int(text)
    except ValueError:
        found = float(text)
        return int(found) if found.is_integer() and abs(found) < 2**53 else found


def _flattened(members: Sequence[Json]) -> list[Json]:
    found = []
    for member in members:
        found += _flattened(member["anyOf"]) if set(member) == {"anyOf"} else [dict(member)]
    return found


def _order(value: object) -> tuple[bool, bool, float, str]:
    """Texts, then numbers by their size, then all else; null reads best at the end."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    text = isinstance(value, str)
    return value in (None, NULL), not text, number, json.dumps(value, sort_keys=True)


def _among(value: object, values: Sequence[object]) -> bool:
    """Whether a literal is there; True is not 1."""
    return any(type(each) is type(value) and each == value for each in values)
