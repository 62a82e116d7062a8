"""Something that a pattern matches: of EventBridge, of SNS's filters, of Lambda's. Pure.

The operators are those of "Comparison operators for use in event patterns" (EventBridge User Guide)
and of SNS's "Filter policy operators".
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_COMPARED: Final = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ABSENT: Final = object()
"""There must be nothing of that name."""
_OTHERS: Final = ("text", "other", "another")


def matching(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """A small object that a pattern matches, as far as that is easy to see: of alternatives the
    first. An operator that is not known is taken for any text."""
    found: dict[str, Any] = {}
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, Sequence) and value:
            merge(found, matching(value[0]))
        elif isinstance(value, Mapping):
            merge(found, {key: matching(value)})
        elif (one := _of(value)) is not ABSENT:
            found[key] = one
    return found


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """Whether a pattern of EventBridge or of Lambda's event filtering matches an object."""
    held = value if isinstance(value, Mapping) else {}
    for key, wanted in pattern.items():
        if key == "$or" and isinstance(wanted, Sequence):
            fits = any(matches(each, held) for each in wanted)
        elif isinstance(wanted, Mapping):
            fits = matches(wanted, held.get(key))
        else:
            own = held.get(key, ABSENT)
            each_of = own if isinstance(own, list) else [own]
            fits = any(_fits(rule, one) for rule in wanted for one in each_of or [ABSENT])
        if not fits:
            return False
    return True


def _fits(rule: Any, value: Any) -> bool:
    """Whether one of a pattern's alternatives takes a value."""
    if not isinstance(rule, Mapping):
        return bool(rule == value) and isinstance(rule, bool) == isinstance(value, bool)
    ((kind, operand),) = rule.items()
    if kind == "exists":
        return bool(operand) == (value is not ABSENT)
    return value is not ABSENT and _fits_operator(kind, operand, value)


def _fits_operator(kind: str, operand: Any, value: Any) -> bool:
    if kind == "anything-but":
        refused = operand if isinstance(operand, list) else [operand]
        return not any(_fits(each, value) for each in refused)
    if isinstance(operand, list) and kind != "numeric":  # any of them, inside anything-but
        return any(_fits_operator(kind, each, value) for each in operand)
    if kind == "numeric":
        return isinstance(value, int | float) and all(
            _COMPARED[sign](value, bound)
            for sign, bound in zip(operand[::2], operand[1::2], strict=False)
        )
    if not isinstance(value, str) or kind not in _TEXTS:
        return False
    if isinstance(operand, Mapping):  # {"prefix": {"equals-ignore-case": "a"}}
        operand, value = str(next(iter(operand.values()))).lower(), value.lower()
    return _TEXTS[kind](value, operand)


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _is_like(text: str, wildcard: str) -> bool:
    """A backslash makes the next sign one of its own."""
    signs = re.findall(r"\\.|.", wildcard, re.DOTALL)
    parts = [".*" if sign == "*" else re.escape(sign[-1]) for sign in signs]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


_TEXTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "equals-ignore-case": lambda text, other: text.lower() == other.lower(),
    "wildcard": _is_like,
    "cidr": _is_in,
}


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of DynamoDB, ``{"state": {"S": "new"}}``, as JSON has it: ``{"state": "new"}``."""
    return {name: _plain(each) for name, each in row.items()}


def _plain(typed: Any) -> Any:
    if not isinstance(typed, Mapping) or len(typed) != 1:
        return typed
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            number = float(value)
            return int(number) if number.is_integer() else number
        case "NULL":
            return None
        case "M":
            return plain(value)
        case "L":
            return [_plain(each) for each in value]
        case _:
            return value


def merge(into: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`into` with what `more` has, objects in objects too; `into` is changed."""
    for key, value in more.items():
        old = into.get(key)
        if isinstance(value, Mapping) and isinstance(old, dict):
            merge(old, value)
        else:
            into[key] = value
    return into


def _of(alternatives: Any) -> Any:
    """What one of the alternatives takes."""
    if not isinstance(alternatives, Sequence) or isinstance(alternatives, str) or not alternatives:
        return _OTHERS[0]
    present = [each for each in alternatives if each != {"exists": False}]
    if not present:
        return ABSENT
    first = present[0]
    return _operated(*next(iter(first.items()))) if isinstance(first, Mapping) and first else first


def _operated(operator: str, operand: Any) -> Any:
    match operator:
        case "prefix" | "suffix" | "equals-ignore-case":
            return next(iter(operand.values())) if isinstance(operand, Mapping) else operand
        case "wildcard":
            return _filled(str(operand))
        case "anything-but":
            return _another(operand)
        case "numeric":
            return _number(operand)
        case "cidr":
            return str(ipaddress.ip_network(operand, strict=False).network_address)
        case _:
            return _OTHERS[0]


def _filled(wildcard: str) -> str:
    """With a text in place of each ``*`` that no backslash makes one of its own."""
    parts: list[str] = []
    signs = iter(wildcard)
    for sign in signs:
        if sign == "\\":
            parts.append(next(signs, ""))
        else:
            parts.append(_OTHERS[0] if sign == "*" else sign)
    return "".join(parts)


def _another(operand: Any) -> Any:
    """What is none of these, and not like them."""
    refused = operand if isinstance(operand, list) else [operand]
    if all(isinstance(each, int | float) for each in refused):
        return max(refused) + 1
    said = json.dumps(operand, ensure_ascii=False).lower()
    unsaid = next(sign for sign in map(chr, range(ord("0"), sys.maxunicode)) if sign not in said)
    found = (one for one in (*_OTHERS, unsaid) if _fits({"anything-but": operand}, one))
    return next(found, unsaid)


def _number(operand: Sequence[Any]) -> float:
    """One that the comparisons allow: ``[">", 0, "<=", 5]``."""
    bounds = dict(zip(operand[::2], operand[1::2], strict=False))
    if (same := bounds.get("=")) is not None:
        return float(same) if isinstance(same, float) else int(same)
    least, most = bounds.get(">=", bounds.get(">")), bounds.get("<=", bounds.get("<"))
    if ">=" in bounds:
        return bounds[">="]  # type: ignore[no-any-return]
    if "<=" in bounds:
        return bounds["<="]  # type: ignore[no-any-return]
    if least is not None and most is not None:
        return (least + most) / 2  # type: ignore[no-any-return]
    return least + 1 if least is not None else most - 1 if most is not None else 0
