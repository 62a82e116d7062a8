"""A line of a log that a filter pattern of CloudWatch Logs matches. Pure.

"Filter pattern syntax for metric filters, subscription filters, ..." (CloudWatch Logs user guide):
terms, all of which a line has, or some of which (``?``), or none (``-``); or ``{ $.level = "x" }``
for lines of JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from devbridge.messages.patterns import ABSENT, merge

EXAMPLE: Final = "an example of devbridge trigger"
_TERM: Final = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_CONDITION: Final = re.compile(
    r"""\s*\(*\s*\$\.([\w.-]+)\s*(!=|<=|>=|=|<|>|\bIS\b|\bNOT\s+EXISTS\b)\s*(.*?)\s*\)*\s*""",
    re.DOTALL,
)
_WORDS: Final = {"NULL": None, "TRUE": True, "FALSE": False}


def line(pattern: str) -> str | None:
    """A line that it matches, as far as that is easy to see; None: it is not."""
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        return _json(text[1:-1])
    if text.startswith("[") or "%" in text:
        return None
    terms = [
        (sign, quoted.replace('\\"', '"') or plain) for sign, quoted, plain in _TERM.findall(text)
    ]
    needed = [term for sign, term in terms if not sign]
    needed += [term for sign, term in terms if sign == "?" and not needed][:1]
    refused = [term for sign, term in terms if sign == "-"]
    made = " ".join(needed) if any(each in EXAMPLE for each in refused) else ""
    made = made or " ".join([*needed, EXAMPLE])
    return None if any(each in made for each in refused) else made


def _json(conditions: str) -> str | None:
    found: dict[str, Any] = {}
    for each in conditions.partition("||")[0].split("&&"):
        if (condition := _CONDITION.fullmatch(each)) is None or "%" in each:
            return None
        path, operator, operand = condition.groups()
        value = _value(operator, operand)
        if value is ABSENT:
            continue
        for name in reversed(path.split(".")):
            value = {name: value}
        merge(found, value)
    return json.dumps(found) if found else None


def _value(operator: str, operand: str) -> Any:
    """What is so compared with the operand."""
    if operator.startswith("NOT"):
        return ABSENT
    if operator == "IS":
        return _WORDS.get(operand.upper())
    quoted = operand.startswith('"')
    text = operand.strip('"')
    try:
        number = None if quoted else float(text)
    except ValueError:
        number = None
    if number is not None:
        moved = number + {"<": -1, ">": 1, "!=": 1}.get(operator, 0)
        return int(moved) if moved.is_integer() else moved
    return f"not {text}".replace("*", "") if operator == "!=" else text.replace("*", "text")
