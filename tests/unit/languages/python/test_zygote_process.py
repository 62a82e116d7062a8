"""The conversation with a zygote. A small script stands in for it: see `tests/integration/runner`
for the real one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devbridge.errors import InterpreterError
from devbridge.languages.python import zygote_process
from devbridge.languages.python.zygote_process import Zygote, ZygoteEnded
from devbridge.runs.model import Exit
from devbridge.workers.base import WorkerSpec

DEADLINE = 30.0
SPEC = WorkerSpec("w1", Path("/"), "jobs/a.handler", Path(sys.executable), {"A": "1"})
SPEAK = """\
import json, os, socket, sys
control = socket.socket(fileno=int(sys.argv[2]))
def say(**message):
    control.sendall(json.dumps(message).encode() + b"\\n")
def heard():
    text = b""
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 65536, 10)
        for descriptor in descriptors:
            os.write(descriptor, b"worker's output")
            os.close(descriptor)
        if not data:
            return
        *lines, text = (text + data).split(b"\\n")
        yield from map(json.loads, lines)
for message in heard():
"""
ANSWERS = """\
    if "preload" in message:
        say(ready={"failed": {"nothing": "no such module"}, "site": True}, unsafe=None)
    elif "fork" in message:
        assert message["environment"] == {"A": "1"} and message["root"] == "/"
        say(forked=message["fork"], pid=4000 + message["fork"])
    elif "signal" in message:
        say(exited=message["signal"], status=message["number"])
    elif "retire" in message:
        break
"""


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The process groups that are signalled, and with what: the script's are made up."""
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(zygote_process, "signal_group", lambda *given: signalled.append(given))
    return signalled


@pytest.fixture
async def start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Callable[[str], Zygote]]:
    """Starts a zygote that does what its script says with each message."""
    made: list[Zygote] = []

    def begin(answers: str) -> Zygote:
        command = [sys.executable, "-I", "-S", "-c", SPEAK + answers]
        monkeypatch.setattr(zygote_process, "runner_command", lambda python: command)
        made.append(Zygote(Path(sys.executable), {}, 2, tmp_path))
        return made[-1]

    yield begin
    for zygote in made:
        await zygote.close()


async def test_it_tells_what_it_could_not_import(start: Callable[[str], Zygote]) -> None:
    zygote = start(ANSWERS)
    assert await zygote.preload(["nothing", "json"]) is None
    assert zygote.failed == {"nothing": "no such module"}
    assert zygote.site
    assert zygote.loaded == 2


async def test_a_module_that_makes_it_unfit_is_named(start: Callable[[str], Zygote]) -> None:
    zygote = start('    say(unsafe=message["preload"][0])\n')
    assert await zygote.preload(["threads"]) == "threads"
    assert (zygote.failed, zygote.site) == ({}, False)


async def test_it_is_told_where_debugpy_is(start: Callable[[str], Zygote]) -> None:
    zygote = start('    say(unsafe=message["debugger"])\n')
    assert await zygote.preload([], Path("/lib/debugpy")) == "/lib/debugpy"


async def test_a_worker_gets_its_output_and_its_end_is_told(
    start: Callable[[str], Zygote],
) -> None:
    zygote = start(ANSWERS)
    reader, writer = os.pipe()
    worker = await zygote.fork(SPEC, writer)
    assert worker.pid == 4001
    os.close(writer)
    assert os.read(reader, 100) == b"worker's output"
    assert os.read(reader, 100) == b""  # ours was the last end
    os.close(reader)
    worker.signal_group(signal.SIGTERM)
    assert await worker.wait() == Exit(signal=signal.SIGTERM)
    assert await worker.wait() == Exit(signal=signal.SIGTERM)


async def test_one_that_has_ended_when_it_is_heard_of_is_a_worker_that_has_ended(
    start: Callable[[str], Zygote],
) -> None:
    zygote = start(
        '    text = b"".join(json.dumps(each).encode() + b"\\n" for each in (\n'
        '        {"forked": message["fork"], "pid": 4001}, {"exited": 4001, "status": 9}))\n'
        "    control.sendall(text)\n"
    )
    worker = await zygote.fork(SPEC, 1)
    assert (worker.pid, await worker.wait()) == (4001, Exit(signal=signal.SIGKILL))


