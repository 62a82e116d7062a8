"""The faults: a seeded schedule of what breaks when, and how it is done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tests.chaos.stage import Fault, Stage

WEIGHTS: Final = {
    "daemon killed": 3.0,
    "daemon stopped": 2.0,
    "daemon asleep": 2.0,
    "worker killed": 5.0,
    "zygote killed": 0.7,
    "broker restarted": 2.0,
    "daemon cut off": 4.0,
    "callers cut off": 4.0,
    "daemon half-open": 1.5,
    "callers half-open": 1.0,
    "daemon not heard": 1.5,
    "callers not heard": 1.5,
    "slow network": 3.0,
    "broker silent": 1.0,
    "saved": 5.0,
    "saved broken": 1.0,
    "caller frozen": 2.0,
    "mapping killed": 2.0,
}


def schedule(rng: random.Random, count: int) -> list[str]:
    """Which faults happen, in order; each kind at least once when there is room."""
    kinds = list(WEIGHTS)
    once = rng.sample(kinds, len(kinds))
    more = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=max(0, count - len(kinds)))
    # The second half is at random, the first shows every kind.
    return (once + more)[:count]


class Faults:
    """Does them, one after the other."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self._stage = stage
        self._rng = rng
        self._version = 0
        self._handler = stage.files.app / "jobs" / "edited.py"
        self._kinds: dict[str, Callable[[], Awaitable[Fault | None]]] = {
            "daemon killed": self._daemon_killed,
            "daemon stopped": self._daemon_stopped,
            "daemon asleep": self._daemon_asleep,
            "worker killed": self._worker_killed,
            "zygote killed": self._zygote_killed,
            "broker restarted": self._broker_restarted,
            "daemon cut off": self._daemon_cut_off,
            "callers cut off": self._callers_cut_off,
            "daemon half-open": self._daemon_half_open,
            "callers half-open": self._callers_half_open,
            "daemon not heard": self._daemon_not_heard,
            "callers not heard": self._callers_not_heard,
            "slow network": self._slow_network,
            "broker silent": self._broker_silent,
            "saved": self._saved,
            "saved broken": self._saved_broken,
            "caller frozen": self._caller_frozen,
            "mapping killed": self._mapping_killed,
        }

    async def do(self, kind: str) -> None:
        """Do it, and write down that it was done."""
        began = time.time()
        fault = await self._kinds[kind]()
        if fault is not None:
            fault.kind, fault.began, fault.ended = kind, fault.began or began, time.time()
            self._stage.note(fault)

    def heal(self) -> None:
        """Nothing is broken any more; what was cut off may connect."""
        for proxy in (self._stage.daemon_proxy, self._stage.caller_proxy):
            proxy.dark = False
            proxy.delay = 0.0
            proxy.cut()

    # --- the daemon and its workers ---------------------------------------------------------

    async def _daemon_killed(self) -> Fault:
        killed = self._stage.kill_daemon()
        at = time.time()
        await asyncio.sleep(self._rng.choice([0.0, 0.5, 2.0]))
        self._stage.start_daemon()
        return Fault("", at, 0.0, pid=killed or 0)

    async def _daemon_stopped(self) -> Fault:
        pid = self._stage.daemon_pid
        began = time.time()
        await self._stage.stop_daemon()
        took = time.time() - began
        await asyncio.sleep(self._rng.choice([0.0, 1.0, 4.0]))
        self._stage.start_daemon()
        return Fault("", 0.0, 0.0, pid=pid or 0, detail=f"ended in {took:.2f} s")

    async def _daemon_asleep(self) -> Fault | None:
        return await self._asleep(self._stage.daemon_pid, self._rng.choice([1.0, 2.0, 5.0, 12.0]))

    async def _worker_killed(self) -> Fault | None:
        _, workers = self._stage.workers()
        if not workers:
            return None
        victim = self._rng.choice(workers)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            return Fault("", 0.0, 0.0, pid=victim)
        return None

    async def _zygote_killed(self) -> Fault | None:
        zygote, _ = self._stage.workers()
        if zygote is None:
            return None
        os.kill(zygote, signal.SIGKILL)
        return Fault("", 0.0, 0.0, pid=zygote)

    async def _asleep(self, pid: int | None, seconds: float) -> Fault | None:
        if pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                os.kill(pid, signal.SIGCONT)
            return Fault("", 0.0, 0.0, pid=pid, detail=f"{seconds:g} s")
        return None

    # --- the network and the broker ---------------------------------------------------------

    async def _broker_restarted(self) -> Fault:
        pause = self._rng.choice([0.0, 0.5, 2.0])
        await self._stage.restart_broker(pause)
        return Fault("", 0.0, 0.0, detail=f"away for {pause:g} s")

    async def _daemon_cut_off(self) -> Fault:
        return Fault("", 0.0, 0.0, detail=f"{self._stage.daemon_proxy.cut()} connections")

    async def _callers_cut_off(self) -> Fault:
        return Fault("", 0.0, 0.0, detail=f"{self._stage.caller_proxy.cut()} connections")

    async def _daemon_half_open(self) -> Fault:
        """Not mended: the daemon has to notice."""
        return Fault("", 0.0, 0.0, detail=f"{self._stage.daemon_proxy.stall()} connections")

    async def _callers_half_open(self) -> Fault:
        return Fault("", 0.0, 0.0, detail=f"{self._stage.caller_proxy.stall()} connections")

    async def _daemon_not_heard(self) -> Fault:
        """What the daemon sends arrives, nothing comes back; then the connection breaks."""
        self._stage.daemon_proxy.deafen()
        await asyncio.sleep(self._rng.uniform(0.3, 2.0))
        return Fault("", 0.0, 0.0, detail=f"{self._stage.daemon_proxy.cut()} connections")

    async def _callers_not_heard(self) -> Fault:
        self._stage.caller_proxy.deafen()
        await asyncio.sleep(self._rng.uniform(0.3, 2.0))
        return Fault("", 0.0, 0.0, detail=f"{self._stage.caller_proxy.cut()} connections")

    async def _slow_network(self) -> Fault:
        delay = self._rng.choice([0.05, 0.2, 0.5])
        for proxy in (self._stage.daemon_proxy, self._stage.caller_proxy):
            proxy.delay = delay
        await asyncio.sleep(self._rng.uniform(1.0, 4.0))
        for proxy in (self._stage.daemon_proxy, self._stage.caller_proxy):
            proxy.delay = 0.0
        return Fault("", 0.0, 0.0, detail=f"up to {delay:g} s")

    async def _broker_silent(self) -> Fault:
        """Connections are accepted, and nothing ever answers."""
        proxy = self._stage.daemon_proxy
        proxy.dark = True
        proxy.cut()
        await asyncio.sleep(self._rng.uniform(1.0, 5.0))
        proxy.dark = False
        proxy.cut()
        return Fault("", 0.0, 0.0)

    # --- the user and the callers -----------------------------------------------------------

    async def _saved(self) -> Fault:
        for _ in range(self._rng.choice([1, 1, 3])):
            self._save_version()
            await asyncio.sleep(self._rng.uniform(0.0, 0.2))
        return Fault("", 0.0, 0.0, detail=f"version {self._version}")

    async def _saved_broken(self) -> Fault:
        good = self._handler.read_text()
        _save(self._handler, good + "\ndef broken(:\n")
        await asyncio.sleep(self._rng.uniform(0.2, 1.0))
        _save(self._handler, good)
        self._save_version()
        return Fault("", 0.0, 0.0, detail=f"version {self._version}")

    def _save_version(self) -> None:
        self._version += 1
        text = re.sub(
            r"^VERSION = \d+$",
            f"VERSION = {self._version}",
            self._handler.read_text(),
            flags=re.MULTILINE,
        )
        _save(self._handler, text)

    async def _caller_frozen(self) -> Fault | None:
        """As Lambda freezes a function, though in the middle of a call."""
        callers = [*self._stage.callers(), *self._stage.mappings()]
        return await self._asleep(self._rng.choice(callers), self._rng.choice([1.0, 3.0]))

    async def _mapping_killed(self) -> Fault:
        """What it was about to delete comes again."""
        return Fault("", 0.0, 0.0, pid=await asyncio.to_thread(self._stage.kill_mapping))


def _save(file: Path, text: str) -> None:
    """As editors do: a new file takes the old one's place."""
    new = file.with_suffix(".tmp")
    new.write_text(text)
    new.replace(file)
