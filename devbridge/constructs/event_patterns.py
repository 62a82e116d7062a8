"""Patterns that say which records are meant, as AWS's services take them. Pure.

What a service would refuse is said where it is written; and what it would take, and never match:
such records are passed over, or deleted, without a word.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.errors import did_you_mean
from devbridge.sources.base import Problem

MAX_PATTERN: Final = 2048
"""Characters of an event pattern: EventBridge's quota for a rule."""
OR: Final = "$or"
_BUT: Final = "anything-but"
_CASE: Final = "equals-ignore-case"
_TEXTS: Final = ("prefix", "suffix", _CASE)
_COMPARED: Final = ("=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a service knows."""

    service: str
    operators: tuple[str, ...]
    but: tuple[str, ...] = ()
    """Operators inside ``anything-but``."""
    texts_only: bool = False
    """``prefix`` and others take one text: neither ``{"equals-ignore-case": ...}``, nor a list
    inside ``anything-but``."""
    keys: tuple[str, ...] = ()
    """What a record has; () if nobody knows."""
    example: str = '{"source": ["shop"], "detail": {"state": ["sold"]}}'

    @property
    def shape(self) -> str:
        """What it takes."""
        return f"one such as {self.example}, each value a list"


EVENTBRIDGE: Final = Rules(
    "EventBridge",
    (*_TEXTS, _BUT, "wildcard", "numeric", "cidr", "exists"),
    but=(*_TEXTS, "wildcard"),
    keys=(
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
        "replay-name",
    ),
)
"""EventBridge User Guide, "Comparison operators for use in event patterns", and "Event structure",
with what a replay adds."""
LAMBDA: Final = Rules("Lambda's event filtering", (*_TEXTS, _BUT, "numeric", "exists"))
"""Lambda Developer Guide, "Filter rule syntax"."""
SNS: Final = Rules(
    "SNS",
    (*_TEXTS, _BUT, "numeric", "cidr", "exists"),
    but=("prefix", "suffix"),
    texts_only=True,
    example='{"jobName": ["thumbs"]}',
)
"""SNS Developer Guide, "Amazon SNS subscription filter policies"."""


def pattern_problem(what: str, pattern: object, rules: Rules) -> Problem | None:
    """What of a pattern a service would refuse, or never match, and what it takes."""
    if not isinstance(pattern, Mapping) or not pattern:
        return f"{what} {pattern!r}", rules.shape
    try:
        text = json.dumps(pattern)
    except (TypeError, ValueError):
        return f"{what} {pattern!r}", f"{rules.shape}, of JSON values"
    if len(text) > MAX_PATTERN:
        return f"{what} of {len(text):,} characters", f"at most {MAX_PATTERN:,}"
    found = next(_problems(pattern, "", rules, rules.keys), None)
    return found and (f"{what}: {found[0]}", found[1])


def fields(pattern: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a pattern says of each field of a record, the alternatives of ``$or`` included."""
    for key, value in pattern.items():
        if key != OR:
            yield key, value
            continue
        for each in value:
            yield from fields(each)


def _problems(
    pattern: Mapping[Any, Any], path: str, rules: Rules, keys: Collection[str] = ()
) -> Iterator[Problem]:
    """
    Args:
        keys: those that there are here; none: nobody knows.
    """
    for key, value in pattern.items():
        here = f"{path}.{key}" if path else str(key)
        if key == OR:
            inner = value if isinstance(value, list) and len(value) > 1 else [None]
            if not all(isinstance(each, Mapping) and each for each in inner):
                yield f"{here} is no list of two patterns or more", rules.shape
                return
            for number, each in enumerate(inner):
                yield from _problems(each, f"{here}[{number}]", rules, keys)
        elif keys and key not in keys:
            yield f"{here!r}{did_you_mean(str(key), keys)}", f"what a record has: {', '.join(keys)}"
        elif isinstance(value, Mapping) and value:
            yield from _problems(value, here, rules)
        elif not isinstance(value, list) or not value:
            yield f"{here} is {value!r}", rules.shape
        else:
            for each in value:
                yield from _of_alternative(here, each, rules)


def _of_alternative(path: str, one: Any, rules: Rules) -> Iterator[Problem]:
    if one is None or isinstance(one, str | int | float):
        return
    if not isinstance(one, Mapping) or len(one) != 1:
        yield f"{path} has {one!r}", 'a value, or one operator: {"prefix": "a"}'
        return
    ((name, operand),) = one.items()
    if name not in rules.operators:
        known = ", ".join(rules.operators)
        near = did_you_mean(str(name), rules.operators)
        yield f"{path} has the operator {name!r}{near}", f"what {rules.service} knows: {known}"
    elif allowed := _allowed(name, operand, rules):
        yield f"{path} has {name} {operand!r}", allowed


def _allowed(name: str, operand: Any, rules: Rules) -> str:
    """What an operator takes, if it is not this; else ""."""
    match name:
        case "exists":
            return "" if isinstance(operand, bool) else "true or false"
        case "numeric":
            return "" if _is_range(operand) else '["=", 5], [">", 0] or [">", 0, "<=", 5]'
        case "cidr":
            return "" if _is_network(operand) else 'a network: "10.0.0.0/24"'
        case "anything-but":
            return _allowed_but(operand, rules)
    if isinstance(operand, Mapping) and not rules.texts_only and name in ("prefix", "suffix"):
        ok = operand.keys() == {_CASE} and isinstance(operand[_CASE], str)
        return "" if ok else f'a text, or {{"{_CASE}": "a"}}'
    return "" if isinstance(operand, str) else "a text"


def _allowed_but(operand: Any, rules: Rules) -> str:
    if isinstance(operand, Mapping):
        inner = [*operand] if rules.but else []
        if len(inner) == 1 and inner[0] in rules.but and _is_texts(operand[inner[0]], rules):
            return ""
        also = "".join(f', {{"{each}": "a"}}' for each in rules.but)
        return f"a text, a number, a list of these{also}: what {rules.service} knows"
    several = operand if isinstance(operand, list) and operand else [operand]
    plain = all(isinstance(one, str) or _is_number(one) for one in several)
    return "" if plain else "a text, a number, or a list of these"


def _is_texts(operand: Any, rules: Rules) -> bool:
    listed = isinstance(operand, list) and operand and not rules.texts_only
    several = operand if listed else [operand]
    return all(isinstance(one, str) for one in several)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(operand: Any) -> bool:
    if not isinstance(operand, Sequence) or isinstance(operand, str) or len(operand) not in (2, 4):
        return False
    signs, bounds = operand[::2], operand[1::2]
    if not all(sign in _COMPARED for sign in signs) or not all(map(_is_number, bounds)):
        return False
    if len(signs) == 1:
        return True
    upwards = signs[0] in (">", ">=") and signs[1] in ("<", "<=")
    return upwards and bool(bounds[0] < bounds[1])


def _is_network(operand: Any) -> bool:
    try:
        ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False
    return isinstance(operand, str)
