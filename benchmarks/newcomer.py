"""From a clone to the first line of a job: the README's command, as a newcomer copies it."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.harness import Bench, Watched
from benchmarks.report import Goal, Row, figures
from devbridge.emulator.install import BOTO3, MINISTACK

FIRST_LINE: Final = b"computing 100!"
"""What the job of `examples/factorial` prints first."""
_FLOOR: Final = (
    "python3 -m venv floor && floor/bin/pip install -q -U --force-reinstall"
    f" boto3=={BOTO3} ministack=={MINISTACK}"
)
FLOOR_IS: Final = "python3 -m venv, pip install boto3 ministack"


async def newcomer(bench: Bench) -> list[Row]:
    """A clone, an environment and an embedded cloud of their own each time; what pip downloads is
    in its cache."""
    taken: dict[str, list[float]] = {"installed": [], "ready": [], "output": []}
    floor: list[float] = []
    for turn in range(bench.times(4, 2)):
        folder = bench.scratch / f"newcomer-{turn}"
        folder.mkdir()
        bare = await asyncio.to_thread(_floor, folder)
        took = await _first_output(folder)
        shutil.rmtree(folder)
        if turn:  # the first fills pip's cache
            floor.append(bare)
            for step, seconds in zip(taken.values(), took, strict=True):
                step.append(seconds)
    whats = ("pip has installed devbridge", "Ready", "the first line of a job")
    return [
        Row(
            measure=f"clone -> {what}",
            unit="s",
            ours=figures(values),
            floor=figures(floor),
            floor_is=FLOOR_IS,
            goals=(Goal("ours", "<=", 15),) if what == whats[-1] else (),
        )
        for what, values in zip(whats, taken.values(), strict=True)
    ]


def command() -> str:
    """The README's first command."""
    text = (harness.REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^python3 -m venv .*devbridge dev --local.*$", text, re.M)
    if found is None:
        raise harness.Failed("README.md has no command that starts devbridge dev --local")
    return found[0]


def _floor(folder: Path) -> float:
    began = time.perf_counter()
    harness.run(["bash", "-c", _FLOOR], cwd=folder, env=_environment(folder))
    return time.perf_counter() - began


async def _first_output(folder: Path) -> tuple[float, float, float]:
    """Seconds from `git clone` until: pip has ended, `Ready`, the first line of a job."""
    environment = _environment(folder)
    began = harness.now()
    await asyncio.to_thread(_clone, folder)
    clone = folder / "clone"
    dev = Watched(["bash", "-c", f"exec 2>&1; {command()}"], cwd=clone, env=environment)
    try:
        installed = dev.expecting(b"on the embedded cloud")
        ready = dev.expecting(b"Ready")
        first = dev.expecting(FIRST_LINE)
        times = [await harness.soon(installed), await harness.soon(ready)]
        while (curl := re.search(r"^\s+(curl .*)\n", dev.head, re.M)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the line after Ready
        await asyncio.to_thread(harness.run, ["bash", "-c", f"{curl[1]} -sS"])
        times.append(await harness.soon(first))
    finally:
        await dev.interrupt()
    installed_at, ready_at, first_at = ((at - began) / 1e9 for at in times)
    return installed_at, ready_at, first_at


def _clone(folder: Path) -> None:
    """A clone; of sources that git does not know, or not as ours, a copy."""
    try:
        harness.run(["git", "clone", "-q", str(harness.REPOSITORY), "clone"], cwd=folder)
    except harness.Failed as error:
        print(f"a copy is measured, not a clone: {error}", file=sys.stderr)
        ignored = shutil.ignore_patterns(".git", ".venv", ".devbridge", "__pycache__", "site")
        shutil.copytree(harness.REPOSITORY, folder / "clone", ignore=ignored)


def _environment(folder: Path) -> Mapping[str, str]:
    """A newcomer's: no cache of devbridge's own, and Python keeps its bytecode."""
    environment = harness.clean_environment() | {"DEVBRIDGE_CACHE_DIR": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
