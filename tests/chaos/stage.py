"""The stage: broker, proxies, daemon and callers as processes, and what can be done to them."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from devbridge.emulator.ports import free_port
from tests.chaos.plan import GRACE, STAGE, Order
from tests.chaos.post import Post
from tests.chaos.proxy import Proxy
from tests.integration.brokers import Broker, start_mosquitto
from tests.settings import is_personal

REPOSITORY: Final = Path(__file__).parents[2]
APP: Final = Path(__file__).parent / "app"
STOP_DEADLINE: Final = 60.0
"""Seconds in which a daemon that was asked to stop must have ended, on the slowest machine."""


@dataclass
class Fault:
    """Something that was done to the stage. Times are seconds since the epoch."""

    kind: str
    began: float
    ended: float
    pid: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Sample:
    """The daemon at one moment."""

    pid: int
    at: float
    descriptors: int
    threads: int
    rss_mb: float
    processes: int
    """It and all below it."""
    zombies: int


@dataclass
class Files:
    """Where everything is."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.effects, self.root / "broker"):
            folder.mkdir(parents=True)
        self.answers.touch()
        shutil.copytree(APP, self.app, ignore=shutil.ignore_patterns("__pycache__"))

    @property
    def app(self) -> Path:
        return self.root / "app"

    @property
    def effects(self) -> Path:
        return self.root / "effects"

    @property
    def ledger(self) -> Path:
        return self.app / ".devbridge" / STAGE / "ledger.sqlite"

    @property
    def terminal(self) -> Path:
        return self.root / "daemon.out"

    @property
    def answers(self) -> Path:
        return self.root / "answers.jsonl"

    @property
    def faults(self) -> Path:
        return self.root / "faults.jsonl"


