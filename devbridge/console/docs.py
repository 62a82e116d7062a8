"""docs/console-api.md, made of the routes and the forms: ``python -m devbridge.console.docs``."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from devbridge.console import model, stage_model
from devbridge.console.gate import API
from devbridge.console.routes import ROUTES, Route
from devbridge.runs.model import State

PAGE: Final = Path(__file__).parents[2] / "docs" / "console-api.md"
_HEAD: Final = """# The console's API

What the pages of the [console](cli.md#devbridge-dev) are made with, and nothing else: each page can
be a script. It is served on loopback only, on the port that `devbridge dev` and `devbridge console`
print. This page is made of the code: `python -m devbridge.console.docs`.

## Who may ask

- `Host` is `127.0.0.1:PORT` or `localhost:PORT`.
- The cookie `devbridge-PORT`, which a link gives that `devbridge dev` or `devbridge console` has
  printed: `GET /?token=...` is answered once with the cookie (HttpOnly, SameSite=Strict).
- `Origin`, where there is one, is the console's own; `Sec-Fetch-Site` is `same-origin` or `none`.
- A write (`POST`, `PUT`, `DELETE`) has `Origin`, `X-Devbridge: 1` and
  `Content-Type: application/json`.
- The stream of events has `Origin` or `Sec-Fetch-Site: same-origin`.

All else is refused before anything is done: 401 without a session, 403, 405 or 415. There are no
CORS headers. Every error is [Failed](#failed).

Times are seconds since the epoch. Payloads, results and checkpoints are *texts* of JSON, so that
numbers keep all of their digits. Parts of a path are percent-encoded. A field that is not listed
here is refused, in a query as in a body: 400.

## What there is
"""
_EVENTS: Final = """## Events

`GET /api/events` is a stream of server-sent events. Each thing that has changed is told once, as it
is now; a page that was away sends the `Last-Event-ID` that it knows, as `EventSource` does, and
hears what it has missed.

| event | data | meaning |
| --- | --- | --- |
| `hello` | `{"instance": text}` | the stream begins; each start is another instance |
| `run` | [Row](#row) | a run is new or has changed, whatever the page shows |
| `log` | [LogMoved](#logmoved) | the log of the run that was asked for with `?run=ID` has grown |
| `functions` | `{}` | a job or function has changed: ask again |
| `stage` | `{}` | the stage was deployed: ask again |
| `reset` | `{}` | nobody knows what was missed: load everything anew |

## Forms
"""
_WORDS: Final = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    Any: "any JSON",
}


def page() -> str:
    """The page's text."""
    parts = [_HEAD, *map(_route, _shown()), _EVENTS, *map(_form, _forms())]
    return "\n".join(parts).rstrip() + "\n"


def _shown() -> Iterator[Route]:
    return (route for route in ROUTES if route.path.startswith(API))


def _route(route: Route) -> str:
    lines = [f"### {route.method} {route.path.replace(':path', '')}\n", f"{route.does}\n"]
    if route.query is not None:
        lines += ["Query:\n", _fields(route.query)]
    if route.body is not None:
        lines += [f"Body: {_type(route.body)}\n"]
    if route.answer is not None:
        lines += [f"Answer, {route.status}: {_type(route.answer)}\n"]
    return "\n".join(lines)


def _forms() -> Iterator[type]:
    queries = {route.query for route in ROUTES}
    for module in (model, stage_model):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and kind not in queries:
                yield kind


def _form(kind: type) -> str:
    return f"### {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n{_fields(kind)}"


def _fields(kind: type) -> str:
    said, types = _said(kind), get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    if not fields:
        return ""
    rows = [
        f"| `{each.encode_name}` | {_type(types[each.name])}{_default(each)} |"
        f" {said.get(each.name, '')} |"
        for each in fields
    ]
    return "\n".join(["| field | JSON | meaning |", "| --- | --- | --- |", *rows, ""])


def _default(field: Any) -> str:
    given = field.default
    shown = given is not msgspec.NODEFAULT and given is not None and given != ""
    return f"; else {msgspec.json.encode(given).decode()}" if shown else ""


def _said(kind: type) -> dict[str, str]:
    """What stands below each field in the code, of those that it has of others, too."""
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__ == kind.__module__:
            said |= _said_in(each)
    return said


def _said_in(kind: type) -> dict[str, str]:
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(made, ast.ClassDef)  # noqa: S101
    said, name = dict[str, str](), ""
    for node in made.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            text = " ".join(str(node.value.value).split())
            said[name] = text.replace("``", "`").replace("|", "\\|")
    return said


def _type(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        words = [_type(each) for each in arguments if each is not NoneType]
        return " or ".join([*words, *(["null"] if NoneType in arguments else [])])
    if get_origin(kind) is list:
        return f"list of {_type(arguments[0])}"
    if get_origin(kind) is tuple:
        return f"[{', '.join(map(_type, arguments))}]"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if kind is State:
        return "state"
    return _WORDS.get(kind) or f"[{kind.__name__}](#{kind.__name__.lower()})"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
