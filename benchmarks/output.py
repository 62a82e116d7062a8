"""What a handler prints, to the terminal and the log file."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client, Stamps, Watched
from benchmarks.report import Goal, Row, figures
from tests.integration import brokers

LINE = "a line of eighty characters, as a job that tells what it is about would print it ok"
END = "=" * len(LINE)
"""The last line: all that is read is searched for it, which takes the less time the less it is like
the others."""
BLOCKS = f"""\
import os, sys, time
LINE = {LINE!r}
BLOCK = ((LINE + "\\n") * 700).encode()
def write(lines):
    for _ in range(lines // 700):
        left = memoryview(BLOCK)
        while left:
            left = left[os.write(1, left):]
    os.write(1, b"{END}\\n")
"""
PRINT = f"""\
import os, sys, time
LINE = {LINE!r}
def write(lines):
    for _ in range(lines // 700 * 700):
        print(LINE)
    print("{END}", flush=True)
"""
HANDLER = """
def handler(lines):
    stamp("began", time.time_ns())
    write(lines)
"""
KINDS = {"blocks": (BLOCKS, "written in blocks"), "print": (PRINT, "printed line by line")}


async def lines(bench: Bench) -> list[Row]:
    """Ours: until the last line has come out of the terminal. Floor: the same code at the other
    end of a pipe that is read in chunks of 64 KiB, and nothing is done with what is read."""
    # The blocks come to 29 MB: log files are rotated at 32 MiB.
    counts = {"blocks": bench.times(350_000, 70_000), "print": bench.times(105_000, 7_000)}
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    floor: dict[str, list[float]] = {kind: [] for kind in KINDS}
    split: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        sources = {f"jobs/{k}.py": stamps.source + KINDS[k][0] + HANDLER for k in KINDS}
        harness.write(root, sources)
        jobs = {kind: f"jobs/{kind}.handler" for kind in KINDS}
        setup = Setup(root=str(root), port=broker.port, jobs=jobs)
        async with harness.daemon(setup) as daemon, harness.client(broker.port) as client:
            for _ in range(bench.times(15, 1)):
                for kind in KINDS:
                    count, source = counts[kind], KINDS[kind][0]
                    floor[kind].append(count / await _raw(stamps, source, count, _drain))
                    split[kind].append(count / await _raw(stamps, source, count, _split))
                    took = await _job(daemon, client, stamps, kind, count)
                    ours[kind].append(count / took)
                    _check_log(root, kind, count)
    # What is printed in blocks is not shown as fast as it can be thrown away, but in lines.
    floors = (
        (floor, "the same pipe read raw, 64 KiB chunks", {"print": (Goal("ratio", ">=", 0.5),)}),
        (split, "the same, and split into lines", {"blocks": (Goal("ratio", ">=", 0.4),)}),
    )
    return [
        Row(
            measure=f"output, {KINDS[kind][1]}",
            unit="lines/s",
            ours=figures(ours[kind], more_is_better=True),
            floor=figures(values[kind], more_is_better=True),
            floor_is=floor_is,
            goals=goals.get(kind, ()),
        )
        for kind in KINDS
        for values, floor_is, goals in floors
    ]


async def _job(daemon: Watched, client: Client, stamps: Stamps, kind: str, count: int) -> float:
    ended, done = daemon.expecting_in_turn(END.encode(), b"Done ")
    client.request(client.run(kind, count))
    began = await stamps.next("began")
    took = (await harness.soon(ended) - began) / 1e9
    await harness.soon(done)
    await asyncio.sleep(0.2)  # until the next standby is there
    return took


async def _raw(stamps: Stamps, source: str, count: int, drain: Callable[[int], int]) -> float:
    """Seconds; in a thread with blocking reads, which nothing is faster than."""
    code = f'{stamps.source}{source}\nstamp("began", time.time_ns())\nwrite({count})\n'
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer) as process:  # noqa: ASYNC220
        os.close(writer)
        ended = await asyncio.to_thread(drain, reader)
        process.wait()
    return (ended - await stamps.next("began")) / 1e9


def _drain(reader: int) -> int:
    while os.read(reader, 65536):
        ended = time.time_ns()
    os.close(reader)
    return ended


def _split(reader: int) -> int:
    partial, count = b"", 0
    while data := os.read(reader, 65536):
        *whole, partial = (partial + data).split(b"\n")
        count += len(whole)
        ended = time.time_ns()
    os.close(reader)
    return ended


def _check_log(root: Path, kind: str, count: int) -> None:
    """The log has every line, and what devbridge added goes to the terminal alone."""
    (log,) = (root / ".devbridge" / "logs").glob(f"{kind}-*.log")
    expected = count // 700 * 700 * (len(LINE) + 1) + len(END) + 1
    if log.stat().st_size != expected:
        raise harness.Failed(f"{log} has {log.stat().st_size} bytes, not {expected}")
    log.unlink()
