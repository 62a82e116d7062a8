from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from devbridge.daemon.functions import Followed, FunctionLogs, Groups
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import FunctionPrinted, Mood, Said, Told, Waits
from devbridge.errors import CredentialsError, DevbridgeError
from runner.outcome import Failure

API = {"/aws/lambda/demo_ann_api-start-fn": Followed("api-start")}
INVOKERS = {"/aws/lambda/demo_ann_invokers": Followed(prefix="demo_ann_")}
ID = "8f507cfc-1b2c-4697-b07a-ac58fc914c95"
ERROR = "[ERROR] KeyError: 'x'\nTraceback (most recent call last):"


class CloudWatch:
    """FilterLogEvents of groups, which may refuse."""

    def __init__(self) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.refuses: dict[str, Exception] = {}
        self.asked: list[str] = []
        self._news = threading.Condition()

    def wait_for(self, count: int) -> None:
        """Return when so many questions were asked."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.asked) >= count, 20)

    def say(self, group: str, *messages: str, stream: str = "2026/01/31/[$LATEST]a") -> None:
        known = self.events.setdefault(group, [])
        for message in messages:
            at, event_id = int(time.time() * 1000) + 5, f"{group}{len(known)}"
            known.append(
                {"eventId": event_id, "timestamp": at, "logStreamName": stream, "message": message}
            )

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        group = asked["logGroupName"]
        with self._news:
            self.asked.append(group)
            self._news.notify_all()
        if error := self.refuses.get(group):
            raise error
        known = self.events.get(group, [])
        return {"events": [event for event in known if event["timestamp"] >= asked["startTime"]]}


class Listening:
    """What is told, and what to wait for."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._news = asyncio.Event()

    def on(self, event: Told) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                self._news.clear()
                await self._news.wait()

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Said)]

    @property
    def printed(self) -> list[FunctionPrinted]:
        return [event for event in self.told if isinstance(event, FunctionPrinted)]


class World:
    def __init__(self, groups: Groups = API) -> None:
        self.groups = groups
        self.cloud = CloudWatch()
        self.heard = Listening()
        narrator = Narrator([self.heard])
        self.logs = FunctionLogs(
            lambda: self.cloud,
            lambda: self.groups,
            narrator,
            is_apps=lambda _: True,
            explain=self._explain,
        )

    def _explain(self, error: Exception) -> DevbridgeError | None:
        if "ExpiredToken" in str(error):
            return CredentialsError("the AWS credentials have expired", where="x", remedy="y")
        return None

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.logs.follow())
        try:
            yield
        finally:
            task.cancel()

    async def asked(self, count: int) -> None:
        """Return when so many further questions were asked."""
        await asyncio.to_thread(self.cloud.wait_for, len(self.cloud.asked) + count)


@pytest.fixture(autouse=True)
def in_a_hurry() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("QUICK", 0.002), ("MOST", 0.01), ("RARELY", 0.01)):
            patch.setattr(f"devbridge.runs.log_turns.{name}", value)
        patch.setattr("devbridge.daemon.functions.LOOK", 0.01)
        yield


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "FilterLogEvents")


async def test_what_a_function_prints_and_how_it_fails_is_told_in_order_and_once() -> None:
    world = World()
    (group,) = API
    async with world.followed():
        await world.asked(1)
        world.cloud.say(group, f"START RequestId: {ID} Version: 1", "hello", ERROR)
        await world.heard.until(lambda: bool(world.heard.printed))
        await world.asked(3)
    failure = Failure("KeyError", "'x'", (), ("KeyError: 'x'",))
    assert world.heard.told == [FunctionPrinted("api-start", ("hello", failure))]


