"""`python -m benchmarks [--json FILE] [--quick] [NAME...]`: measure, and print one table."""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import itertools
import json
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import (
    bridge,
    burst,
    calls,
    checkpoints,
    cloud,
    commands,
    console,
    deploying,
    harness,
    idle,
    live,
    memory,
    newcomer,
    node,
    output,
    packaging,
    recovery,
    reload,
    triggers,
    workers,
)
from benchmarks.compare import compare
from benchmarks.harness import Bench
from benchmarks.report import Row, document, table

MEASURES: Final[Mapping[str, Callable[[Bench], Awaitable[list[Row]]]]] = {
    "bridge": bridge.invoke,
    "first": bridge.first,
    "cloud": cloud.cloud,
    "triggers": triggers.triggers,
    "reload": reload.save,
    "workers": workers.cold,
    "output": output.lines,
    "burst": burst.burst,
    "burst-sdk": burst.sdk,
    "burst-wide": burst.wide,
    "idle": idle.idle,
    "console-search": console.search,
    "console-memory": console.memory,
    "console": console.looked_at,
    "console-painted": console.painted,
    "debug": console.debugging,
    "recovery": recovery.recovery,
    "checkpoints": checkpoints.checkpoints,
    "memory": memory.memory,
    "package": packaging.package,
    "commands": commands.commands,
    "unchanged": deploying.unchanged,
    "scale": deploying.scale,
    "places": deploying.places,
    "deployed": deploying.run,
    "node-reload": node.save,
    "node-bridge": node.invoke,
    "node-workers": node.cold,
    "node-bundle": node.bundle,
    "live-api": live.api,
    "live-calls": calls.calls,
    "live-many": calls.many,
    "live-save": live.save,
    "newcomer": newcomer.newcomer,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 however the numbers are: they are for reading; 1 when one could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="or a pattern: " + ", ".join(MEASURES)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument("--compare", metavar="REV", help="against another commit, in turns")
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it work?")
    options = parser.parse_args(arguments)
    # A script that has started this in the background has Ctrl-C ignored, for all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = [fnmatch.filter(MEASURES, name) for name in options.names]
    if unknown := [name for name, names in zip(options.names, found, strict=True) if not names]:
        parser.error(f"no such measure: {', '.join(unknown)}")
    names = list(itertools.chain(*found)) if found else list(MEASURES)
    if options.compare:
        try:
            print(compare(names, options.compare, quick=options.quick))
        except harness.Failed as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    rows: list[Row] = []
    code = 0
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            rows += measure(name, quick=options.quick)
        except (harness.Failed, TimeoutError) as error:
            print(f"{name} could not be measured: {error or 'it took too long'}", file=sys.stderr)
            code = 1
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(document(rows, machine()), indent=2) + "\n")
    return code


def measure(name: str, *, quick: bool) -> list[Row]:
    """Make one measure."""
    with harness.scratch() as directory:
        return asyncio.run(_measure(MEASURES[name], Bench(quick, directory)))


async def _measure(make: Callable[[Bench], Awaitable[list[Row]]], bench: Bench) -> list[Row]:
    return await make(bench)


def machine() -> dict[str, object]:
    """On what the numbers were measured."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