async def test_it_may_be_asked_for_several_at_once(start: Callable[[str], Zygote]) -> None:
    zygote = start(ANSWERS)
    with open(os.devnull, "wb") as output:  # noqa: ASYNC230, PTH123
        forks = [zygote.fork(SPEC, output.fileno()) for _ in range(20)]
        workers = await asyncio.gather(*forks)
    assert [worker.pid for worker in workers] == list(range(4001, 4021))


async def test_a_fork_that_fails_says_why(start: Callable[[str], Zygote]) -> None:
    zygote = start('    say(forked=message["fork"], error="no process left")\n')
    with pytest.raises(ZygoteEnded, match="cannot fork: no process left"):
        await zygote.fork(SPEC, 1)


async def test_a_worker_that_nobody_waits_for_any_more_is_killed(
    start: Callable[[str], Zygote],
) -> None:
    zygote = start(
        '    if "fork" in message: fork = message["fork"]\n'
        '    elif "signal" in message: say(exited=4001, status=message["number"])\n'
        "    else: say(forked=fork, pid=4001)\n"
    )
    killed: list[tuple[int, int]] = []
    zygote.signal = lambda pid, number: killed.append((pid, number))  # type: ignore[method-assign]
    asked = asyncio.create_task(zygote.fork(SPEC, 1))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    zygote.retire()  # only now the question before is answered
    async with asyncio.timeout(DEADLINE):
        while not killed:  # noqa: ASYNC110 - each turn of the loop
            await asyncio.sleep(0)
    assert killed == [(4001, signal.SIGKILL)]


async def test_a_zygote_that_does_not_come_up_says_what_it_wrote(
    start: Callable[[str], Zygote],
) -> None:
    zygote = start('    raise SystemExit("this interpreter is broken")\n')
    with pytest.raises(InterpreterError, match="this interpreter is broken"):
        await zygote.preload([])


async def test_or_with_which_code_it_has_ended(start: Callable[[str], Zygote]) -> None:
    zygote = start("    os._exit(3)\n")
    with pytest.raises(InterpreterError, match="exit code 3"):
        await zygote.preload([])


async def test_an_interpreter_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zygote_process, "runner_command", lambda python: [str(python)])
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    with pytest.raises(InterpreterError, match="cannot be started"):
        Zygote(tmp_path / "python", {}, 0, tmp_path)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


async def test_its_workers_and_what_they_have_started_have_ended_with_it(
    start: Callable[[str], Zygote], groups: list[tuple[int, int]]
) -> None:
    zygote = start(ANSWERS)
    first, worker = await zygote.fork(SPEC, 1), await zygote.fork(SPEC, 1)
    first.signal_group(signal.SIGTERM)
    await first.wait()
    zygote.retire()
    async with asyncio.timeout(DEADLINE):
        assert await worker.wait() == Exit(signal=signal.SIGKILL)
        await zygote.ended
    assert groups == [(worker.pid, signal.SIGKILL)]
    worker.signal_group(signal.SIGTERM)  # nobody is there to send it
    with pytest.raises(ZygoteEnded, match="has ended"):
        await zygote.fork(SPEC, 1)


async def test_who_waits_for_a_fork_of_one_that_ends_is_told(
    start: Callable[[str], Zygote],
) -> None:
    zygote = start("    break\n")
    with pytest.raises(ZygoteEnded, match="has ended"):
        await zygote.fork(SPEC, 1)


async def test_one_that_does_not_go_is_killed(
    start: Callable[[str], Zygote], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote_process, "CLOSE_DEADLINE", 0.01)
    zygote = start(ANSWERS + "import time\ntime.sleep(600)\n")
    await zygote.preload([])
    await zygote.close()
    assert zygote.ended.done()
    assert zygote._process.returncode == -signal.SIGKILL
    await zygote.close()


async def test_no_descriptor_is_left_of_it(start: Callable[[str], Zygote]) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    zygote = start(ANSWERS)
    await zygote.fork(SPEC, 1)
    await zygote.close()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
