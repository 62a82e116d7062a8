"""What live runs have imported, and the deployed ones will not have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from devbridge.languages.python.environment import RUNTIME_IMPORTS
from devbridge.packing.imported import Live

_NOT_MEANT: Final = ("__editable__", "_distutils_hack", "sitecustomize", "usercustomize")
"""What an environment imports by itself when Python starts."""
_REPLACED: Final = frozenset(("certifi", "typing_extensions"))
"""What packages take where it is there, and have a replacement for: botocore, its own certificates;
msgspec and others, `typing`. A package that cannot do without requires it, and so it is packed."""

_OWN: Final = frozenset(("devbridge", "runner", "fastjsonschema"))
"""Devbridge's, which packing adds: the last one with the schemas of the payloads that are sent."""


def tops(live: Iterable[Live], brought: frozenset[str] = RUNTIME_IMPORTS) -> set[str]:
    """The top-level names of the installed modules that live runs have imported.

    Args:
        brought: those that are there anyway.
    """
    names = {name.partition(".")[0] for each in live for name in each.modules if ":" not in name}
    return {
        name
        for name in names
        if name not in brought | _REPLACED | _OWN and not name.startswith(_NOT_MEANT)
    }


def lacking(
    live: Live,
    packed: Iterable[str],
    known: Mapping[str, Any],
    brought: frozenset[str] = RUNTIME_IMPORTS,
) -> Iterator[str]:
    """What to say of a job, a line for each option that mends it.

    Args:
        packed: the names in its zips.
        known: what the app's interpreter has told of the live modules' top-level names.
        brought: those that are there anyway.
    """
    names = set(packed)
    there = {name.partition("/")[0].partition(".")[0] for name in names}
    # Code that asks for a package's part which is not there has imported the package all the same.
    parts = {name.partition(".")[0] for name in live.modules if "." in name}
    alone = {top for top, each in known.items() if each.get("shared") and top not in parts}
    missing = sorted(tops([live], brought) - there - alone)
    owned = {top: known[top] for top in missing if known.get(top, {}).get("dists")}
    editable = [top for top, each in owned.items() if any(t[2] for t in each.get("trees", ()))]
    if editable:
        yield (
            f"live runs have imported {', '.join(editable)}, installed editable, and deployed ones"
            f" will not have {'it' if len(editable) == 1 else 'them'}; to have"
            f" {'it' if len(editable) == 1 else 'them'} there: import {', '.join(editable)}"
            " in the handler"
        )
    installed = {top: each["dists"] for top, each in owned.items() if top not in editable}
    if installed:
        wanted = ", ".join(f'"{each}"' for each in sorted({d[0] for d in installed.values()}))
        yield (
            f"live runs have imported {', '.join(installed)}, and deployed ones will not have"
            f" {'it' if len(installed) == 1 else 'them'}; if that matters: install=[{wanted}]"
        )
    files = sorted(live.files - names)
    if files:
        wanted = ", ".join(f'"{name}"' for name in files)
        yield (
            f"live runs have imported {', '.join(files)}, which no import names; to pack"
            f" {'it' if len(files) == 1 else 'them'}: copy_files=[{wanted}]"
        )
