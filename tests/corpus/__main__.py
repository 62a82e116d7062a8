"""``python -m tests.corpus [NAME ...]``: all libraries, in an environment of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from tests.corpus import ways
from tests.corpus.libraries import LIBRARIES, Library


def main() -> int:
    """The exit code: 1 when a library's runs differ."""
    wanted = sys.argv[1:]
    libraries = [one for one in LIBRARIES if not wanted or one.name in wanted]
    with tempfile.TemporaryDirectory(prefix="devbridge-corpus-") as folder:
        python = _environment(Path(folder), libraries)
        began = time.monotonic()
        found = asyncio.run(_all(Path(folder), libraries, python))
        print(f"{len(libraries)} libraries in {time.monotonic() - began:.0f} s")
    return 1 if any(found) else 0


def _environment(folder: Path, libraries: list[Library]) -> Path:
    if given := os.environ.get("DEVBRIDGE_CORPUS_PYTHON"):
        return Path(given)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    packages = sorted({package for one in libraries for package in one.packages} | {"boto3"})
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


async def _all(folder: Path, libraries: list[Library], python: Path) -> list[bool]:
    """Two at a time; whether each has failed."""
    free = asyncio.Semaphore(2)

    async def one(library: Library) -> bool:
        async with free:
            try:
                problems = await ways.compare(folder / "apps" / library.name, library, python)
            except Exception as error:
                problems = [f"{type(error).__name__}: {error}"]
        kind = "fresh" if library.fresh else "forked"
        print(f"{'FAIL' if problems else 'ok  '}  {library.name:<24} {kind}", flush=True)
        for problem in problems:
            print(f"      {problem}", flush=True)
        return bool(problems)

    return list(await asyncio.gather(*map(one, libraries)))


if __name__ == "__main__":
    sys.exit(main())
