"""Decimals: written as numbers, and read again digit by digit where a handler declares them.

A JSON number has any digits, and what reads it for Python makes a float of it, which holds 15 of
them. `json` writes no numbers but its own: a text with a mark stands for each other one until all
is written. Standard library only, as no other is there where payloads are sent.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from devbridge.payload.kinds import adapter_of, is_model, parts

Json = dict[str, Any]
MAX_DIGITS: Final = 4300
"""Of an integer, that Python reads unless it is told otherwise. As `runner.digits.MAX_DIGITS`."""
TOO_LONG: Final = f"an integer of more than {MAX_DIGITS:,} digits, which Python does not read"
AS_TEXT: Final = "send it as text: hex(number), which int(text, 16) reads"
"""The remedy. Without sys.set_int_max_str_digits, str(number) fails as JSON does."""
_LONG: Final = re.compile(rf"(?<!\d)\d{{{MAX_DIGITS + 1}}}")
_MANY: Final = re.compile(r"\.\d+0(?!\d)|\d[\d.]{16}")
"""A fraction that ends in 0, or more digits than each float has; in a text it does no harm."""


class Digits:
    """The `default` of one `json.dumps`, and what makes its text JSON."""

    def __init__(self, default: Callable[[Any], Any]) -> None:
        self._default = default
        self._mark = ""

    def __call__(self, value: Any) -> Any:
        """What stands for a value that json does not know.

        Raises:
            ValueError: a Decimal that is no number of JSON's.
        """
        if not isinstance(value, Decimal):
            return self._default(value)
        self._mark = self._mark or os.urandom(16).hex()
        return self._mark + number(value)

    def written(self, text: str) -> str:
        """The text with its numbers."""
        return re.sub(f'"{self._mark}([^"]*)"', r"\1", text) if self._mark else text


def number(value: Decimal) -> str:
    """A Decimal as a number of JSON's: an integer if it has no decimal places, with all its digits
    otherwise.

    Raises:
        ValueError: it has a `problem`.
    """
    if why := problem(value):
        raise ValueError(why)
    return format(value, "f") if value.as_tuple().exponent >= 0 else str(value)  # type: ignore[operator]


def problem(value: Decimal) -> str:
    """Why a Decimal is no number that is read from JSON as what it is; nothing if it is one."""
    if not value.is_finite():
        return f"{value}, which JSON does not have"
    if value.as_tuple().exponent >= 0:  # type: ignore[operator]
        return TOO_LONG if value.adjusted() >= MAX_DIGITS else ""
    return "" if abs(float(value)) < float("inf") else f"{value}, larger than every float"


def is_long(text: str) -> bool:
    """Whether there is an integer in a JSON text that Python does not read."""
    if not _LONG.search(text):
        return False
    found = []
    json.loads(text, parse_int=lambda digits: found.append(len(digits.lstrip("-")) > MAX_DIGITS))
    return any(found)


def needs_text(text: str) -> bool:
    """Whether a JSON text may have numbers that would lose digits if it were read and written."""
    return _MANY.search(text) is not None


def reader(kind: Any) -> Callable[[bytes | str], Any]:
    """What reads a payload for a handler that declares `kind`: as `json.loads`, but what becomes a
    Decimal is one at once, with all its digits."""
    if Decimal not in parts(kind):
        return json.loads
    try:
        schemas = [*_schemas(kind)]
    except Exception:  # it has none: then a Decimal is made of the float
        return json.loads

    def read(text: bytes | str) -> Any:
        return _read(json.loads(text, parse_float=Decimal), schemas, schemas)

    return read


def _schemas(kind: Any) -> Iterable[Json]:
    """JSON Schemas in which Decimals have the format "decimal"."""
    if not any(map(is_model, parts(kind))):
        return [importlib.import_module("msgspec.json").schema(kind)]
    generator = importlib.import_module("pydantic.json_schema").GenerateJsonSchema

    class Marking(generator):  # type: ignore[misc, valid-type]
        def decimal_schema(self, _: Any) -> Json:
            return {"format": "decimal"}

        def handle_invalid_for_json_schema(self, *_: Any) -> Json:
            return {}

    adapter = adapter_of(kind)
    # a field may be read by either of its names
    return [adapter.json_schema(by_alias=a, schema_generator=Marking) for a in (True, False)]


def _read(value: Any, schemas: list[Json], roots: list[Json]) -> Any:
    """A value, which has Decimals for all numbers that are no integers."""
    here = [*_alternatives(schemas, roots)]
    if isinstance(value, Decimal):
        known = any(schema.get("format") == "decimal" for schema in here)
        return value if known and not any(s.get("type") == "number" for s in here) else float(value)
    if isinstance(value, list):
        return [_read(item, [*_items(here, at)], roots) for at, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _read(item, [*_members(here, key)], roots) for key, item in value.items()}
    return value


def _alternatives(schemas: Iterable[Any], roots: list[Json]) -> Iterable[Json]:
    for schema in schemas:
        if not isinstance(schema, dict):
            continue
        yield schema
        if ref := schema.get("$ref"):
            name = ref.removeprefix("#/$defs/")
            yield from _alternatives((root.get("$defs", {}).get(name) for root in roots), roots)
        for several in ("anyOf", "oneOf", "allOf"):
            yield from _alternatives(schema.get(several, ()), roots)


def _items(schemas: Iterable[Json], at: int) -> Iterable[Any]:
    for schema in schemas:
        yield from schema.get("prefixItems", ())[at : at + 1]
        yield schema.get("items")


def _members(schemas: Iterable[Json], key: str) -> Iterable[Any]:
    for schema in schemas:
        yield schema.get("properties", {}).get(key)
        yield schema.get("additionalProperties")
        yield from schema.get("patternProperties", {}).values()
