"""From JSON Schema to TypeScript's types. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from devbridge.types.annotations import pascal

Json = dict[str, Any]
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_SCALARS: Final[Mapping[str, str]] = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


class Writer:
    """Writes the type of one schema. What is inside of itself gets an interface, all else none."""

    def __init__(self, schema: Json, prefix: str, *, sent: bool) -> None:
        self.interfaces: list[str] = []
        self._schema = schema
        self._defs: Json = schema.get("$defs", {})
        self._prefix = prefix
        self._sent = sent
        """It is given by the caller and changed by nobody: a readonly array is as good."""
        self._open: list[str] = []
        self._named: dict[str, str] = {}

    def root(self) -> str:
        """The type. `interfaces` has the text of those that it names."""
        return self._of(self._schema, "    ")

    def _of(self, schema: Json | bool, indent: str) -> str:  # noqa: PLR0911
        if isinstance(schema, bool):
            return self._anything() if schema else "never"
        if ref := schema.get("$ref"):
            return self._ref(str(ref), indent)
        if "enum" in schema or "const" in schema:
            return _union([_literal(v) for v in schema.get("enum") or [schema["const"]]])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return _union([self._of(item, indent) for item in schema[several]])
        if "allOf" in schema:
            return " & ".join(_grouped(self._of(item, indent)) for item in schema["allOf"])
        if schema.get("not") == {}:
            return "never"
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union([self._of({**schema, "type": one}, indent) for one in kind])
        if kind == "object":
            return self._object(schema, indent)
        if kind == "array":
            return self._array(schema, indent)
        if kind == "string" and schema.get("format") == "decimal":
            return "number | string"
        return _SCALARS.get(str(kind), self._anything())

    def _anything(self) -> str:
        return "any" if self._sent else "unknown"

    def _ref(self, ref: str, indent: str) -> str:
        key = ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        target = self._defs.get(key, {})
        if key in self._named:
            return self._named[key]
        if self._is_recursive(key):
            if target.get("type") != "object":
                return self._anything()  # only an interface may be inside of itself
            # The '_' keeps it apart from all that the package has.
            name = self._named[key] = f"{self._prefix}_{pascal(key) or 'Type'}"
            body = self._object(target, "  ")
            self.interfaces.append(f"  export interface {name} {body}\n")
            return name
        return self._of(target, indent)

    def _is_recursive(self, key: str) -> bool:
        seen: set[str] = set()
        waiting = [*_refs(self._defs.get(key, {}))]
        while waiting:
            if (found := waiting.pop()) == key:
                return True
            if found not in seen:
                seen.add(found)
                waiting += _refs(self._defs.get(found, {}))
        return False

    def _object(self, schema: Json, indent: str) -> str:
        others = schema.get("additionalProperties")
        properties: Json = schema.get("properties", {})
        below = f"{indent}  "
        lines = [
            line
            for key, value in properties.items()
            for line in self._member(key, value, schema, below)
        ]
        if isinstance(others, dict) and others and not properties:
            lines.append(f"{below}[key: string]: {self._of(others, below)};\n")
        elif others or not properties:
            lines.append(f"{below}[key: string]: {self._anything()};\n")
        return f"{{\n{''.join(lines)}{indent}}}"

    def _member(self, name: str, value: Any, schema: Json, indent: str) -> Iterator[str]:
        yield from _comment(value, indent)
        of = self._of(value, indent)
        optional = name not in schema.get("required", ())
        # JSON.stringify leaves out what is undefined.
        more = " | undefined" if optional and self._sent and of != "any" else ""
        yield f"{indent}{key(name)}{'?' * optional}: {of}{more};\n"

    def _array(self, schema: Json, indent: str) -> str:
        constant = "readonly " if self._sent else ""
        items = schema.get("items")
        if several := schema.get("prefixItems"):
            least = schema.get("minItems", 0)
            parts = [
                self._of(item, indent) if at < least else f"{_grouped(self._of(item, indent))}?"
                for at, item in enumerate(several)
            ]
            if schema.get("maxItems") != len(parts):
                of = self._of(items, indent) if isinstance(items, dict) else self._anything()
                parts.append(f"...{_grouped(of)}[]")
            return f"{constant}[{', '.join(parts)}]"
        of = self._of(items, indent) if isinstance(items, dict) else self._anything()
        return f"{constant}{_grouped(of)}[]"


def _refs(schema: Any) -> Iterator[str]:
    """The names of all definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(ref := schema.get("$ref"), str):
            yield ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from _refs(each)


def _comment(schema: Any, indent: str) -> Iterator[str]:
    text = schema.get("description") if isinstance(schema, dict) else None
    lines = str(text or "").strip().partition("\n\n")[0].splitlines()
    if lines:
        body = " ".join(line.strip() for line in lines).replace("*/", "*\\/")
        yield f"{indent}/** {body} */\n"


def key(name: str) -> str:
    """A property's name as it is written."""
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _literal(value: Any) -> str:
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value)
    return repr(value) if isinstance(value, float) else "any"


def _union(members: Sequence[str]) -> str:
    once = list(dict.fromkeys(members))
    for wide in ("any", "unknown"):
        if wide in once or not once:
            return wide
    return " | ".join(sorted(once, key=lambda member: member == "null"))


def _grouped(of: str) -> str:
    """A type that '[]' may follow: a union needs parentheses."""
    depth = 0
    for c in of:
        depth += (c in "{[(") - (c in "}])")
        if depth == 0 and c in "|&":
            return f"({of})"
    return f"({of})" if of.startswith("readonly ") else of
