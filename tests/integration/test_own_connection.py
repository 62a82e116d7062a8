"""What user code does to sockets, descriptors and the process does not reach the runner's own
connection: neither while the worker waits nor when it answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.live import App, job, live

KINDS = [
    "fresh",
    pytest.param("zygote", marks=pytest.mark.skipif(sys.platform != "linux", reason="linux only")),
]
DEEDS = {
    "a default timeout": "import socket; socket.setdefaulttimeout(0.001)",
    "closed descriptors": "os.closerange(3, 4096)",
    "few descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
    "no socket": "import socket; socket.socket = socket.create_connection = None",
    "patched methods": "import socket; socket.socket.connect = socket.socket.recv = None",
    "sigpipe": "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
    "sigterm": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "another folder": "os.chdir('/')",
    "no folder": "import tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "no output": "import sys; sys.stdout = sys.stderr = None",
    "odd output": "import sys\nclass Odd:\n  def flush(self): raise TypeError\nsys.stdout = Odd()",
    "closed output": "os.close(1); os.close(2)",
    "umask": "os.umask(0o777)",
    "no sys.path": "import sys; sys.path.clear()",
    "no threads": "import threading; threading.Thread = threading.Lock = None",
    "another event loop": "import asyncio; asyncio.set_event_loop_policy(None)",
    "a running loop": "import asyncio; asyncio.set_event_loop(asyncio.new_event_loop())",
    "no json": "import json; json.dumps = None",
    "no os": "os.fstat = os.getcwd = None",
    "an empty environment": "os.environ.clear()",
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


@pytest.mark.parametrize("when", ["import", "call"])
async def test_a_run_answers_whatever_its_code_has_done_to_the_process(
    app: App, kind: str, when: str
) -> None:
    jobs = []
    for number, (what, deed) in enumerate(DEEDS.items()):
        indented = deed.replace("\n", "\n    ")
        at = {
            "import": f"import os\n{deed}\ndef handler(payload):\n    return {what!r}\n",
            "call": f"import os\ndef handler(payload):\n    {indented}\n    return {what!r}\n",
        }
        app.write(f"jobs/j{number}.py", at[when])
        jobs.append(job(f"j{number}", f"jobs/j{number}.handler"))
    async with live(app, kind, *jobs) as desk:
        for _ in range(3):  # each round waits for all the others
            ends = [await desk.result(each.name) for each in jobs]
            assert ends == [f'"{what}"' for what in DEEDS]
        assert "cannot be loaded" not in desk.said()


async def test_a_descriptor_that_is_closed_by_a_thread_while_the_worker_waits_is_made_anew(
    app: App, kind: str
) -> None:
    closed, gate = app.outside / "closed", app.outside / "gate"
    app.write(
        "jobs/j.py",
        f"""
        import os, pathlib, threading, time
        def close():
            while not pathlib.Path({str(gate)!r}).exists():
                time.sleep(0.001)
            os.closerange(3, 4096)
            pathlib.Path({str(closed)!r}).touch()
        threading.Thread(target=close, daemon=True).start()
        def handler(payload):
            return "ok"
        """,
    )
    async with live(app, kind, job("j", "jobs/j.handler")) as desk:
        for _ in range(3):
            await desk.standby("j")
            gate.touch()
            await desk.exists(closed)
            gate.unlink()
            closed.unlink()
            assert await desk.result("j") == '"ok"'


async def test_an_error_is_told_whatever_its_code_has_done_to_the_process(
    app: App, kind: str
) -> None:
    app.write(
        "jobs/j.py",
        """
        import os, socket, sys
        socket.setdefaulttimeout(0.001)
        os.closerange(3, 4096)
        os.chdir("/")
        sys.stdout = None
        def handler(payload):
            os.closerange(3, 4096)
            raise ValueError("told")
        """,
    )
    async with live(app, kind, job("j", "jobs/j.handler")) as desk:
        for _ in range(3):
            assert await desk.result("j") == "ValueError: told"
