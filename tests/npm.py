"""Projects with npm packages from the registry, installed once for all tests and runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from devbridge.folders import cache_dir
from devbridge.languages.node.tools import find_npm
from tests.node import NODE

CACHE = cache_dir() / "tests-npm"
"""Read when the tests are collected: later they have folders of their own."""


def project(name: str, packages: Mapping[str, str]) -> Path:
    """A folder with a ``package.json`` and these packages in ``node_modules``. It is for all tests:
    copy what is changed.

    Args:
        packages: names and versions, e.g. ``{"zod": "4.1.12"}``.
    """
    told = json.dumps([name, sorted(packages.items())])
    folder = CACHE / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            manifest = {"name": name, "private": True, "dependencies": dict(packages)}
            (folder / "package.json").write_text(json.dumps(manifest))
            options = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            subprocess.run(
                [*find_npm(os.environ), *options], cwd=folder, check=True, env=dict(os.environ)
            )
            (folder / "installed").touch()
    return folder


def programs() -> list[str]:
    """The folder with `node` and `npx` for a PATH that has not got them; none if it has."""
    if shutil.which("node") and shutil.which("npx"):
        return []
    folder = CACHE / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    npx = Path(find_npm({"PATH": ""})[1]).with_name("npx-cli.js")
    for name, command in (("node", f"'{NODE}'"), ("npx", f"'{NODE}' '{npx}' --loglevel=error")):
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    return [str(folder)]


def install(folder: Path) -> None:
    """What `npm install` does there, with packages that are installed once for all."""
    manifest = json.loads((folder / "package.json").read_text("utf-8"))
    named = {**manifest.get("dependencies", {}), **manifest.get("devDependencies", {})}
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    for each in (project(manifest["name"], named) / "node_modules").iterdir():
        if not each.name.startswith(".") or each.name == ".bin":
            (modules / each.name).symlink_to(each)
