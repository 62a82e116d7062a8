from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from devbridge.languages.python import adapter as module
from devbridge.languages.python.adapter import Adapter
from devbridge.languages.python.dap import encode, read

PYTHON = Path(sys.executable)


async def test_it_serves_debuggers_and_ends_with_all_that_it_has_started() -> None:
    adapter = Adapter(PYTHON)
    assert adapter.ended
    await adapter.start()
    assert adapter._process is not None
    below = [psutil.Process(adapter._process.pid), psutil.Process(adapter.place["parent"])]
    assert below[1].ppid() == below[0].pid
    reader, writer = await adapter.connect()
    arguments = {"adapterID": "debugpy"}
    writer.write(
        encode({"seq": 1, "type": "request", "command": "initialize", "arguments": arguments})
    )
    while (message := await read(reader)) is not None and message["type"] != "response":
        pass
    assert message is not None
    assert message["success"]
    writer.close()
    await adapter.close()
    await adapter.close()
    assert adapter.ended
    psutil.wait_procs(below, timeout=30)
    assert not [each for each in below if each.is_running()]


async def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Adapter(PYTHON)
    await adapter.start()
    assert adapter._process is not None
    there = psutil.Process(adapter._process.pid)
    anchor = psutil.Process(adapter.place["parent"])
    there.suspend()
    monkeypatch.setattr(module, "CLOSE_DEADLINE", 0.01)
    await adapter.close()
    psutil.wait_procs([there, anchor], timeout=30)
    assert not [each for each in (there, anchor) if each.is_running()]
