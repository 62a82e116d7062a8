from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.errors import InterpreterError
from devbridge.languages import debuggers as module
from devbridge.languages.base import Workplace
from devbridge.languages.debuggers import Debuggers, require_debuggers
from devbridge.workers.debugging import Debuggee, DebugListener

LISTENER = cast(DebugListener, object())


class FakeDebugger:
    """A `Debugger` that writes down what it is told."""

    def __init__(self, language: str, told: list[object], *, broken: bool) -> None:
        self.language = language
        self.told = told
        self.broken = broken

    async def start(self) -> None:
        self.told.append(f"{self.language} starts")
        if self.broken:
            raise InterpreterError("no debugpy")

    async def close(self) -> None:
        self.told.append(f"{self.language} closes")

    async def reported(self, debuggee: Debuggee, report: Mapping[str, Any]) -> Mapping[str, Any]:
        assert debuggee.listener is LISTENER
        self.told.append((self.language, debuggee.worker_id, report))
        return {"from": self.language}

    def forget(self, debuggee: Debuggee) -> None:
        self.told.append(f"{self.language} forgets {debuggee.worker_id}")

    def configuration(self) -> Mapping[str, Any]:
        return {"name": self.language}


class FakeLanguage:
    """A language, as far as debuggers go."""

    def __init__(self, name: str, told: list[object]) -> None:
        self.name = name
        self.told = told
        self.broken = self.lacks = False

    def debugger(self, place: Workplace, wait: float) -> FakeDebugger:
        return FakeDebugger(f"{self.name} {wait:g}", self.told, broken=self.broken)

    def require_debugger(self, python: Path) -> None:
        self.told.append(f"{self.name} needs {python}")
        if self.lacks:
            raise InterpreterError("no debugpy")


class Place:
    """A workplace that hears what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.python = Path("python")

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def told() -> list[object]:
    return []


@pytest.fixture(autouse=True)
def languages(told: list[object], monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeLanguage]:
    made = {name: FakeLanguage(name, told) for name in ("python", "nodejs")}
    monkeypatch.setattr(module, "LANGUAGES", made)
    return made


@pytest.fixture
def place() -> Any:
    return Place()


async def test_each_language_that_has_workers_is_started_once(
    told: list[object], place: Any
) -> None:
    debuggers = Debuggers(place, 2)
    await debuggers.start(["", "python3.13", "nodejs24.x", ""])
    assert told == ["python 2 starts", "nodejs 2 starts"]
    assert debuggers.configurations == [{"name": "python 2"}, {"name": "nodejs 2"}]
    await debuggers.close()
    await debuggers.close()
    assert set(told[2:]) == {"python 2 closes", "nodejs 2 closes"}


async def test_what_a_worker_says_is_for_its_language_which_is_started_for_it(
    told: list[object], place: Any
) -> None:
    debuggers = Debuggers(place, 2).of(LISTENER)
    answer = await debuggers.reported("w", "nodejs24.x", json.dumps({"url": "x"}).encode())
    assert answer == {"from": "nodejs 2"}
    await debuggers.reported("w", "nodejs24.x", b"[]")
    debuggers.forget("w")
    debuggers.forget("w")
    assert told == [
        "nodejs 2 starts",
        ("nodejs 2", "w", {"url": "x"}),
        ("nodejs 2", "w", {}),
        "nodejs 2 forgets w",
    ]


async def test_what_is_no_json_is_refused(place: Any) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        await Debuggers(place, 2).of(LISTENER).reported("w", "", b"no json")


async def test_runs_go_on_where_there_is_no_debugger_and_that_is_said_once(
    told: list[object], place: Any, languages: dict[str, FakeLanguage]
) -> None:
    languages["python"].broken = True
    debuggers = Debuggers(place, 2)
    for worker in ("w1", "w2"):
        assert await debuggers.of(LISTENER).reported(worker, "", b"{}") == {}
    assert told == ["python 2 starts", "python 2 closes"]
    assert place.said == ["runs cannot be debugged: no debugpy"]
    assert debuggers.configurations == []


async def test_they_may_be_wanted_later_and_where_to_attach_is_said_once_workers_are_open(
    told: list[object], place: Any
) -> None:
    async def opened() -> None:
        told.append(f"opened: {debuggers.wanted}")

    debuggers = Debuggers(place, 2, wanted=False, opened=opened)
    for _ in range(2):
        await debuggers.open(["", "nodejs24.x", "python3.13"])
    assert told == [
        *("python needs python", "nodejs needs python"),
        *("opened: True", "python 2 starts", "nodejs 2 starts"),
        *("python needs python", "nodejs needs python"),
    ]


async def test_who_asks_meanwhile_waits_until_workers_are_open(
    told: list[object], place: Any
) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def opened() -> None:
        begun.set()
        await released.wait()
        told.append("opened")

    debuggers = Debuggers(place, 2, wanted=False, opened=opened)
    async with asyncio.timeout(30), asyncio.TaskGroup() as both:
        both.create_task(debuggers.open([""]))
        await begun.wait()
        second = both.create_task(debuggers.open([""]))
        done, _ = await asyncio.wait([second], timeout=0.2)  # it would have been quicker
        assert not done
        released.set()
    assert told[2:] == ["opened", "python 2 starts"]


async def test_workers_that_could_not_be_opened_are_opened_by_who_asks_again(
    told: list[object], place: Any
) -> None:
    async def opened() -> None:
        told.append("opened")
        if told.count("opened") == 1:
            raise InterpreterError("no zygote")

    debuggers = Debuggers(place, 2, wanted=False, opened=opened)
    with pytest.raises(InterpreterError, match="no zygote"):
        await debuggers.open([""])
    assert not debuggers.wanted
    await debuggers.open([""])
    assert debuggers.wanted
    assert told.count("opened") == 2


async def test_they_are_not_wanted_where_what_they_need_is_not_there(
    told: list[object], place: Any, languages: dict[str, FakeLanguage]
) -> None:
    languages["python"].lacks = True
    debuggers = Debuggers(place, 2, wanted=False)
    with pytest.raises(InterpreterError, match="no debugpy"):
        await debuggers.open([""])
    assert not debuggers.wanted


async def test_who_asks_again_is_not_told_of_what_was_in_the_way_before(
    told: list[object], place: Any, languages: dict[str, FakeLanguage]
) -> None:
    languages["python"].broken = True
    debuggers = Debuggers(place, 2)
    await debuggers.open([""])
    assert debuggers.configurations == []
    languages["python"].broken = False
    await debuggers.open([""])
    assert debuggers.configurations == [{"name": "python 2"}]
    assert told.count("python 2 starts") == 2


def test_what_live_code_needs_is_looked_for_first(told: list[object], app: App) -> None:
    require_debuggers(app, Path("python"))
    assert sorted(map(str, told)) == ["nodejs needs python", "python needs python"]
    told.clear()
    for code in app.of_type(Job):
        code.live = code.language == "nodejs"
    for function in app.of_type(Function):
        function.live = False
    require_debuggers(app, Path("python"))
    assert told == ["nodejs needs python"]
