"""From a type as TypeScript's declarations write it to the JSON Schema of what JSON.stringify makes
of its values. Pure.

The types are those that `devbridge.languages.node.probe_file` has expanded: no interface, alias or
enum has a name any more, and what still has one is of JavaScript's own library, or not understood.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from devbridge.languages.node.library import Known, known, left_out
from devbridge.languages.node.tokens import END, NotUnderstood, Token, tokens
from devbridge.languages.node.unions import ANYTHING, NULL, intersection, number, numbers, union

Json = dict[str, Any]

NUMBER: Final = "~number"
"""The key of the object that stands for a literal number, as text: an enum's members have names.
No text could stand for it, since TypeScript leaves those out beside `string`."""
TEXT: Final = "~"
"""What literal texts begin with. TypeScript names a union's alias unless each member is another."""
ALONE: Final = "$devbridge"
"""The key of the object that stands for what has no other form, so that its union's alias goes."""
RECURSION: Final = "~recursive"
"""The key of the object that stands for a type inside of itself."""
RECURSIVE: Final = "is recursive: from there on it is not checked"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that JSON Schema or JSON itself cannot say of a type."""

    path: str
    """``payload.tree``"""
    what: str


@dataclass(slots=True)
class Read:
    """What one type is."""

    schema: Json
    """Empty: anything."""
    notes: list[Note] = field(default_factory=list)


def read(text: str, name: str, *, sent: bool) -> Read:
    """The JSON Schema of a type, which the text begins with.

    Args:
        name: what notes call it: ``payload``.
        sent: it is read from JSON by the handler, not made into JSON.
    """
    reader = _Reader(list(tokens_of(text)), sent)
    try:
        schema = reader.type(name)
    except NotUnderstood as problem:
        note = Note(name, f"is not understood at {str(problem)!r}: it is not checked")
        return Read({}, [note])
    return Read(reader.top(schema), list(dict.fromkeys(reader.notes)))


def tokens_of(text: str) -> list[Token]:
    """The tokens as far as there are any: a type may be followed by what is none."""
    found: list[Token] = []
    try:
        found.extend(tokens(text))
    except NotUnderstood:
        return [*found, END]
    return [*found, END]


class _Absent(dict[str, Any]):
    """The schema of what JSON.stringify leaves out, or makes null of where it cannot."""


_ABSENT: Final = _Absent()


class _Reader:
    """Reads one type, by recursive descent. Paths are for its notes."""

    def __init__(self, found: list[Token], sent: bool) -> None:
        self._tokens = found
        self._at = 0
        self._sent = sent
        self.notes: list[Note] = []

    def top(self, schema: Json) -> Json:
        """JSON has no `undefined`: alone, it is null."""
        return NULL if isinstance(schema, _Absent) else schema

    def type(self, path: str) -> Json:
        before = len(self.notes)
        members = [self._intersection(path, leading="|")]
        while self._took("|"):
            members.append(self._intersection(path))
        if self._took("extends"):  # a conditional type that TypeScript has not decided
            self.type(path)
            for mark in "?:":
                self._need(mark)
                self.type(path)
            del self.notes[before:]
            return self._unknown(path, "a conditional type")
        present = [each for each in members if not isinstance(each, _Absent)]
        if not present:
            return _ABSENT
        if len(present) < len(members):
            return _Optional(union(present))
        return union(present)

    def _intersection(self, path: str, leading: str = "") -> Json:
        self._took(leading) or self._took("&")
        members = [self._postfix(path)]
        while self._took("&"):
            members.append(self._postfix(path))
        return members[0] if len(members) == 1 else intersection(members)

    def _postfix(self, path: str) -> Json:
        self._took("readonly")
        at, before = self._at, len(self.notes)
        found = self._primary(path)
        while self._peek() == "[":
            self._need("[")
            if self._took("]"):
                found = {"type": "array", "items": self._item(found)}
            else:
                self.type(path)
                self._need("]")
                del self.notes[before:]
                found = self._unknown(path, self._written(at))
        return found

    def _item(self, schema: Json) -> Json:
        """What an item becomes: there is no hole in an array of JSON's."""
        if isinstance(schema, _Absent):
            return NULL
        return union([dict(schema), NULL]) if isinstance(schema, _Optional) else schema

    def _primary(self, path: str) -> Json:  # noqa: PLR0911
        token = self._next()
        match token.kind, token.text:
            case "mark", "{":
                return self._object(path)
            case "mark", "[":
                return self._tuple(path)
            case "mark", "(" if self._is_function():
                return self._function(path)
            case "mark", "(":
                found = self.type(path)
                self._need(")")
                return found
            case "mark", "<":
                self._skip("<", ">")
                self._need("(")
                return self._function(path)
            case "elided", _:
                return self._note(path, RECURSIVE)
            case "string", text:
                return {"enum": [text.removeprefix(TEXT)]}
            case "number", text if text.endswith("n"):
                return self._named("bigint", path)
            case "number", text:
                return {"enum": [number(text)]}
            case "template", _:
                return {"type": "string"}
            case "name", name:
                return self._named(name, path)
        raise NotUnderstood(token.text or "its end")

    def _named(self, name: str, path: str) -> Json:
        at = self._at - 1
        if name in ("new", "abstract"):
            self._took("new")
            if self._took("<"):
                self._skip("<", ">")
            self._need("(")
            return self._function(path)
        if name in ("unique", "keyof", "typeof", "asserts", "infer"):
            self._postfix(path)
            unique = name == "unique"
            return self._known(path, left_out("symbol")) if unique else self._unknown(path, name)
        if name == "import" and self._took("("):
            self._skip("(", ")")
        while self._took("."):
            name = self._next().text
        arguments = self._arguments(path)
        if name in ("Array", "ReadonlyArray") and len(arguments) == 1:
            return {"type": "array", "items": self._item(arguments[0])}
        found = known(name)
        return self._unknown(path, self._written(at)) if found is None else self._known(path, found)

    def _known(self, path: str, found: Known) -> Json:
        if found.note and (self._sent or not found.only_read):
            self._note(path, found.note)
        return _ABSENT if found.schema is None else found.schema

    def _arguments(self, path: str) -> list[Json]:
        """Those of a generic type. What is inside of them is told of where it is used."""
        if not self._took("<"):
            return []
        before = len(self.notes)
        found = [self.type(path)]
        while self._took(","):
            found.append(self.type(path))
        self._need(">")
        del self.notes[before:]
        return found

    # --- objects and tuples -------------------------------------------------------------------

    def _object(self, path: str) -> Json:
        if self._took(ALONE):
            self._need(":")
            found = self.type(path)
            self._took(";")
            self._need("}")
            return found
        properties: Json = {}
        required: list[str] = []
        others: list[Json] = []
        while not self._took("}"):
            self._member(path, properties, required, others)
            self._took(";") or self._took(",")
        if RECURSION in properties:
            return self._note(path, RECURSIVE)
        if NUMBER in properties:
            return numbers(properties[NUMBER])
        if not properties and not others:
            return ANYTHING
        made: Json = {"type": "object"}
        if properties:
            made["properties"] = properties
        if required:
            made["required"] = required
        if others and (found := union(others)):
            made["additionalProperties"] = found
        return made

    def _member(self, path: str, properties: Json, required: list[str], others: list[Json]) -> None:
        token = self._next()
        while token.text in ("readonly", "get", "set") and self._peek() not in ("?", ":", "(", "<"):
            token = self._next()
        if token.kind == "mark" and token.text in ("(", "<"):
            self._back()  # it can be called: a function, with properties
            self._primary(path)
            if self._took(":"):
                self.type(path)
            return
        if token.text == "[" and token.kind == "mark":
            self._index(path, others)
            return
        key = token.text
        below = f"{path}.{key}"
        optional = self._took("?")
        if self._peek() in ("(", "<"):
            if self._took("<"):
                self._skip("<", ">")
            self._need("(")
            self._skip("(", ")")
            if self._took(":"):
                self._returned(path)
            self._known(below, left_out("function"))
            return
        self._need(":")
        schema = self.type(below)
        if isinstance(schema, _Absent) or (optional and schema == {"not": {}}):
            return
        properties[key] = dict(schema)
        if not optional and not isinstance(schema, _Optional):
            required.append(key)

    def _index(self, path: str, others: list[Json]) -> None:
        """``[key: string]: T``; or a key that is a symbol, which JSON leaves out."""
        signature = self._tokens[self._at + 1].text == ":"
        self._skip("[", "]")
        self._took("?")
        if self._peek() == "(":
            self._need("(")
            self._function(path, ":")
            return
        self._need(":")
        before = len(self.notes)
        schema = self.type(path)
        if not signature:
            del self.notes[before:]
        elif not isinstance(schema, _Absent):
            others.append(dict(schema))

    def _tuple(self, path: str) -> Json:
        first: list[Json] = []
        least = 0
        rest: Json | None = None
        while not self._took("]"):
            spread = self._took("...")
            optional = self._label()
            item = self.type(f"{path}[{len(first)}]")
            optional = self._took("?") or optional or isinstance(item, _Optional)
            if spread or rest is not None:
                rest = item.get("items", ANYTHING) if spread and rest is None else ANYTHING
            else:
                first.append(self._item(item))
                least = least if optional else len(first)
            self._took(",")
        made: Json = {"type": "array", "minItems": least}
        if first:
            made["prefixItems"] = first
        if rest is None:
            made["maxItems"] = len(first)
        else:
            made["items"] = rest
        return made

    def _label(self) -> bool:
        """Past an item's name; whether that says that the item may be left out."""
        one, two, three = (self._tokens[min(self._at + i, len(self._tokens) - 1)] for i in range(3))
        if one.kind != "name" or one.text == "readonly":
            return False
        if two.text == ":" or (two.text == "?" and three.text == ":"):
            self._at += 2 if two.text == ":" else 3
            return two.text == "?"
        return False

    # --- functions ----------------------------------------------------------------------------

    def _is_function(self) -> bool:
        """Whether the parenthesis that was just opened has a function's parameters."""
        at = self._at
        self._skip("(", ")")
        found = self._peek() == "=>"
        self._at = at
        return found

    def _function(self, path: str, arrow: str = "=>") -> Json:
        self._skip("(", ")")
        self._need(arrow)
        self._returned(path)
        return self._known(path, left_out("function"))

    def _returned(self, path: str) -> None:
        before = len(self.notes)
        self.type(path)
        if self._took("is"):
            self.type(path)
        del self.notes[before:]

    def _skip(self, opened: str, closed: str) -> None:
        """Past what closes the mark that was just read."""
        depth = 1
        while depth:
            token = self._next()
            if token is END:
                raise NotUnderstood("its end")
            if token.kind == "mark":
                depth += (token.text == opened) - (token.text == closed)

    # --- tokens -------------------------------------------------------------------------------

    def _peek(self) -> str:
        token = self._tokens[self._at]
        return token.text if token.kind in ("mark", "name") else ""

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _back(self) -> None:
        self._at -= 1

    def _took(self, text: str) -> bool:
        if not text or self._peek() != text:
            return False
        self._at += 1
        return True

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise NotUnderstood(self._tokens[self._at].text or "its end")

    def _written(self, at: int) -> str:
        return "".join(token.text for token in self._tokens[at : self._at])[:60]

    def _note(self, path: str, what: str) -> Json:
        self.notes.append(Note(path, what))
        return ANYTHING

    def _unknown(self, path: str, what: str) -> Json:
        return self._note(path, f"is {what}, which is not understood: it is not checked")


class _Optional(dict[str, Any]):
    """The schema of what may also be undefined."""
