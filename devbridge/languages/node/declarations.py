"""devbridge-env.d.ts: what makes TypeScript know an app's jobs, payloads, results and resources.

It adds to interfaces of the npm package devbridge which are devbridge's own. `JobTypes`, which the
user's code adds to, is not among them: it goes first where both tell of a job, so that nothing is
declared twice (package/job.d.ts).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from devbridge.constructs import App, Function, Job
from devbridge.languages.node import manifests
from devbridge.languages.node.own_package import PACKAGE as OWN
from devbridge.languages.node.projects import CONFIGS, ENV, code_folders, config_of
from devbridge.languages.node.written_types import Writer, key
from devbridge.sources.known import SOURCES
from devbridge.types.annotations import pascal
from devbridge.types.model import JobTypes
from devbridge.types.resources import bound_names

LANGUAGE: Final = "nodejs"
PACKAGE: Final = "devbridge"
"""The npm package's name."""
MARK: Final = "// Made by `devbridge types`"
"""How the file begins; one that begins otherwise is somebody else's."""
_HEAD: Final = f"{MARK} from app.py and its handlers: what is changed here is lost.\n"
_LIBRARY: Final = '/// <reference lib="es2018.asyncgenerator" />\n'
"""What of TypeScript's own library is named. It has to be on top."""
_KINDS: Final = (*manifests.INSTALLED, "peerDependencies")
_DEPTH: Final = 4
"""Folders below the app's in which packages of a workspace are looked for."""


def declarations(app: App, types: Mapping[str, JobTypes]) -> dict[str, str]:
    """Each file's path below the app's folder, and its text; none where nobody would read them.

    Every package that depends on the npm package has one, since each may have another version.
    Where the app's own folder is none of them and has Node's code or a tsconfig.json, it has one
    that needs no package, and each folder with a tsconfig.json of its own one that refers to it.
    """
    depending = [*_depending(app.root)]
    found = {}
    if depending:
        text = declared(app, types, has_package=True)
        found = {folder / ENV: text for folder in depending}
    code = _code(app)
    if app.root not in depending and (code or any((app.root / c).is_file() for c in CONFIGS)):
        # A link in node_modules comes and goes: what the file says must not depend on it.
        found[app.root / ENV] = declared(app, types, has_package=False)
        for folder in {config.parent for file in code if (config := config_of(file.parent))}:
            below = folder != app.root and folder.is_relative_to(app.root)
            if below and not any(folder.is_relative_to(each) for each in depending):
                up = os.path.relpath(app.root / ENV, folder)
                found[folder / ENV] = f'{_HEAD}/// <reference path="{up}" />\n'
    return {path.relative_to(app.root).as_posix(): text for path, text in sorted(found.items())}


def _code(app: App) -> list[Path]:
    """The files of the app's handlers for Node."""
    source = SOURCES[LANGUAGE]
    jobs = [job.handler for job in app.of_type(Job) if job.language == LANGUAGE]
    functions = [each.handler for each in app.of_type(Function) if each.language == LANGUAGE]
    return [source.file(app.root, each.module) for each in (*jobs, *functions) if each is not None]


def _depending(root: Path) -> Iterator[Path]:
    """The folders whose package.json names the npm package."""
    for at, folders, names in os.walk(root):
        folder = Path(at)
        folders[:] = code_folders(at, folders)
        if len(folder.relative_to(root).parts) >= _DEPTH:
            folders.clear()
        if manifests.FILE in names and manifests.names(folder, PACKAGE, _KINDS):
            yield folder


# --- the text -----------------------------------------------------------------------------------


def declared(app: App, types: Mapping[str, JobTypes], *, has_package: bool) -> str:
    """A file's text.

    Args:
        has_package: its readers have installed the npm package; for all others, the text has what
            the package declares, too.
    """
    job, resources = _job(app, types), _resources(app)
    if has_package:
        head = 'import "devbridge/job";\nimport "devbridge/resources";\n'
        return f"{_HEAD}{head}{_module('job', job)}{_module('resources', resources)}"
    return (
        _HEAD
        + _LIBRARY
        + _module("job", _ambient("lib/errors.d.ts") + _ambient("job.d.ts") + job)
        + _module("resources", _ambient("resources.d.ts") + resources)
    )


def _module(name: str, body: str) -> str:
    return f'\ndeclare module "{PACKAGE}/{name}" {{\n{body}}}\n'


def _ambient(file: str) -> str:
    """What a file of the package declares, as it stands inside of a `declare module`."""
    text = (OWN / file).read_text(encoding="utf-8").removeprefix(_LIBRARY)
    text = re.sub(r"^export \* from .*\n+", "", text, flags=re.MULTILINE)
    text = text.replace('from "./lib/errors.js"', f'from "{PACKAGE}/job"')
    text = re.sub(r"^export declare ", "export ", text, flags=re.MULTILINE)
    return "".join(f"  {line}\n" if line else "\n" for line in text.strip().splitlines()) + "\n"


def _job(app: App, types: Mapping[str, JobTypes]) -> str:
    names: list[str] = []
    payloads: list[str] = []
    results: list[str] = []
    named: list[str] = []
    for job in app.of_type(Job):
        runs = str(job.handler) if job.handler else "a container"
        names.append(f"    /** Runs {runs}. */\n    {key(job.name)}: string;\n")
        known = types.get(job.name, JobTypes())
        for schema, kind, lines in (
            (known.payload, "Payload", payloads),
            (known.result, "Result", results),
        ):
            if schema is not None:
                writer = Writer(schema, f"{pascal(job.name)}{kind}", sent=kind == "Payload")
                lines.append(f"    {key(job.name)}: {writer.root()};\n")
                named += writer.interfaces
    return (
        _interface("JobNames", names)
        + _interface("JobPayloads", payloads)
        + _interface("JobResults", results)
        + "".join(named)
    )


def _resources(app: App) -> str:
    lines = [
        f"    {kind}: {' | '.join(map(json.dumps, names)) or 'never'};\n"
        for kind, names in bound_names(app).items()
    ]
    return _interface("Bound", lines)


def _interface(name: str, lines: Sequence[str]) -> str:
    if not lines:
        return f"  export interface {name} {{}}\n"
    return f"  export interface {name} {{\n{''.join(lines)}  }}\n"
