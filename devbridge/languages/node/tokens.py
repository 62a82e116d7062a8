"""The tokens of a type as TypeScript's declarations write it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<elided>/\*elided\*/\s*any\b)
    | (?P<comment>/\*.*?\*/|//[^\n]*)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?n?)
    | (?P<name>[^\W\d][\w$]*|\$[\w$]*|\#[\w$]+)
    | (?P<mark>=>|\.\.\.|[{}\[\]()<>|&;,:?=.+*-])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PLAIN: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


class NotUnderstood(Exception):
    """A text that is no type, or one that this does not know."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token."""

    kind: str
    """``name``, ``string``, ``number``, ``template``, ``elided``, ``mark`` or ``end``."""
    text: str
    """A string's is its value."""


END: Final = Token("end", "")


def tokens(text: str) -> Iterator[Token]:
    """
    Raises:
        NotUnderstood: there is a character that no type has.
    """
    at = 0
    while at < len(text):
        if text[at] == "`":
            end = _template_end(text, at)
            yield Token("template", text[at + 1 : end - 1])
            at = end
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotUnderstood(text[at : at + 20])
        at = found.end()
        kind = str(found.lastgroup)
        if kind == "string":
            yield Token(kind, _value(found[0]))
        elif kind not in ("space", "comment"):
            yield Token(kind, found[0])


def _template_end(text: str, at: int) -> int:
    """Where a template literal's type ends; one may have another inside its braces."""
    depth, at = 0, at + 1
    while at < len(text):
        c = text[at]
        if c == "\\":
            at += 1
        elif c == "`":
            if depth == 0:
                return at + 1
            at = _template_end(text, at) - 1
        elif c == "$" and text[at + 1 : at + 2] == "{" and depth == 0:
            depth, at = 1, at + 1
        elif depth and c in "{}":
            depth += 1 if c == "{" else -1
        at += 1
    raise NotUnderstood("`")


def _value(literal: str) -> str:
    if literal[0] == '"' and "\\" not in literal:
        return literal[1:-1]
    return _ESCAPED.sub(_unescaped, literal[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "u" and code[1:2] != "{":
        # A character beyond the basic plane is written as two.
        return str(json.loads(f'"\\{code}"'))
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:].strip("{}"), 16))
    return _PLAIN.get(code, code)
