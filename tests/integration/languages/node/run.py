"""Runs a bundle with a real node, as a worker would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devbridge.languages.node.bundles import Made
from devbridge.languages.node.tools import find_node

_SCRIPT = """
const [file, preload, name, payload] = process.argv.slice(1);
for (const each of JSON.parse(preload)) await import(each);
const exported = await import(file);
console.log("\\n" + JSON.stringify((await exported[name](JSON.parse(payload))) ?? null));
"""


def run(
    file: Path,
    payload: Any = None,
    *,
    preload: Sequence[Path] = (),
    cwd: Path | None = None,
    flags: Sequence[str] = (),
) -> Any:
    """What a bundle's function ``handler`` returns."""
    urls = json.dumps([each.as_uri() for each in preload])
    node = find_node(os.environ, "nodejs24.x").path
    command: list[str | Path] = [
        node,
        *flags,
        "--input-type=module",
        "-e",
        _SCRIPT,
        file.as_uri(),
        urls,
        "handler",
    ]
    done = subprocess.run(
        [*command, json.dumps(payload)], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def unpacked(made: Made, folder: Path, copied: Mapping[str, Path] = {}) -> Path:
    """The folder of a deployed job with that bundle."""
    for name, body in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    for name, source in copied.items():
        shutil.copytree(source, folder / name, symlinks=True)
    return folder