@dataclass
class Stage:
    """Lives in one event loop, between `open` and `close`."""

    files: Files
    rng: random.Random
    concurrency: int
    endpoint: str
    """Of the cloud that has the messages."""
    faults: list[Fault] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    """What the daemon's process did that it must not."""
    lives: int = 0

    async def open(self) -> None:
        self.broker_port = free_port()
        self._start_broker()
        self.daemon_proxy = Proxy(self.broker_port, self.rng)
        self.caller_proxy = Proxy(self.broker_port, self.rng)
        await self.daemon_proxy.start()
        await self.caller_proxy.start()
        self._daemon: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._callers: list[subprocess.Popen[bytes]] = []
        self._mappings: list[subprocess.Popen[bytes]] = []
        self.post = await asyncio.to_thread(Post, self.files.app, self.endpoint)
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        self._watching.cancel()
        for process in [self._daemon, *self._callers, *self._mappings]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        await self.daemon_proxy.close()
        await self.caller_proxy.close()
        self.broker.stop()

    # --- the broker -------------------------------------------------------------------------

    def _start_broker(self) -> None:
        folder = self.files.root / "broker"
        self.broker: Broker = start_mosquitto(
            folder,
            # Without `user`, mosquitto gives up root's rights and cannot write there.
            extra=f"listener {self.broker_port} 127.0.0.1\npersistence true\n"
            f"persistence_location {folder}/\nuser {getpass.getuser()}",
        )

    async def restart_broker(self, pause: float) -> None:
        await asyncio.to_thread(self.broker.stop)
        await asyncio.sleep(pause)
        await asyncio.to_thread(self._start_broker)

    # --- the daemon -------------------------------------------------------------------------

    @property
    def daemon_pid(self) -> int | None:
        if self._daemon is None or self._daemon.poll() is not None:
            return None
        return self._daemon.pid

    def start_daemon(self) -> None:
        settings = self.files.root / "daemon.json"
        settings.write_text(
            json.dumps(
                {
                    "root": str(self.files.app),
                    "effects": str(self.files.effects),
                    "port": self.daemon_proxy.port,
                    "endpoint": self.endpoint,
                    "roles": self.post.roles,
                    "concurrency": self.concurrency,
                    "grace": GRACE,
                    "on_broken": "fail",
                }
            )
        )
        with self.files.terminal.open("ab") as output:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.daemon", str(settings)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        self._wanted = True
        self.lives += 1

    def kill_daemon(self) -> int | None:
        pid = self.daemon_pid
        self._wanted = False
        if pid is not None and self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        return pid

    async def stop_daemon(self) -> int | None:
        """Ctrl-C, and the exit code; None when it did not end."""
        self._wanted = False
        daemon = self._daemon
        if daemon is None or daemon.poll() is not None:
            return 0
        daemon.send_signal(signal.SIGINT)
        until = time.monotonic() + STOP_DEADLINE
        while daemon.poll() is None and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if daemon.poll() is None:
            self.unexpected.append(f"the daemon did not end in {STOP_DEADLINE:g} s after Ctrl-C")
            daemon.kill()
            daemon.wait()
            return None
        # While it starts, Ctrl-C ends it as it ends any Python program; the CLI makes 130 of that.
        if daemon.returncode not in (0, -signal.SIGINT) and not self._no_broker():
            self.unexpected.append(f"the daemon ended with code {daemon.returncode} after Ctrl-C")
        return daemon.returncode

    async def _watch(self) -> None:
        """A daemon that ended by itself is started again, as its user would."""
        while True:
            await asyncio.sleep(0.25)
            if self._wanted and self._daemon is not None and self._daemon.poll() is not None:
                if not self._no_broker():
                    self.unexpected.append(
                        f"the daemon ended by itself with code {self._daemon.returncode}:"
                        f" see {self.files.terminal}"
                    )
                now = time.time()
                self.note(Fault("daemon found no broker", now, now, self._daemon.pid))
                await asyncio.sleep(0.5)
                if self._wanted:
                    self.start_daemon()

    def _no_broker(self) -> bool:
        """Whether the last words were that the first connection failed, which ends a daemon."""
        with self.files.terminal.open("rb") as terminal:
            terminal.seek(max(0, self.files.terminal.stat().st_size - 2000))
            last = terminal.read().decode(errors="replace")
        return "BrokerUnreachable" in last[last.rfind("Traceback") :]

    def sample(self) -> Sample | None:
        """The daemon's process now."""
        pid = self.daemon_pid
        if pid is None:
            return None
        try:
            process = psutil.Process(pid)
            below = process.children(recursive=True)
            zombies = 0
            for child in below:
                with contextlib.suppress(psutil.NoSuchProcess):
                    zombies += child.status() == psutil.STATUS_ZOMBIE
            sample = Sample(
                pid,
                time.time(),
                process.num_fds(),
                process.num_threads(),
                round(process.memory_info().rss / 2**20, 1),
                1 + len(below),
                zombies,
            )
        except psutil.Error:
            return None
        self.samples.append(sample)
        return sample

    def workers(self) -> tuple[int | None, list[int]]:
        """The zygote's pid and its workers'."""
        pid = self.daemon_pid
        if pid is None:
            return None, []
        try:
            for child in psutil.Process(pid).children():
                if "zygote" in child.cmdline():
                    return child.pid, [worker.pid for worker in child.children()]
        except psutil.Error:
            pass
        return None, []

    # --- the callers ------------------------------------------------------------------------

    def start_callers(self, dealt: Sequence[Sequence[Order]], until: float) -> None:
        """Each caller's orders; after `until` (seconds since the epoch) no error is retried."""
        for index, orders in enumerate(dealt):
            name = f"caller-{len(self._callers)}-{index}"
            settings = self.files.root / f"{name}.json"
            settings.write_text(
                json.dumps(
                    {
                        "name": name,
                        "port": self.caller_proxy.port,
                        "answers": str(self.files.answers),
                        "start": time.time() + 0.5,
                        "until": until,
                        "orders": [asdict(order) for order in orders],
                    }
                )
            )
            self._callers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.chaos.caller", str(settings)],
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stderr=(self.files.root / f"{name}.err").open("wb"),
                    env=_environment(),
                )
            )

    def callers(self) -> list[int]:
        """The pids of the callers that still have something to do."""
        return [caller.pid for caller in self._callers if caller.poll() is None]

    def failed_callers(self) -> list[int]:
        return [caller.pid for caller in self._callers if caller.poll()]

    # --- the mappings -----------------------------------------------------------------------

    def start_mappings(self) -> None:
        """One for each job that messages start."""
        self._mappings = [self._mapping(number) for number in range(len(self.post.mappings))]

    def mappings(self) -> list[int]:
        """Their pids."""
        return [mapping.pid for mapping in self._mappings]

    def kill_mapping(self) -> int:
        """Kill one, and start it again."""
        number = self.rng.randrange(len(self._mappings))
        killed = self._mappings[number]
        killed.kill()
        killed.wait()
        self._mappings[number] = self._mapping(number)
        return killed.pid

    def _mapping(self, number: int) -> subprocess.Popen[bytes]:
        settings = self.files.root / f"mapping-{number}.json"
        own = {"port": self.caller_proxy.port, "endpoint": self.endpoint}
        settings.write_text(json.dumps({**self.post.mappings[number], **own}))
        with settings.with_suffix(".err").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.mapping", str(settings)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
            )

    # --- what is known meanwhile --------------------------------------------------------------

    def note(self, fault: Fault) -> None:
        self.faults.append(fault)
        with self.files.faults.open("a") as file:
            file.write(json.dumps(asdict(fault)) + "\n")

    def missing(self) -> int:
        """How many jobs that callers were told to be accepted the ledger does not have yet."""
        told = set()
        with self.files.answers.open() as answers:
            for line in answers:
                answer = json.loads(line)
                if answer["action"] == "run" and "error" not in answer["answer"]:
                    told.add(answer["id"])
        return len(told - {row[0] for row in self._query("SELECT job_id FROM runs")})

    def counts(self) -> dict[str, int]:
        """Runs by state; nothing while there is no ledger."""
        return dict(self._query("SELECT state, count(*) FROM runs GROUP BY state"))

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        if not self.files.ledger.exists():
            return []
        uri = f"{self.files.ledger.as_uri()}?mode=ro"
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as db,
        ):
            return db.execute(query).fetchall()
        return []


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not is_personal(key)}
