"""The zygote: what it preloads, what its forks share and what they must not share."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.runs.model import Exit
from runner.preloading import Notes
from runner.zygote import Spare, Zygote
from tests.integration.test_worker_processes import Credentials
from tests.integration.workers import PYTHON, Bench, bench, developer
from tests.waiting import gone, soon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of third-party modules that the zygote can import."""
    folder = tmp_path / "packages" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
async def workbench(tmp_path: Path, packages: Path) -> AsyncIterator[Bench]:
    root = tmp_path / "app"
    root.mkdir()
    environment = {**developer(), "PYTHONPATH": str(packages)}
    shell = inherited(environment, given=["PYTHONPATH"])
    async with bench(root, lambda: ZygoteLauncher(PYTHON, shell), Credentials()) as one:
        one.environment, one.given = environment, ("PYTHONPATH",)
        yield one


def launcher(workbench: Bench) -> ZygoteLauncher:
    assert isinstance(workbench.launcher, ZygoteLauncher)
    return workbench.launcher


async def parent(workbench: Bench, code: str) -> int:
    worker = await workbench.launch(f"import os\n{code}\ndef handler(payload): return os.getppid()")
    await worker.run()
    return int(await worker.result())


async def test_workers_are_forks_of_one_zygote(workbench: Bench) -> None:
    first = await parent(workbench, "")
    assert first == await parent(workbench, "") == launcher(workbench).pid


async def spare(workbench: Bench) -> psutil.Process:
    """The fork that waits, while no worker runs."""
    zygote = psutil.Process(launcher(workbench).pid)
    await soon(lambda: len(zygote.children()) == 1)
    return zygote.children()[0]


async def process_of(workbench: Bench) -> int:
    worker = await workbench.launch("import os\ndef handler(payload): return os.getpid()")
    await worker.run()
    pid = int(await worker.result())
    assert await worker.exit() == Exit(code=0)
    return pid


async def test_a_fork_waits_to_be_the_next_worker(workbench: Bench) -> None:
    await process_of(workbench)
    for _ in range(3):
        waits = await spare(workbench)
        assert await process_of(workbench) == waits.pid


async def test_where_the_fork_that_waits_was_killed_there_is_another(workbench: Bench) -> None:
    await process_of(workbench)
    waits = await spare(workbench)
    waits.kill()
    await soon(lambda: gone(waits))
    assert await process_of(workbench) != waits.pid


def test_a_fork_that_was_told_what_it_is_counts_though_it_has_hung_up_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else there would be two of one worker."""
    ours, its = socket.socketpair()
    send = socket.send_fds

    def deliver(*arguments: Any) -> int:
        sent = send(*arguments)
        its.close()
        return sent

    monkeypatch.setattr(socket, "send_fds", deliver)
    assert Spare(ours, 1).give({"root": "/", "environment": {}}, sys.stderr.fileno())


def test_without_a_descriptor_no_fork_waits_and_the_zygote_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> tuple[socket.socket, socket.socket]:
        raise OSError(errno.EMFILE, "too many open files")

    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "socketpair", refuse)
    with ours, theirs:
        zygote = Zygote(ours, Notes(frozenset()))
        assert zygote._fork_ahead() is None
        assert zygote._spare_at > time.monotonic()


async def test_third_party_modules_are_imported_once_and_before_the_fork(
    workbench: Bench, packages: Path
) -> None:
    (packages / "heavy.py").write_text("import os\nPID = os.getpid()\n")
    await launcher(workbench).preload(["heavy"])
    worker = await workbench.launch("import heavy\ndef handler(payload): return heavy.PID")
    await worker.run()
    assert int(await worker.result()) == launcher(workbench).pid


async def test_more_to_preload_makes_a_new_zygote_and_running_jobs_go_on(
    workbench: Bench, packages: Path
) -> None:
    (packages / "heavy.py").write_text("")
    running = await workbench.launch("def handler(payload): return 'still here'")
    await workbench.said.wait("ready", running.id)
    old = launcher(workbench).pid
    assert old is not None
    old_zygote = psutil.Process(old)
    await launcher(workbench).preload(["heavy"])
    assert launcher(workbench).pid != old
    assert old_zygote.is_running()
    await running.run()
    assert await running.result() == b'"still here"'
    assert await running.exit() == Exit(code=0)
    gone, _ = psutil.wait_procs([old_zygote], 30)
    assert gone


async def test_nothing_new_to_preload_keeps_the_zygote(workbench: Bench) -> None:
    await launcher(workbench).preload(["json"])
    first = launcher(workbench).pid
    await launcher(workbench).preload(["json"])
    assert launcher(workbench).pid == first


async def test_what_cannot_be_imported_is_left_out(workbench: Bench, packages: Path) -> None:
    (packages / "broken.py").write_text("raise SystemExit('no')")
    await launcher(workbench).preload(["missing", "broken", "json"])
    assert await parent(workbench, "") == launcher(workbench).pid


async def test_a_module_that_leaves_a_thread_running_is_not_preloaded(
    workbench: Bench, packages: Path
) -> None:
    (packages / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (packages / "innocent.py").write_text("import os\nPID = os.getpid()\n")
    await launcher(workbench).preload(["threaded", "innocent"])
    assert launcher(workbench).unsafe == ("threaded",)
    worker = await workbench.launch(
        "import innocent, threaded\ndef handler(payload): return innocent.PID"
    )
    await worker.run()
    assert int(await worker.result()) == launcher(workbench).pid


async def test_forks_do_not_share_random_numbers(workbench: Bench, packages: Path) -> None:
    # What numpy's global generator is to its forks, without numpy.
    (packages / "numpy").mkdir()
    (packages / "numpy/__init__.py").write_text("")
    (packages / "numpy/random.py").write_text(
        "import random\nSTATE = random.Random(1)\nseed, random = STATE.seed, STATE.random\n"
    )
    await launcher(workbench).preload(["numpy.random"])
    code = """
        import hashlib, os, random, uuid
        import numpy.random
        def handler(payload):
            return [random.random(), uuid.uuid4().hex, os.urandom(8).hex(), numpy.random.random()]
    """
    drawn = []
    for _ in range(2):
        worker = await workbench.launch(code)
        await worker.run()
        drawn.append(json.loads(await worker.result()))
    assert all(one != other for one, other in zip(*drawn, strict=True))


async def test_the_time_zone_of_a_job_is_its_own(workbench: Bench) -> None:
    worker = await workbench.launch(
        "import time\ndef handler(payload): return [os_time(), time.timezone]\n"
        "def os_time(): return time.localtime(0).tm_hour",
        TZ="UTC-5",
    )
    await worker.run()
    assert json.loads(await worker.result()) == [5, -5 * 3600]


async def test_what_only_a_fresh_interpreter_reads_gets_one(workbench: Bench) -> None:
    worker = await workbench.launch(
        "import sys\ndef handler(payload): return sys.flags.optimize", PYTHONOPTIMIZE="2"
    )
    await worker.run()
    assert await worker.result() == b"2"
    assert launcher(workbench).pid is None


async def test_a_killed_zygote_takes_its_workers_along_and_is_replaced(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import subprocess, sys
        def handler(payload):
            child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
            print("child", child.pid, flush=True)
            child.wait()
    """)
    await worker.run()
    child = psutil.Process(int((await worker.read_until(b"\n")).split()[1]))
    first = launcher(workbench).pid
    assert first is not None
    psutil.Process(first).kill()
    assert await worker.exit() == Exit(signal=signal.SIGKILL)
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], 30)
    assert gone
    assert await parent(workbench, "") == launcher(workbench).pid != first


