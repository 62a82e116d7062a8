"""The TypeScript projects of an app: which tsconfig.json is whose, and how they are asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge.languages.node.probe_file import Asked
from devbridge.languages.node.tsc import upwards

ENV: Final = "devbridge-env.d.ts"
"""What `devbridge.languages.node.declarations` makes."""
CONFIGS: Final = ("tsconfig.json", "jsconfig.json")
_NOT_CODE: Final = frozenset({"node_modules", "dist", "build", "out", "coverage", "cdk.out"})
_AMBIENT: Final = re.compile(rb"\bdeclare\s+(?:module|global|namespace)\b|\bJobTypes\b")
_SOURCES: Final = (".ts", ".tsx", ".mts", ".cts")
_MOST: Final = 20_000
"""Files that are looked at."""


@dataclass(frozen=True, slots=True)
class Project:
    """Handlers that are compiled with one tsconfig.json."""

    folder: Path
    """Where that is; without one, the app's folder."""
    config: Path | None
    asked: tuple[Asked, ...]


def projects(root: Path, asked: Sequence[Asked]) -> list[Project]:
    """Whose tsconfig.json is which: as editors and esbuild do, the nearest above the file."""
    found: dict[Path | None, list[Asked]] = {}
    for each in asked:
        found.setdefault(config_of(each.file.parent), []).append(each)
    return [
        Project(config.parent if config else root, config, tuple(handlers))
        for config, handlers in found.items()
    ]


def config_of(folder: Path) -> Path | None:
    """The settings of a file in that folder."""
    paths = (above / name for above in upwards(folder) for name in CONFIGS)
    return next((path for path in paths if path.is_file()), None)


def code_folders(at: str, names: Sequence[str]) -> list[str]:
    """Those of a folder's folders that may have the user's own code: no packages, no builds,
    nothing hidden, no environment of Python's."""
    return sorted(
        name
        for name in names
        if name not in _NOT_CODE and not name.startswith(".")
        if not Path(at, name, "pyvenv.cfg").is_file()
    )


def ambient(folder: Path) -> Iterator[Path]:
    """The files below a folder that may declare what others see without importing them."""
    looked = 0
    for at, folders, names in os.walk(folder):
        folders[:] = code_folders(at, folders)
        for name in sorted(names):
            if not name.endswith(_SOURCES) or name == ENV:
                continue
            looked += 1
            if looked > _MOST:
                return
            path = Path(at, name)
            if name.endswith(".d.ts") or _AMBIENT.search(_bytes(path)):
                yield path


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def options(project: Project, files: Sequence[Path], out: Path) -> Mapping[str, Any]:
    """A tsconfig.json that is the project's in all that decides about types.

    Args:
        out: for the declarations; each below its own absolute path.
    """
    has_jsx = project.config is not None and b'"jsx"' in _bytes(project.config)
    inherits = project.config is not None and b'"extends"' in _bytes(project.config)
    compiler: dict[str, Any] = {
        "allowJs": True,
        "allowImportingTsExtensions": True,
        "composite": False,
        "declaration": True,
        "declarationDir": str(out),
        "declarationMap": False,
        "emitDeclarationOnly": True,
        "incremental": False,
        "isolatedDeclarations": False,
        "noEmit": False,
        "noEmitOnError": False,
        "noErrorTruncation": True,
        "outDir": str(out),
        "outFile": None,
        "rootDir": "/",
        "skipLibCheck": True,
        "tsBuildInfoFile": None,
        **({} if has_jsx or inherits else {"jsx": "preserve"}),
    }
    if project.config is None:
        compiler |= {
            "strict": True,
            "target": "es2022",
            "module": "esnext",
            "moduleResolution": "bundler",
            "types": _type_packages(project.folder),
        }
    made: dict[str, Any] = {"compilerOptions": compiler, "files": [*map(str, files)], "include": []}
    return {**({"extends": str(project.config)} if project.config else {}), **made}


def _type_packages(folder: Path) -> list[str]:
    """The packages in @types: TypeScript 5 takes all by itself, 6 and later none."""
    for above in upwards(folder):
        if (types := above / "node_modules" / "@types").is_dir():
            return sorted(p.name for p in types.iterdir() if not p.name.startswith("."))
    return []


def workplace(project: Project, folder: Path) -> Path:
    """A folder below `folder`, which is empty, where packages are found as in the project's.

    They are linked, so that nothing is written into the user's own folders.
    """
    at = folder
    for above in reversed([*upwards(project.folder)]):
        packages = above / "node_modules"
        if packages.is_dir():
            at = at / "in"
            at.mkdir()
            (at / "node_modules").symlink_to(packages)
    return at


def write_config(folder: Path, made: Mapping[str, Any]) -> Path:
    """Write a tsconfig.json."""
    path = folder / "tsconfig.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path
