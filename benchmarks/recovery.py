"""How soon a waiting request runs after the daemon was killed, or the broker was restarted."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import time
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client, Stamps
from benchmarks.report import Row, figures
from tests.integration import brokers

JOB: Final = "plain"
HANDLER: Final = """\
def handler(payload):
    stamp(f'run {payload}', time.time_ns())
    if payload == 'hang':
        time.sleep(600)
"""


async def recovery(bench: Bench) -> list[Row]:
    """Of the daemon, then of the connection."""
    with harness.stamps(bench) as stamps:
        return [await _daemon_killed(bench, stamps), await _broker_restarted(bench, stamps)]


# --- the daemon ---------------------------------------------------------------------------------


async def _daemon_killed(bench: Bench, stamps: Stamps) -> Row:
    """In turns: a first start with one request waiting in the broker; then, with a run in the
    worker, SIGKILL, a request, and a second start."""
    first: list[float] = []
    again: list[float] = []
    with brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker:
        before = _setup(bench, "before", broker.port, stamps)
        async with harness.client(broker.port) as client:
            async with harness.daemon(before):
                pass  # from now on the broker keeps requests
            for turn in range(bench.times(20, 2)):
                setup = _setup(bench, f"app{turn}", broker.port, stamps)
                first.append(await _start(client, setup, stamps, hang=True))
                again.append(await _start(client, setup, stamps, hang=False))
    return Row(
        measure="daemon killed: new one starts -> first line",
        unit="ms",
        ours=figures(again),
        floor=figures(first),
        floor_is="the daemon's very first start, and a request waits",
    )


async def _start(client: Client, setup: Setup, stamps: Stamps, *, hang: bool) -> float:
    """Milliseconds from a daemon's start to the first line of a request that waited for it. Its
    end is SIGKILL while it runs a job, with `hang`; or an orderly one."""
    client.request(client.run(JOB, 1))
    began = harness.now()
    daemon = harness.start(setup)
    try:
        done = daemon.expecting(b"Done ")
        line = await stamps.next("run 1")
        await harness.soon(done)
        if hang:
            client.request(client.run(JOB, "hang"))
            await stamps.next("run hang")
            daemon.kill()
    finally:
        await daemon.stop()
    return (line - began) / 1e6


# --- the broker ---------------------------------------------------------------------------------


async def _broker_restarted(bench: Bench, stamps: Stamps) -> Row:
    """Killed, and started again at once; the client that sends the request connects anew, and
    behind the request it sends itself a message."""
    ours: list[float] = []
    bare: list[float] = []
    folder = bench.scratch / "persistent"
    broker = _start_persistent(folder)
    setup = _setup(bench, "app", broker.port, stamps)
    try:
        async with harness.daemon(setup):
            for turn in range(bench.times(20, 2)):
                await asyncio.to_thread(_save, broker, folder)
                broker.kill()
                broker = await asyncio.to_thread(_start_persistent, folder, broker.port)
                began = harness.now()
                async with harness.client(broker.port) as client:
                    client.request(client.run(JOB, turn))
                    await client.round_trip(client.run(JOB, turn))
                    bare.append((harness.now() - began) / 1e6)
                    ours.append((await stamps.next(f"run {turn}") - began) / 1e6)
    finally:
        broker.kill()
    return Row(
        measure="broker restarted: it is up -> first line",
        unit="ms",
        ours=figures(ours),
        floor=figures(bare),
        floor_is="a bare client connects; QoS 1 round trip",
    )


def _start_persistent(folder: Path, port: int | None = None) -> brokers.Broker:
    # Without `user`, mosquitto gives up root's rights and cannot write there.
    extra = f"persistence true\npersistence_location {folder}/\nuser {getpass.getuser()}"
    return brokers.start_mosquitto(folder, port=port, extra=extra)


def _save(broker: brokers.Broker, folder: Path) -> None:
    """Have the broker save its sessions now."""
    path = folder / "mosquitto.db"
    path.unlink(missing_ok=True)
    os.kill(broker.process.pid, signal.SIGUSR1)
    until = time.monotonic() + harness.DEADLINE
    while not path.exists():  # it is written aside, then renamed
        if time.monotonic() > until:
            raise harness.Failed("the broker does not save its sessions")
        time.sleep(0.01)


def _setup(bench: Bench, name: str, port: int, stamps: Stamps) -> Setup:
    root = bench.scratch / name
    harness.write(root, {"jobs/plain.py": stamps.source + HANDLER})
    return Setup(root=str(root), port=port, jobs={JOB: "jobs/plain.handler"})
