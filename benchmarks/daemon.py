"""The daemon under test, in a process of its own: composed as `devbridge dev` does it, without a
cloud. Run by `harness.Daemon`: ``python -m benchmarks.daemon CONFIG``, where CONFIG is JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from devbridge.daemon.daemon import Daemon
from devbridge.daemon.environment import worker_environment
from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.daemon.keeper import Keeper
from devbridge.daemon.log_files import MAX_LOG
from devbridge.daemon.log_listener import LogListener
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.settings import Connection, Settings, Workshop
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.environment import inherited
from devbridge.folders import cache_dir
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.protocol import codec
from devbridge.protocol.messages import VERSION, Presence, Topics
from devbridge.runs.model import FunctionSpec, JobSpec
from devbridge.testing import MemoryObjects
from devbridge.transport.base import Endpoint
from devbridge.transport.mqtt import MqttTransport
from devbridge.workers.base import FreshLauncher, Launcher
from runner.process import die_with_parent

APP = "bench"
STAGE = "bench"
REGION = "us-east-1"
HOST = "a1b2c3-ats.iot.us-east-1.amazonaws.com"
TOPICS = Topics(APP, STAGE)
READY = b"the daemon under test is ready\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is different from one measure to the next."""

    root: str
    port: int
    """The broker's WebSocket listener, on loopback."""
    jobs: dict[str, str] = field(default_factory=dict)
    """Handlers by name."""
    functions: dict[str, str] = field(default_factory=dict)
    """Handlers of live functions, by name."""
    concurrency: int = 2
    runtimes: dict[str, str] = field(default_factory=dict)
    """Of the jobs and functions that are not Python's, by their names."""
    fresh: bool = False
    """Workers are started anew instead of forked."""

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @property
    def ledger(self) -> Path:
        return Path(self.root, ".devbridge", "ledger.sqlite")


class _FixedCredentials:
    """What the daemon answers from its cache: the workers' botocore asks for it each time."""

    async def get(self, role_arn: str) -> Mapping[str, str]:  # noqa: ARG002
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {
            "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "SecretAccessKey": "none",
            "Token": "none",
            "Expiration": expiration,
        }


class _SameApp:
    """Nothing is deployed here."""

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        raise NotImplementedError

    async def outdated(self) -> bool:
        return False


async def _main(setup: Setup) -> None:
    root, python = Path(setup.root), Path(sys.executable)
    logs = root / ".devbridge" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    endpoint = Endpoint(HOST, REGION, ("127.0.0.1", setup.port))
    terminal = Terminal(sys.stdout.fileno(), colour=False)
    narrator = Narrator(when_drained=terminal.when_drained)
    narrator.add(LogListener(logs, MAX_LOG, narrator.tell))
    narrator.add(TerminalListener(terminal, root, logs))
    jobs = Jobs(JobSpec(**_code(setup, *each)) for each in setup.jobs.items())
    functions = {
        name: FunctionSpec(**_code(setup, name, handler))
        for name, handler in setup.functions.items()
    }
    launcher: Launcher
    if setup.runtimes:
        launcher = _launchers(root, python, narrator)
    elif setup.fresh:
        launcher = FreshLauncher()
    else:
        launcher = ZygoteLauncher(python, inherited(os.environ))
    shell = dict(os.environ)
    daemon = Daemon(
        Settings(
            root=root,
            python=python,
            logs=logs,
            concurrency=setup.concurrency,
            grace=5.0,
        ),
        Deployment(jobs, functions=functions),
        redeploys=_SameApp(),
        connection=Connection(
            TOPICS,
            Presence(
                online=True,
                daemon_id=codec.new_id(),
                host="bench",
                user="bench",
                pid=os.getpid(),
                since=time.time(),
                session_expiry=3600,
                version=VERSION,
            ),
            lambda client_id, clean: MqttTransport(
                endpoint, client_id, lambda: None, clean=clean, session_expiry=0 if clean else 3600
            ),
        ),
        workshop=Workshop(
            launcher,
            lambda spec, address: worker_environment(
                shell, spec, address, root=root, region=REGION
            ),
            _FixedCredentials(),
            objects=MemoryObjects(),
        ),
        ledger=Keeper.open(setup.ledger),
        narrator=narrator,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    running = asyncio.create_task(daemon.run(stop))
    ready = asyncio.create_task(daemon.wait_until_ready())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        terminal.write(READY)
    await running
    terminal.close()


def _code(setup: Setup, name: str, handler: str) -> dict[str, Any]:
    return {
        "name": name,
        "handler": handler,
        "timeout": 3600.0,
        "memory_mb": 3072,
        "role_arn": "arn:aws:iam::000000000000:role/bench",
        "environment": {},
        "runtime": setup.runtimes.get(name, ""),
    }


def _launchers(root: Path, python: Path, narrator: Narrator) -> Launcher:
    # Which the daemon of an app of Python alone need not import to be measured.
    from devbridge.languages.base import Workplace
    from devbridge.languages.launchers import Launchers

    return Launchers(
        Workplace(
            root=root,
            python=python,
            environment=inherited(os.environ),
            bundles=root / ".devbridge" / "bundles",
            cache=cache_dir(),
            say=narrator.say,
            details=narrator.say,
            fresh_jobs=root / ".devbridge" / "fresh.json",
        )
    )


if __name__ == "__main__":
    die_with_parent(os.getppid())
    asyncio.run(_main(Setup(**json.loads(sys.argv[1]))))
