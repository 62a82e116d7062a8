"""Packing the code of functions and jobs: for the first time, and when nothing has changed."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.harness import Bench
from benchmarks.report import Row, figures
from devbridge.constructs import Function, Job
from devbridge.constructs.load import load_app
from devbridge.languages.python.packing import Builder
from devbridge.languages.python.pip import Target

APP: Final = """\
from devbridge import App, Function, Job
app = App("bench")
Function(app, "function", handler="handlers/pure.handler")
for name in ("pure", "native"):
    Job(app, name, handler=f"handlers/{name}.handler", timeout="1 hour", memory_size="3 GB")
"""
HANDLER: Final = "import {}\ndef handler(*_):\n    return None\n"
PURE: Final = "click"
NATIVE: Final = ("polars", "polars-runtime-32")
SMALL: Final = ("msgspec",)
"""Instead, when it is to be quick."""
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


async def package(bench: Bench) -> list[Row]:
    """For Amazon Linux on x86_64, each time in a process that has packed nothing before; pip has
    downloaded everything before."""
    app, native = bench.scratch / "app", SMALL if bench.quick else NATIVE
    code = {"pure": PURE, "native": native[0]}
    files = {f"handlers/{name}.py": HANDLER.format(import_) for name, import_ in code.items()}
    harness.write(app, {"app.py": APP, **files})
    kinds = {
        ("function", "function"): (f"function with {PURE}", [PURE]),
        ("job", "pure"): (f"job with {PURE}", [PURE]),
        ("job", "native"): (f"job with {native[0]}", list(native)),
    }
    if bench.quick:
        del kinds["job", "pure"]
    rows = []
    for (kind, name), (title, distributions) in kinds.items():
        cold: list[float] = []
        bare: list[float] = []
        cached: list[float] = []
        edited: list[float] = []
        hashed: list[float] = []
        pins = [f"{each}=={metadata.version(each)}" for each in distributions]
        await _fresh(_installed_and_zipped, pins, bench.scratch / "first")
        for turn in range(bench.times(3, 1)):
            ours, theirs = (bench.scratch / f"{name}-{kind}-{turn}-{who}" for who in ("d", "p"))
            cold.append(await _fresh(_packed, app, kind, name, ours))
            bare.append(await _fresh(_installed_and_zipped, pins, theirs))
            cached.append(await _fresh(_packed, app, kind, name, ours))
            harness.write(app, {f: f"{text}# {turn}\n" for f, text in files.items()})
            edited.append(await _fresh(_packed, app, kind, name, ours))
            hashed.append(await _fresh(_hashed, theirs))
            shutil.rmtree(ours)
            shutil.rmtree(theirs)
        shutil.rmtree(bench.scratch / "first")
        rows += [
            Row(
                measure=f"package, {when}: {title}",
                unit="ms",
                ours=figures(values),
                floor=figures(floor),
                floor_is=floor_is,
            )
            for when, values, floor, floor_is in (
                ("cold", cold, bare, "pip install --target, and a zip of that"),
                ("cached", cached, hashed, "reading and hashing the same files"),
                ("edited", edited, bare, "pip install --target, and a zip of that"),
            )
        ]
    return rows


async def _fresh(call: Callable[..., float], *args: object) -> float:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return await asyncio.wrap_future(pool.submit(call, *args))


def _packed(app: Path, kind: str, name: str, cache: Path) -> float:
    """Milliseconds until the zip of a construct is known."""
    loaded = load_app(app, "bench")
    began = time.perf_counter()
    builder = Builder(Path(sys.executable), VERSION, cache)
    if kind == "function":
        builder.function_asset(loaded.of_type(Function)[0])
    else:
        builder.job_assets(next(job for job in loaded.of_type(Job) if job.name == name))
    return (time.perf_counter() - began) * 1000


def _installed_and_zipped(pins: list[str], folder: Path) -> float:
    """Milliseconds for the same with pip and zipfile alone."""
    began = time.perf_counter()
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    target = ("--no-deps", "--no-compile", "--target", str(folder), *Target(VERSION).options)
    harness.run([*pip, *target, *pins])
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    took = (time.perf_counter() - began) * 1000
    folder.with_suffix(".zip").unlink()
    return took


def _hashed(folder: Path) -> float:
    """Milliseconds for reading and hashing what pip has installed."""
    began = time.perf_counter()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")
    return (time.perf_counter() - began) * 1000