async def test_of_invokers_only_errors_are_told_and_whose_they_are() -> None:
    world = World(INVOKERS)
    (group,) = INVOKERS
    stream = "2026/01/31/demo_ann_factorial-invoker[$LATEST]abc"
    world.cloud.say(group, "chatter", ERROR, stream=stream)
    world.cloud.say(group, ERROR)
    async with world.followed():
        await world.heard.until(lambda: len(world.heard.printed) == 2)
    assert [event.function for event in world.heard.printed] == ["factorial-invoker", "invokers"]
    assert all(len(event.said) == 1 for event in world.heard.printed)


async def test_new_functions_are_followed_after_a_deployment_and_removed_ones_no_more() -> None:
    world = World({})
    async with world.followed():
        world.groups = API
        await world.asked(2)
        world.groups = {"/aws/lambda/other": Followed("other")}
        world.cloud.say("/aws/lambda/other", "hello")
        await world.heard.until(lambda: bool(world.heard.printed))
        before = len(world.cloud.asked)
        await world.asked(3)
    assert set(world.cloud.asked[before:]) == {"/aws/lambda/other"}
    assert world.heard.told == [FunctionPrinted("other", ("hello",))]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (refusal("AccessDeniedException", "not authorized"), "not authorized (allow yourself"),
        (refusal("ExpiredTokenException", "ExpiredToken"), "the AWS credentials have expired"),
        (refusal("ServiceUnavailableException", "busy"), "busy"),
        (EndpointConnectionError(endpoint_url="http://x"), "Could not connect"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
async def test_what_keeps_it_from_being_read_is_said_once_and_so_is_its_end(
    error: Exception, why: str
) -> None:
    two = {**API, "/aws/lambda/two": Followed("two")}
    world = World(two)
    world.cloud.refuses = dict.fromkeys(two, error)
    async with world.followed():
        await world.asked(6)
        (said,) = world.heard.said
        assert said.startswith(f"what functions print cannot be shown now: {why}")
        world.cloud.refuses = {}
        world.cloud.say("/aws/lambda/two", "hello")
        await world.heard.until(lambda: bool(world.heard.printed))
    assert world.heard.said[1:] == ["what functions print can be shown again"]
    moods = [event.mood for event in world.heard.told if isinstance(event, Said)]
    assert moods == [Mood.WARN, Mood.GOOD]


async def test_a_group_that_is_not_there_yet_keeps_no_other_from_being_read() -> None:
    world = World({**API, "/aws/lambda/two": Followed("two")})
    (group,) = API
    missing = refusal("ResourceNotFoundException", "The specified log group does not exist.")
    world.cloud.refuses = {group: missing}
    world.cloud.say("/aws/lambda/two", "hello")
    async with world.followed():
        await world.heard.until(lambda: bool(world.heard.printed))
        await world.heard.until(lambda: bool(world.heard.said))
        world.cloud.refuses = {}
        await world.heard.until(lambda: len(world.heard.said) == 2)
    what = "what api-start prints"
    assert world.heard.said == [
        f"{what} cannot be shown now: The specified log group does not exist.",
        f"{what} can be shown again",
    ]


async def test_of_too_many_questions_nothing_is_said() -> None:
    world = World()
    world.cloud.refuses = dict.fromkeys(API, refusal("ThrottlingException", "Rate exceeded"))
    async with world.followed():
        await world.asked(5)
        world.cloud.refuses = {}
        await world.asked(2)
    assert world.heard.told == []


async def test_what_is_no_error_of_the_clouds_is_not_hidden() -> None:
    world = World()
    world.cloud.refuses = dict.fromkeys(API, KeyError("events"))
    with pytest.raises(KeyError):
        await world.logs.follow()


async def test_a_call_makes_it_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.runs.log_turns.IDLE", (3600.0, 3600.0))
    monkeypatch.setattr("devbridge.runs.log_turns.LIVELY", 0.0)
    world = World()
    async with world.followed():
        world.cloud.say(*API, "hello")
        await world.heard.until(lambda: bool(world.heard.printed))
        world.logs.on(Waits("r1", "job", 1, own=False))
        await world.asked(1)
