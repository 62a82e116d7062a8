"""Which installed packages a bundle of `devbridge dev` leaves to Node, which has them loaded.

A bundle with the AWS SDK takes esbuild a hundred milliseconds, at each save; one without it, two.
But code must not see a difference to the bundle that is deployed. So a package is left to Node only
if

- the app's own code imports it, and it is large with all that it imports;
- none of its packages is in the rest of the bundle, too: there is one instance of each;
- nothing of it asks where it is, which would be another place in a bundle;
- no option changes how it is bundled;
- nothing that the app evaluates before it changes what it might see while it is loaded;
- Node can load it, which has been tried.

In its place the bundle has a module of the same format, by which esbuild makes of its exports what
it makes of the package's own.

Pure, but for reading the packages' files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge.languages.node.esbuild import LOADED
from devbridge.languages.node.graph import Graph, package_of
from devbridge.languages.node.options import REQUIRE

LARGE: Final = 100_000
"""Bytes of a package's files, with what it imports, that are worth it."""
CHANGING: Final = ("inject", "main_fields", "conditions", "plugins")
"""The options that may change what is bundled of a package."""
_PLACE: Final = re.compile(
    r"\b(?:__dirname|__filename|createRequire|module\.(?:parent|paths|children)|"
    r"require\.(?:main|resolve|cache|extensions)|import\.meta)\b"
)
JAVASCRIPT: Final = frozenset((".js", ".cjs", ".mjs", ".json"))
_TOUCHES: Final = re.compile(
    r"process\.env(?:\.\w+|\[[^\]]+\])?\s*(?:\|\||\?\?|&&)?=(?!=)|delete\s+process\.|"
    r"\bObject\.\w+\(\s*(?:process|global)\b|\bglobalThis\b|\bglobal\.|"
    r"\.prototype\.\w+\s*=(?!=)|\bprocess\.(?:chdir|umask|loadEnvFile)\b|"
    r"\bError\.(?:stackTraceLimit|prepareStackTrace)|\bmodule\.register"
)
_TOUCHES_AT_ONCE: Final = re.compile(r"^process\.env(?:\.\w+|\[[^\]]+\])\s*=(?!=)", re.MULTILINE)
"""Of a package: not what is done in its functions."""
_TOUCHING: Final = frozenset(
    ("dotenv", "dotenv-expand", "dotenv-flow", "@dotenvx/dotenvx", "core-js", "source-map-support")
)
"""Packages that are imported for what they change."""
_COMMENT: Final = re.compile(r"^\s*(?:/\*\*.*?\*/|//[^\n]*$)", re.MULTILINE | re.DOTALL)
"""That has lines of its own: it may have examples."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of a package that the app's code imports."""

    path: str
    format: str
    files: frozenset[str]
    """With all that it imports."""
    packages: frozenset[str]
    """Their folders."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to Node, of one bundle."""

    replaced: Mapping[str, str] = field(default_factory=dict)
    """File -> the module that stands for it in the bundle."""
    preload: tuple[str, ...] = ()
    """Those of them that are imported at once, in import order."""
    files: frozenset[str] = frozenset()
    """All files of what is left to Node."""
    packages: frozenset[str] = frozenset()
    rest: frozenset[str] = frozenset()
    """The installed files that stay in the bundle."""


def candidates(
    graph: Graph,
    text: Callable[[str], str],
    defined: Iterable[str] = (),
    external: Iterable[str] = (),
) -> list[Candidate]:
    """What may be left to Node, if Node can load it, in import order.

    Args:
        text: a file's.
        defined: the names that an option replaces.
        external: the packages that are not bundled. All others that are in no bundle are nowhere,
            for Node, too: somebody has asked for them in a `try`.
    """
    order = graph.order()
    own = [path for path in order if not package_of(path)]
    direct = {
        target for path in own for target in graph.modules[path].imports if package_of(target)
    }
    found = [_candidate(graph, path) for path in order if path in direct]
    words, beside = tuple(defined), tuple(each.partition("*")[0] for each in external)
    fit = {each.path: _fits(graph, each, text, words, beside) for each in found}
    taken = [each for each in found if fit[each.path] and _size(graph, each) >= LARGE]
    early = first_touched(graph, text)
    taken = [each for each in taken if each.path not in early]
    return _apart(found, taken, fit, early)


def _candidate(graph: Graph, path: str) -> Candidate:
    files = frozenset(graph.reached(path))
    packages = frozenset(map(package_of, files))
    return Candidate(path, graph.modules[path].format, files, packages)


