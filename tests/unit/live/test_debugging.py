from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from devbridge.errors import DevbridgeError, InterpreterError
from devbridge.live import debugging
from devbridge.live.debugging import Switch


class Debuggers:
    """Those of a daemon, in its event loop."""

    def __init__(self) -> None:
        self.configurations = [{"name": "one"}]
        self.wanted = self.lacks = False
        self.opened: list[tuple[list[str], object]] = []

    async def open(self, runtimes: Iterable[str]) -> None:
        if self.lacks:
            raise InterpreterError("no debugpy")
        self.opened.append(([*runtimes], asyncio.get_running_loop()))
        self.wanted = True


async def test_it_is_switched_on_from_another_thread_and_then_tells_how_to_attach() -> None:
    debuggers = Debuggers()
    there: Any = debuggers
    switch = Switch(there, lambda: ["", "nodejs24.x"])
    assert not switch.configurations
    await asyncio.to_thread(switch.open)
    assert debuggers.opened == [(["", "nodejs24.x"], asyncio.get_running_loop())]
    assert switch.configurations == [{"name": "one"}]


async def test_what_keeps_it_from_that_is_told_to_who_asks() -> None:
    debuggers: Any = Debuggers()
    debuggers.lacks = True
    with pytest.raises(InterpreterError, match="no debugpy"):
        await asyncio.to_thread(Switch(debuggers, list).open)


async def test_who_asks_is_told_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "PATIENCE", 0.01)
    debuggers: Any = Debuggers()
    released = asyncio.Event()
    debuggers.open = lambda _: released.wait()
    with pytest.raises(DevbridgeError, match="still being started"):
        await asyncio.to_thread(Switch(debuggers, list).open)
    released.set()
