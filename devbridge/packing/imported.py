"""What live workers have imported, kept for `devbridge deploy`: it tells what a deployed run will
lack before that is missed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge.errors import DevbridgeError
from devbridge.folders import write_private

FILE: Final = "imports.json"
"""Below the app's ``.devbridge``: for the `deploy` of any stage."""
OLDEST: Final = 30 * 24 * 3600.0
"""Seconds for which it counts what a job has imported."""


@dataclass(frozen=True, slots=True)
class Live:
    """What a job's workers have imported since its code was last saved."""

    files: frozenset[str]
    """Of the app, relative to its folder."""
    modules: frozenset[str]
    """Those of packages and of libraries beside the app, by their full names."""


class Imports:
    """The file that keeps it, for one folder's jobs."""

    def __init__(self, state_dir: Path, root: Path) -> None:
        self._path = state_dir / FILE
        self._root = root

    def record(
        self, job: str, files: Iterable[Path], modules: Iterable[str], launched: float
    ) -> bool:
        """Add what a worker has imported; whether anything of it is new.

        What was imported before one of the job's files was saved is forgotten.

        Args:
            launched: when the worker was started, in seconds since the epoch. What it tells of
                code that has been saved since is left aside.
        """
        stamps = {
            path.relative_to(self._root).as_posix(): stamp
            for path in files
            if path.is_relative_to(self._root) and (stamp := _stamp(path)) is not None
        }
        if any(stamp > launched * 1e9 for stamp in stamps.values()):
            return False
        known = _read(self._path)
        old = known.get(job, {})
        kept = old if _is_current(self._root, old, time.time()) else {}
        new = {
            "files": {**kept.get("files", {}), **stamps},
            "modules": sorted({*kept.get("modules", ()), *modules}),
        }
        if {key: old.get(key) for key in new} == new:
            return False
        known[job] = {**new, "at": time.time()}
        with contextlib.suppress(OSError, DevbridgeError):
            write_private(self._path, json.dumps(known))
        return True


def live(state_dir: Path, root: Path) -> dict[str, Live]:
    """What the jobs' workers have imported, as far as the code is still what it was."""
    now = time.time()
    return {
        job: Live(frozenset(each["files"]), frozenset(each["modules"]))
        for job, each in _read(state_dir / FILE).items()
        if _is_current(root, each, now)
    }


def _is_current(root: Path, known: Mapping[str, Any], now: float) -> bool:
    files = known.get("files", {})
    return now - known.get("at", 0) < OLDEST and all(
        _stamp(root / name) == stamp for name, stamp in files.items()
    )


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {
            job: {
                "files": {str(name): int(stamp) for name, stamp in each["files"].items()},
                "modules": [str(name) for name in each["modules"]],
                "at": float(each["at"]),
            }
            for job, each in known.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
