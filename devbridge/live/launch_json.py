"""`.vscode/launch.json`: what it says of live runs. It is JSON with comments, which stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge.errors import DevbridgeError
from devbridge.folders import from_here

PATH: Final = Path(".vscode", "launch.json")
_TOKENS: Final = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[][{}:,])'
    r"|(?P<word>[\w.+-]+)",
    re.DOTALL,
)
_INDENT: Final = "    "


class NotUnderstood(Exception):
    """The text is no JSON with comments, or has something else where configurations belong."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A value, and where it is in the text."""

    begin: int
    end: int
    value: Any
    """A dict or a list of such, or a scalar."""


def write(root: Path, entries: Iterable[Mapping[str, Any]]) -> str:
    """Put entries into the file of an app's folder; what to say of it.

    Raises:
        DevbridgeError: what is there is not understood, or cannot be written.
    """
    path = root / PATH
    found = list(entries)
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        text = before
        for entry in found:
            text = with_entry(text, entry)
        if text != before:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError, NotUnderstood) as error:
        raise DevbridgeError(
            f"the configuration of VS Code cannot be changed: {error}",
            where=from_here(path),
            remedy=f"add {json.dumps(found)} to its configurations",
        ) from None
    names = " and ".join(f'"{entry["name"]}"' for entry in found)
    return f"{from_here(path)} has {names}"


def with_entry(text: str, entry: Mapping[str, Any]) -> str:
    """The text with an entry among its configurations. Of one that has its name, and may have been
    changed by hand, only the port becomes this one's.

    Raises:
        NotUnderstood: that cannot be done.
    """
    if not text.strip():
        text = '{\n    "version": "0.2.0",\n    "configurations": []\n}\n'
    document = _parsed(text)
    if not isinstance(document.value, dict):
        raise NotUnderstood("it is no object")
    configurations = document.value.get("configurations")
    if configurations is None:
        text = _inserted(text, document, '"configurations": []')
        return with_entry(text, entry)
    if not isinstance(configurations.value, list):
        raise NotUnderstood('"configurations" is no list')
    for each in configurations.value:
        if isinstance(each.value, dict) and _plain(each).get("name") == entry["name"]:
            return _with_port(text, each, entry)
    return _inserted(text, configurations, json.dumps(entry, indent=_INDENT))


def _with_port(text: str, found: _Value, entry: Mapping[str, Any]) -> str:
    """The text with the entry's port in place of that of the one that was found."""
    connects = found.value.get("connect")
    holder = connects if connects and isinstance(connects.value, dict) else found
    port = holder.value.get("port")
    wanted = entry.get("connect", entry)["port"]
    if port is None or port.value == wanted:
        return text
    return f"{text[: port.begin]}{wanted}{text[port.end :]}"


def _inserted(text: str, into: _Value, what: str) -> str:
    """The text with something new at the beginning of an object or a list."""
    line = text[text.rfind("\n", 0, into.begin) + 1 : into.begin]
    outer = line[: len(line) - len(line.lstrip())]
    inner = f"\n{outer}{_INDENT}"
    added = inner + what.replace("\n", inner)
    rest = text[into.begin + 1 :]
    after = "," if into.value else "" if rest.startswith("\n") else f"\n{outer}"
    return f"{text[: into.begin + 1]}{added}{after}{rest}"


def _plain(found: _Value) -> Any:
    """What a value is, wherever it is."""
    if isinstance(found.value, dict):
        return {key: _plain(each) for key, each in found.value.items()}
    if isinstance(found.value, list):
        return [_plain(each) for each in found.value]
    return found.value


def _parsed(text: str) -> _Value:
    tokens = _tokens(text)
    found = _value(next(tokens), tokens)
    if next(tokens).group():
        raise NotUnderstood("there is more behind its end")
    return found


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens, and an empty one at the end."""
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        token = _TOKENS.match(text, at)
        if token is None:
            raise NotUnderstood(f"line {text.count(chr(10), 0, at) + 1} is no JSON")
        at = token.end()
        if token.lastgroup != "skip":
            yield token
    end = re.compile("").match(text, at)
    assert end is not None  # noqa: S101 - narrows the type
    while True:
        yield end


def _value(first: re.Match[str], tokens: Iterator[re.Match[str]]) -> _Value:
    match first.group():
        case "{":
            entries: dict[str, _Value] = {}
            while (token := next(tokens)).group() != "}":
                if token.group() != ",":
                    _expect(next(tokens), ":")
                    entries[_scalar(token)] = _value(next(tokens), tokens)
            return _Value(first.start(), token.end(), entries)
        case "[":
            items: list[_Value] = []
            while (token := next(tokens)).group() != "]":
                if token.group() != ",":
                    items.append(_value(token, tokens))
            return _Value(first.start(), token.end(), items)
    return _Value(first.start(), first.end(), _scalar(first))


def _expect(token: re.Match[str], wanted: str) -> None:
    if token.group() != wanted:
        raise NotUnderstood(f"{token.group()!r} is where {wanted!r} belongs")


def _scalar(token: re.Match[str]) -> Any:
    try:
        return json.loads(token.group(), strict=False)
    except ValueError:
        raise NotUnderstood(f"{token.group() or 'its end'!r} is no JSON") from None
