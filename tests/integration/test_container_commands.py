"""Container jobs on the laptop: a worker that runs a command in place of a handler."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devbridge.workers.base import FreshLauncher
from tests.integration.workers import Bench, Worker, bench

SHOW = """
import os, sys
told = [os.environ[f"DEVBRIDGE_{name}"] for name in ("PAYLOAD", "ATTEMPT", "MAX_ATTEMPTS")]
print(os.getcwd(), *told, *sys.argv[1:])
"""


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "image").mkdir()
    async with bench(tmp_path, FreshLauncher) as one:
        yield one


async def start(there: Bench, *command: str, payload: object = None) -> Worker:
    worker = await there.launch(
        handler="",
        DEVBRIDGE_COMMAND=json.dumps(command),
        DEVBRIDGE_COMMAND_DIR=str(there.root / "image"),
    )
    await worker.run(json.dumps(payload).encode())
    return worker


async def test_a_command_gets_its_payload_in_its_environment(there: Bench) -> None:
    worker = await start(there, sys.executable, "-c", SHOW, "an 'argument'", payload={"a": "ü"})
    assert await worker.result() == b"null"
    assert await worker.output() == f"""{there.root}/image {{"a":"ü"}} 1 1 an 'argument'\n"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), 3),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), 137),
        (("there-is-no-such-command",), 127),
        (("/",), 126),
    ],
)
async def test_a_command_that_fails_fails_the_run_with_its_exit_code(
    there: Bench, command: tuple[str, ...], code: int
) -> None:
    worker = await start(there, *command)
    failure = await worker.failure()
    assert failure.type == "CommandFailed"
    assert failure.message == f"the command exited with code {code}"


async def test_a_payload_over_what_a_build_takes_is_refused(there: Bench) -> None:
    worker = await start(there, "true", payload="x" * 8191)
    failure = await worker.failure()
    assert failure.type == "PayloadTooLarge"
    assert "a container job takes 8,192" in failure.message


async def test_a_command_may_end_gracefully_when_it_is_stopped(there: Bench) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('cleaning up') or exit(5))\n"
        "print('started', flush=True)\n"
        "time.sleep(600)"
    )
    worker = await start(there, sys.executable, "-c", code)
    await worker.read_until(b"started\n")
    worker.process.signal_group(signal.SIGTERM)
    failure = await worker.failure()
    assert failure.message == "the command exited with code 5"
    assert await worker.output() == "cleaning up\n"