def _size(graph: Graph, candidate: Candidate) -> int:
    return sum(graph.modules[path].size for path in candidate.files if path in graph.modules)


def _fits(
    graph: Graph,
    candidate: Candidate,
    text: Callable[[str], str],
    defined: Sequence[str],
    external: tuple[str, ...],
) -> bool:
    if candidate.format not in ("esm", "cjs") or "" in candidate.packages:
        return False
    for path in candidate.files:
        module = graph.modules.get(path)
        if module is None or not path.endswith(tuple(JAVASCRIPT)):
            return False
        if any(name.startswith(external) for name in module.outside):
            return False
        if path.endswith(".json"):
            continue
        content = text(path)
        if _PLACE.search(content):
            content = _COMMENT.sub("", content)
        if _PLACE.search(content) or any(name in content for name in defined):
            return False
    return True


def _apart(
    found: Sequence[Candidate],
    taken: Sequence[Candidate],
    fit: Mapping[str, bool],
    early: frozenset[str],
) -> list[Candidate]:
    """Those of `taken`, with what must go with them, that have no package in common with the rest.

    A smaller one that shares a package with a larger one goes the same way; if it may not, neither
    may the larger.
    """
    chosen = {each.path: each for each in taken}
    while True:
        packages = {package for each in chosen.values() for package in each.packages}
        clash = [e for e in found if e.path not in chosen and not packages.isdisjoint(e.packages)]
        if not clash:
            return [each for each in found if each.path in chosen]
        for each in clash:
            if fit[each.path] and each.path not in early:
                chosen[each.path] = each
            else:
                chosen = {
                    path: other
                    for path, other in chosen.items()
                    if other.packages.isdisjoint(each.packages)
                }
                fit = {
                    path: may
                    and next(o for o in found if o.path == path).packages.isdisjoint(each.packages)
                    for path, may in fit.items()
                }


def first_touched(graph: Graph, text: Callable[[str], str]) -> frozenset[str]:
    """What is evaluated after code that may change what it sees while it is loaded."""
    touched = False
    after: set[str] = set()
    for path in graph.order():
        if touched:
            after.add(path)
        elif not (package := package_of(path)):
            touched = _TOUCHES.search(text(path)) is not None
        elif path.endswith(tuple(JAVASCRIPT)):
            known = package.rpartition("/node_modules/")[2] in _TOUCHING
            touched = known or _TOUCHES_AT_ONCE.search(text(path)) is not None
    return frozenset(after)


def left(
    graph: Graph, chosen: Sequence[Candidate], tried: Mapping[str, Any], url: Callable[[str], str]
) -> Left:
    """What is left to Node of what may be.

    Args:
        tried: file -> the names that Node has found in it; without those that it cannot load.
        url: of a file.
    """
    able = [each for each in chosen if each.path in tried and _named(tried[each.path])]
    lost = {package for each in chosen if each not in able for package in each.packages}
    able = [each for each in able if lost.isdisjoint(each.packages)]
    files = frozenset(path for each in able for path in each.files)
    installed = frozenset(path for path in graph.modules if package_of(path))
    at_once = {path for path in graph.order(lazy=False) if not package_of(path)}
    static = {
        target
        for path in at_once
        for target in graph.modules[path].imports
        if target not in graph.modules[path].lazy
    }
    return Left(
        {each.path: _stands_for(each, tried[each.path], url) for each in able},
        tuple(each.path for each in able if each.path in static),
        files,
        frozenset(package for each in able for package in each.packages),
        installed - files,
    )


def _named(names: Sequence[str]) -> bool:
    return all(_IDENTIFIER.fullmatch(name) for name in names)


def _stands_for(candidate: Candidate, names: Sequence[str], url: Callable[[str], str]) -> str:
    if candidate.format == "cjs":
        return f"module.exports = {REQUIRE}({json.dumps(candidate.path)});\n"
    place = json.dumps(f"{LOADED}{url(candidate.path)}")
    return f"export {{ {', '.join(names)} }} from {place};\n" if names else f"import {place};\n"


def holds(graph: Graph, left: Left, text: Callable[[str], str]) -> bool:
    """Whether what was left to Node may still be, for a later bundle of the same module.

    Args:
        graph: of the bundle without what is left to Node.
    """
    installed = {path for path in graph.modules if package_of(path)} - left.replaced.keys()
    if not installed <= left.rest:
        return False
    return not left.replaced or left.replaced.keys().isdisjoint(first_touched(graph, text))