async def test_what_a_worker_leaves_behind_is_told_to_end(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import subprocess, sys
        CODE = "import signal, time; signal.pause()"
        def handler(payload):
            return subprocess.Popen([sys.executable, "-c", CODE]).pid
    """)
    await worker.run()
    left_behind = int(await worker.result())
    assert await worker.exit() == Exit(code=0)
    await soon(lambda: not psutil.pid_exists(left_behind))


async def test_closing_kills_even_what_has_left_the_group(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import subprocess, sys
        CODE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
        def handler(payload):
            return subprocess.Popen([sys.executable, "-c", CODE], start_new_session=True).pid
    """)
    await worker.run()
    daemonised = psutil.Process(int(await worker.result()))
    await worker.exit()
    assert daemonised.is_running()
    await workbench.launcher.close()
    assert not psutil.pid_exists(daemonised.pid)


async def test_a_large_environment_reaches_the_worker(workbench: Bench) -> None:
    worker = await workbench.launch(
        "import os\ndef handler(payload): return len(os.environ['LARGE'])", LARGE="x" * 1_000_000
    )
    await worker.run()
    assert await worker.result() == b"1000000"


async def test_many_workers_are_started_at_once(workbench: Bench) -> None:
    workers = [await workbench.launch("def handler(payload): return payload") for _ in range(20)]
    for worker in workers:
        await worker.run(worker.id[1:].encode())
    results = [int(await worker.result()) for worker in workers]
    assert results == [int(worker.id[1:]) for worker in workers]
    assert {await worker.exit() for worker in workers} == {Exit(code=0)}


async def test_what_botocore_reads_is_learned_and_then_inherited(workbench: Bench) -> None:
    await launcher(workbench).preload(["botocore", "boto3"])
    code = """
        import boto3
        client = boto3.client("dynamodb")
        def handler(payload):
            return len(client.meta.service_model.operation_names)
    """
    first = await workbench.launch(code)
    learned = await workbench.said.wait("modules", first.id)
    data = [name for name in learned.third_party if name.startswith("botocore.data:")]
    assert any("dynamodb" in name for name in data)
    await launcher(workbench).preload(learned.third_party)
    second = await workbench.launch(code)
    modules = await workbench.said.wait("modules", second.id)
    assert not [name for name in modules.third_party if name.startswith("botocore.data:")]
    await first.run()
    await second.run()
    assert await first.result() == await second.result()


async def test_an_interpreter_that_does_not_start_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "python"
    for content in (None, "#!/bin/sh\necho broken >&2; exit 3\n"):
        if content is not None:
            missing.write_text(content)
            missing.chmod(0o755)
        one = ZygoteLauncher(missing, developer())
        await one.preload(["json"])
        assert "nothing can be preloaded" in caplog.text
        assert one.pid is None
        await one.close()
    assert "broken" in caplog.text
