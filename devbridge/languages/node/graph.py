"""What a bundle is made of, as esbuild's metafile tells it. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge.files import NODE

ENTRY: Final = "devbridge-entry.mjs"
"""The name of the module that a bundle begins with, which is no file."""


@dataclass(frozen=True, slots=True)
class Module:
    """A file in a bundle."""

    size: int
    """Bytes."""
    format: str
    """``esm`` or ``cjs``; empty for what is no JavaScript."""
    imports: tuple[str, ...]
    """Files, in the order that they are named in."""
    lazy: frozenset[str]
    """Those that only ``import()`` names."""
    outside: frozenset[str]
    """What is no file of the bundle: packages that are left out, and Node's own modules."""


class Graph:
    """The modules of a bundle by their absolute paths.

    Args:
        metafile: esbuild's.
        root: the folder that was built in.
    """

    def __init__(self, metafile: Mapping[str, Any], root: Path) -> None:
        self.modules: dict[str, Module] = {}
        self.roots: tuple[str, ...] = ()
        """What the entry imports, and what is injected."""
        inputs = metafile.get("inputs", {})
        base = str(root)
        for name, told in inputs.items():
            imports = [each for each in told["imports"] if not each.get("external")]
            targets = [_absolute(base, each["path"]) for each in imports]
            static = {
                target
                for target, each in zip(targets, imports, strict=True)
                if each["kind"] != "dynamic-import"
            }
            outside = {e["path"] for e in told["imports"] if e.get("external")} - {"<runtime>"}
            if name == ENTRY:
                self.roots = tuple(targets)
                continue
            self.modules[_absolute(base, name)] = Module(
                told["bytes"],
                told.get("format", ""),
                tuple(dict.fromkeys(targets)),
                frozenset(targets) - static,
                frozenset(outside),
            )

    def order(self, *, lazy: bool = True) -> list[str]:
        """All modules in the order in which they are evaluated: what is imported comes first.

        Args:
            lazy: with those that only ``import()`` names.
        """
        return self._after(self.roots, lazy=lazy)

    def reached(self, path: str) -> list[str]:
        """A module and all that it imports, in the order of evaluation."""
        return self._after((path,), lazy=True)

    def _after(self, roots: tuple[str, ...], *, lazy: bool) -> list[str]:
        done: dict[str, None] = {}
        seen: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []
        for root in roots:
            if root in seen:
                continue
            seen.add(root)
            stack.append((root, self._imported(root, lazy)))
            while stack:
                path, rest = stack[-1]
                for each in rest:
                    if each not in seen:
                        seen.add(each)
                        stack.append((each, self._imported(each, lazy)))
                        break
                else:
                    stack.pop()
                    done[path] = None
        return list(done)

    def _imported(self, path: str, lazy: bool) -> Iterator[str]:
        module = self.modules.get(path)
        if module is None:
            return iter(())
        return iter([each for each in module.imports if lazy or each not in module.lazy])


def _absolute(base: str, name: str) -> str:
    return os.path.normpath(os.path.join(base, name))  # noqa: PTH118 - many, and they are quick


def package_of(path: str) -> str:
    """The folder of the installed package that a file belongs to; empty if it is of none.

    ``/app/node_modules/@aws-sdk/client-s3`` for all files below that. A package of a workspace is
    none: it is linked, and esbuild names what the link leads to.
    """
    parts = path.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == NODE:
            names = 2 if parts[index + 1].startswith("@") else 1
            return "/".join(parts[: index + 1 + names])
    return ""
