"""From JSON Schema to Python's annotations, with a TypedDict for each object. Pure.

By hand: datamodel-code-generator makes modules of classes, and knows no difference between what is
sent and what is received.
"""

from __future__ import annotations

import ast
import json
import keyword
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from devbridge.definitions import parsed

Json = dict[str, Any]
_SCALARS: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}


class Annotations:
    """Makes the annotations of one stub file.

    `definitions` is the text of the TypedDicts that they name.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self.definitions: list[str] = []
        self._taken = set(taken)

    def unique(self, name: str) -> str:
        """The name, or one like it, that nothing in the file has yet."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def of(self, schema: Json, prefix: str, name: str, *, sent: bool) -> str:
        """The annotation of one schema.

        Args:
            prefix: begins the names of its TypedDicts.
            name: the rest of the name of its own.
            sent: it is given by the caller and changed by nobody: a tuple is as good as a list,
                and a narrower type of an item as the type itself. Otherwise it was read from JSON.
        """
        return _One(self, schema.get("$defs", {}), prefix, sent).root(schema, name)


class _One:
    def __init__(self, file: Annotations, defs: Json, prefix: str, sent: bool) -> None:
        self._file = file
        self._defs = defs
        self._prefix = prefix
        self._sent = sent
        self._named: dict[str, str] = {}
        self._open: list[str] = []

    def root(self, schema: Json, name: str) -> str:
        if ref := schema.get("$ref"):
            return self._ref(ref, name)
        return self._of(schema, name)

    def _of(self, schema: Json | bool, name: str) -> str:  # noqa: PLR0911
        if isinstance(schema, bool):
            return "Any" if schema else "Never"
        if ref := schema.get("$ref"):
            return self._ref(ref)
        if "enum" in schema:
            return _literal(schema["enum"])
        if "const" in schema:
            return _literal([schema["const"]])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return _union(
                    [self._of(item, f"{name}{i}") for i, item in _numbered(schema[several])]
                )
        if len(schema.get("allOf", ())) == 1:
            return self._of(schema["allOf"][0], name)
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union([self._of({**schema, "type": one}, name) for one in kind])
        if kind == "object":
            return self._object(schema, name)
        if kind == "array":
            return self._array(schema, name)
        if kind == "string" and schema.get("format") == "decimal":
            return "float | str"
        return _SCALARS.get(kind or "", "Any")

    def _ref(self, ref: str, name: str = "") -> str:
        key = ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        if key in self._named:
            return self._named[key]
        target = self._defs.get(key, {})
        if key in self._open:
            return "Any"  # a list of itself has no name
        own = name or pascal(key)
        if _is_record(target):
            made = self._file.unique(self._prefix + own)
            self._named[key] = made
            self._record(target, made)
            return made
        self._open.append(key)
        found = self._of(target, own)
        self._open.pop()
        return found

    def _object(self, schema: Json, name: str) -> str:
        if _is_record(schema):
            made = self._file.unique(self._prefix + name)
            self._record(schema, made)
            return made
        mapping = "Mapping" if self._sent else "dict"
        values = "Any"
        others = schema.get("additionalProperties")
        if isinstance(others, dict) and "properties" not in schema:
            values = self._of(others, f"{name}Value")
        return f"{mapping}[str, {values}]"

    def _record(self, schema: Json, name: str) -> None:
        at = len(self._file.definitions)
        required = schema.get("required", ())
        fields = {}
        for key, value in schema["properties"].items():
            of = self._of(value, f"{name.removeprefix(self._prefix)}{pascal(key)}")
            fields[key] = _Field(of, required=key in required, constant=self._sent)
        self._file.definitions.insert(
            at, _typed_dict(name, fields, str(schema.get("description", "")))
        )

    def _array(self, schema: Json, name: str) -> str:
        items = schema.get("items")
        several = schema.get("prefixItems")
        if several:
            parts = [self._of(item, f"{name}{i}") for i, item in _numbered(several)]
            if schema.get("maxItems") != len(parts) or schema.get("minItems") != len(parts):
                return "_Array[Any]" if self._sent else "list[Any]"
            if self._sent:
                return _union([f"tuple[{', '.join(parts)}]", f"_List[{_union(parts)}]"])
            return f"list[{_union(parts)}]"
        item = self._of(items, f"{name}Item") if isinstance(items, dict) else "Any"
        return f"_Array[{item}]" if self._sent else f"list[{item}]"


def pascal(name: str) -> str:
    """``resize-images`` as the beginning of a class's name: ``ResizeImages``."""
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in name).split()
    return "".join(word[0].upper() + word[1:] for word in words)


def names(annotation: str) -> set[str]:
    """The names that an annotation is made of."""
    return {node.id for node in ast.walk(parsed(annotation)) if isinstance(node, ast.Name)}


def docstring(text: str, indent: str = "    ") -> str:
    """A docstring of the first paragraph of `text`; nothing without one."""
    lines = text.strip().partition("\n\n")[0].splitlines()
    if not lines:
        return ""
    body = f"\n{indent}".join(line.strip() for line in lines)
    body = body.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'{indent}"""{body}{" " if body.endswith(chr(34)) else ""}"""\n'


def _is_record(schema: Any) -> bool:
    """Whether an object has known fields, and none but them."""
    return (
        isinstance(schema, dict)
        and schema.get("type") == "object"
        and isinstance(schema.get("properties"), dict)
        and not schema.get("additionalProperties")
        and "patternProperties" not in schema
    )


@dataclass(frozen=True)
class _Field:
    """What a TypedDict has for one key."""

    of: str
    required: bool
    constant: bool
    """Nobody changes it, so a narrower type fits."""

    def annotation(self, *, by_class: bool = True) -> str:
        # mypy 1 breaks off at NotRequired[ReadOnly[...]] in the other form
        constant = self.constant and (self.required or by_class)
        of = f"ReadOnly[{self.of}]" if constant else self.of
        return of if self.required else f"NotRequired[{of}]"


def _typed_dict(name: str, fields: dict[str, _Field], description: str) -> str:
    used = set().union(*(names(field.of) for field in fields.values()))
    if all(map(_is_attribute, fields)) and used.isdisjoint(fields):
        lines = [f"    {key}: {field.annotation()}\n" for key, field in fields.items()]
        body = docstring(description) + "".join(lines)
        return f"class {name}(TypedDict):\n" + (body or "    pass\n")
    items = "".join(
        f"        {json.dumps(key)}: {field.annotation(by_class=False)},\n"
        for key, field in fields.items()
    )
    return f'{name} = TypedDict(\n    "{name}",\n    {{\n{items}    }},\n)\n'


def _is_attribute(key: str) -> bool:
    return key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("__")


def _literal(values: list[Any]) -> str:
    kinds = []
    if any(isinstance(value, float) for value in values):
        kinds.append("float")
    known = [v for v in values if v is None or isinstance(v, str | int)]
    if known:
        kinds.append(f"Literal[{', '.join(map(repr, known))}]")
    return _union(kinds if kinds and all(_plain(v) for v in values) else ["Any"])


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _union(members: list[str]) -> str:
    once = list(dict.fromkeys(members))
    if not once or "Any" in once:
        return "Any"
    # None reads best at the end
    return " | ".join(sorted(once, key=lambda member: member == "None"))


def _numbered(items: list[Any]) -> enumerate[Any]:
    return enumerate(items, 1)
