"""Calls of live functions, from frames to their callee and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.daemon import calls as module
from devbridge.daemon.calls import NOT_HANDED_OVER, Calls
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Mood, Said, Told
from devbridge.protocol import codec
from devbridge.protocol.codec import MAX_BODY
from devbridge.protocol.messages import (
    NOBODY,
    REJECT_BUSY,
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_FUNCTION,
    Abandoned,
    Call,
    CallReply,
    Invoke,
    Message,
    Raised,
    Rejected,
    Responded,
    Status,
    Taken,
    Topics,
)
from devbridge.protocol.session import frames
from devbridge.testing import MemoryObjects
from devbridge.transport.patience import FAR

TOPICS = Topics("demo", "ann")
ID = codec.new_id()
DEADLINE = 10.0
LARGE = Random(1).randbytes(400_000).hex().encode()  # noqa: S311
"""Too large for the wire, however it is compressed."""
NOISE = LARGE[:260_000]
"""Two frames."""


class Cellar(MemoryObjects):
    """A bucket that may fail, and that may take its time."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: Exception | None = None

    def get(self, key: str) -> bytes:
        if self.fails:
            raise self.fails
        return super().get(key)

    def put(self, key: str, body: bytes) -> None:
        if self.fails:
            raise self.fails
        super().put(key, body)


class Clocks:
    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.0, 5000.0

    @property
    def now(self) -> tuple[float, float]:
        return self.monotonic, self.wall


class Desk:
    """The bridge, the callee, the clocks and the listener of one `Calls`."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks
        self.connected_since = clocks.wall
        self.objects = Cellar()
        self.replies: list[tuple[str, CallReply]] = []
        self.invoked: list[tuple[Invoke, bytes]] = []
        self.gone: list[str] = []
        self.known: set[str] = set()
        self.told: list[Told] = []
        self.pings = self.spoken = 0
        self.pongs = asyncio.Event()
        there: Any = self
        self.calls = Calls(there, TOPICS, self.objects, Narrator([there]), FAR.stale)
        self.calls.callee = there

    # --- the bridge

    def reply(self, stub_id: str, reply: CallReply) -> None:
        self.replies.append((stub_id, reply))

    async def probe(self) -> None:
        self.pings += 1
        await self.pongs.wait()

    def speak(self) -> None:
        self.spoken += 1

    # --- the callee

    def has(self, function: str) -> bool:
        return function == "api"

    def knows(self, request_id: str) -> bool:
        return request_id in self.known

    def invoke(self, asked: Invoke, event: bytes) -> None:
        self.invoked.append((asked, event))

    def abandoned(self, request_id: str) -> None:
        self.gone.append(request_id)

    # --- the listener

    def on(self, event: Told) -> None:
        self.told.append(event)

    @property
    def said(self) -> list[tuple[str, Mood]]:
        return [(event.text, event.mood) for event in self.told if isinstance(event, Said)]

    # --- what happens

    def pass_time(self, seconds: float) -> None:
        self.clocks.monotonic += seconds
        self.clocks.wall += seconds

    async def comes(self, call: Message) -> None:
        await self.come(*frames(call))

    async def come(self, *parts: bytes) -> None:
        for frame in parts:
            self.calls.frame(frame)
        await asyncio.sleep(0)  # begun in the loop's next turn

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - threads and each turn of the loop
                await asyncio.sleep(0)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    clocks = Clocks()
    monkeypatch.setattr(module, "_now", lambda: clocks.now)
    one = Desk(clocks)
    yield one
    await one.calls.close()


def invoke(function: str = "api", **options: Any) -> Invoke:
    given: dict[str, Any] = {"request_id": codec.new_id(), "event": b'{"a": 1}', **options}
    return Invoke(
        stub_id=codec.new_id(),
        function=function,
        aws_request_id=codec.new_id(),
        function_arn="arn",
        remaining=3000,
        **given,
    )


def by_object(**options: Any) -> Invoke:
    request_id = codec.new_id()
    key = TOPICS.event_key(request_id)
    return invoke(**{"request_id": request_id, "event": None, "event_key": key, **options})


async def test_a_call_is_handed_over_with_its_event_as_it_came(desk: Desk) -> None:
    call = invoke(event=b'{"a":  1}')
    await desk.comes(call)
    assert desk.invoked == [(call, b'{"a":  1}')]
    assert desk.replies == [(call.stub_id, Taken(request_id=call.request_id))]


async def test_its_stub_knows_that_it_was_taken_before_it_begins(desk: Desk) -> None:
    order: list[str] = []
    there: Any = SimpleNamespace(
        has=lambda _: True,
        knows=lambda _: False,
        invoke=lambda *_: order.append(type(desk.replies[-1][1]).__name__),
    )
    desk.calls.callee = there
    for frame in frames(invoke()):
        desk.calls.frame(frame)
    assert (len(desk.replies), order) == (1, []), "what is published goes out at the turn's end"
    await asyncio.sleep(0)
    assert order == ["Taken"]


async def test_who_is_leaving_takes_no_more(desk: Desk) -> None:
    desk.calls.leaving = True
    call = invoke()
    await desk.comes(call)
    ((stub_id, reply),) = desk.replies
    assert isinstance(reply, Rejected)
    assert (stub_id, reply.code, reply.message) == (call.stub_id, REJECT_BUSY, "it is ending")
    assert desk.invoked == []


@pytest.mark.parametrize("function", ["api", "other"])
async def test_one_that_was_taken_is_never_refused_when_it_comes_again(
    function: str, desk: Desk
) -> None:
    """Its stub would have it run in the cloud, too."""
    desk.calls.leaving = True
    call = invoke(function)
    desk.known.add(call.request_id)
    await desk.comes(call)
    assert desk.replies == [(call.stub_id, Taken(request_id=call.request_id))]
    assert len(desk.invoked) == 1


async def test_one_that_comes_again_while_its_large_answer_is_stored_gets_that(desk: Desk) -> None:
    call = invoke()
    desk.calls.answer(call, Responded(request_id=call.request_id, body=LARGE))
    desk.calls.answer(call, Raised(request_id=call.request_id, error=b"{}"))
    await desk.until(lambda: desk.replies)
    key = TOPICS.answer_key(call.request_id)
    await desk.until(lambda: not desk.calls._tasks)
    assert desk.replies == [(call.stub_id, Responded(request_id=call.request_id, body_key=key))]
    desk.calls.answer(call, Raised(request_id=call.request_id, error=b"{}"))
    assert len(desk.replies) == 2


async def test_a_call_without_an_event_has_null(desk: Desk) -> None:
    await desk.comes(invoke(event=None))
    await desk.comes(invoke(event=b""))
    assert [event for _, event in desk.invoked] == [b"null", b"null"]


async def test_a_call_of_two_frames_is_whole_when_both_are_there(desk: Desk) -> None:
    first, second = frames(invoke(event=NOISE))
    await desk.come(second)
    assert desk.invoked == []
    await desk.come(first)
    assert [each for _, each in desk.invoked] == [NOISE]


async def test_a_function_that_is_not_live_here_is_refused_with_what_to_do(desk: Desk) -> None:
    call = invoke("other")
    await desk.comes(call)
    ((stub_id, reply),) = desk.replies
    assert stub_id == call.stub_id
    assert isinstance(reply, Rejected)
    assert (reply.request_id, reply.code) == (call.request_id, REJECT_UNKNOWN_FUNCTION)
    assert reply.message == "there is no live function 'other' here: deploy the stage again"
    assert desk.invoked == []


async def test_what_nobody_waits_for_any_more_is_told_however_late(desk: Desk) -> None:
    desk.pass_time(60.0)
    gone = Abandoned(request_id=codec.new_id(), stub_id=codec.new_id())
    await desk.comes(gone)
    assert desk.gone == [gone.request_id]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"nonsense",
        frames(Status(request_id=ID, stub_id=ID, sent_at=0.0, job_id=ID))[0],
        frames(Taken(request_id=codec.new_id()))[0],
    ],
)
async def test_what_is_no_call_is_passed_over(payload: bytes, desk: Desk) -> None:
    await desk.come(payload)
    assert (desk.invoked, desk.gone, desk.replies) == ([], [], [])


# --- what is too large for the wire


async def test_a_large_event_is_fetched_and_its_stub_knows_meanwhile_that_it_was_taken(
    desk: Desk,
) -> None:
    call = by_object()
    desk.objects.found[call.event_key or ""] = LARGE
    await desk.comes(call)
    await desk.until(lambda: desk.invoked)
    assert desk.invoked == [(call, LARGE)]
    assert desk.replies == [(call.stub_id, Taken(request_id=call.request_id))]


@pytest.mark.parametrize(
    "key",
    [
        TOPICS.event_key(NOBODY),
        "assets/demo/secret.zip",
        "calls/demo/other/x/event",
        "",
    ],
)
async def test_an_event_that_is_not_the_calls_own_is_not_fetched(key: str, desk: Desk) -> None:
    desk.objects.found[key] = b"1"
    call = by_object(event_key=key)
    await desk.comes(call)
    await desk.until(lambda: len(desk.replies) == 2)
    reply = desk.replies[1][1]
    assert isinstance(reply, Rejected)
    assert (reply.code, reply.message) == (REJECT_TOO_LARGE, "its event is not where it belongs")
    assert desk.invoked == []


async def test_an_event_that_cannot_be_read_is_told_to_both_sides(desk: Desk) -> None:
    desk.objects.fails = PermissionError("AccessDenied")
    call = by_object()
    await desk.comes(call)
    await desk.until(lambda: len(desk.replies) == 2)
    reply = desk.replies[1][1]
    assert isinstance(reply, Rejected)
    what = "its event of several hundred KiB cannot be read: AccessDenied"
    assert (reply.code, reply.message) == (REJECT_TOO_LARGE, what)
    assert desk.said == [(f"api: {what}", Mood.BAD)]
    assert desk.invoked == []


async def test_an_answer_goes_over_the_wire_if_it_fits(desk: Desk) -> None:
    call = invoke()
    replies: list[Responded | Raised] = [
        Responded(request_id=call.request_id, body=b"1"),
        Responded(request_id=call.request_id, body=b"a" * 2_000_000),  # it is compressed
        Raised(request_id=call.request_id, error=b"{}"),
    ]
    for reply in replies:
        desk.calls.answer(call, reply)
    assert desk.replies == [(call.stub_id, reply) for reply in replies]
    assert desk.objects.found == {}


@pytest.mark.parametrize("body", [LARGE, b"a" * (MAX_BODY + 100)])
async def test_a_large_answer_is_handed_over_by_the_bucket(body: bytes, desk: Desk) -> None:
    """Lambda allows an answer some bytes more than the wire."""
    call = invoke()
    desk.calls.answer(call, Responded(request_id=call.request_id, body=body))
    await desk.until(lambda: desk.replies)
    key = TOPICS.answer_key(call.request_id)
    assert desk.objects.found == {key: body}
    assert desk.replies == [(call.stub_id, Responded(request_id=call.request_id, body_key=key))]


async def test_an_answer_that_cannot_be_handed_over_is_an_error_on_both_sides(desk: Desk) -> None:
    desk.objects.fails = OSError("no network")
    call = invoke()
    desk.calls.answer(call, Responded(request_id=call.request_id, body=LARGE))
    await desk.until(lambda: desk.replies)
    ((_, reply),) = desk.replies
    assert isinstance(reply, Raised)
    what = "its answer of several hundred KiB cannot be handed over: no network"
    assert json.loads(reply.error) == {"errorType": NOT_HANDED_OVER, "errorMessage": what}
    assert desk.said == [(f"api: {what}", Mood.BAD)]


# --- what has waited


async def test_calls_that_have_waited_are_not_run_and_told_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK", 0.0)
    desk.pass_time(5.0)
    late: list[Call] = [invoke(), invoke(), invoke()]
    each_and_one_twice = (*late, late[0])
    await desk.come(*(frame for call in each_and_one_twice for frame in frames(call)))
    await desk.until(lambda: desk.said)
    what = "3 calls have come too late, after this machine was asleep or busy, and did not run here"
    instead = "the deployed code has answered, or the caller was told that nobody is here"
    assert desk.said == [(f"{what}: {instead}", Mood.WARN)]
    assert desk.spoken == 1, "or their stubs would call nobody here for half a minute"
    assert (desk.invoked, desk.replies) == ([], [])
    assert desk.pings == 1


async def test_once_the_broker_has_answered_calls_are_run_again(desk: Desk) -> None:
    desk.pass_time(5.0)
    await desk.comes(invoke())
    await desk.until(lambda: desk.pings)
    await desk.comes(invoke())
    assert desk.invoked == []
    desk.pongs.set()
    await desk.until(lambda: not desk.calls._tasks)
    await desk.comes(invoke())
    assert len(desk.invoked) == 1


async def test_what_comes_by_a_new_connection_was_sent_since(desk: Desk) -> None:
    await desk.comes(invoke())
    desk.pass_time(60.0)
    desk.connected_since = desk.clocks.wall
    desk.pass_time(1.0)
    await desk.comes(invoke())
    assert len(desk.invoked) == 2


async def test_a_connection_that_was_made_before_a_pause_is_not_new_after_it(desk: Desk) -> None:
    desk.connected_since = desk.clocks.wall
    desk.pass_time(5.0)
    await desk.comes(invoke())
    assert desk.invoked == []


async def test_half_a_call_of_an_older_connection_is_forgotten(desk: Desk) -> None:
    first, second = frames(invoke(event=NOISE))
    await desk.come(first)
    desk.connected_since += 0.1
    await desk.come(second)
    assert desk.invoked == []


async def test_half_a_call_whose_rest_does_not_come_is_forgotten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK", 0.0)
    desk.pongs.set()
    first, second = frames(invoke(event=NOISE))
    await desk.come(first)
    watching = asyncio.create_task(desk.calls.watch())
    for _ in range(11):
        desk.pass_time(1.0)
        await desk.until(lambda: desk.calls._freshness._looked == desk.clocks.now)
    await desk.come(second)
    assert desk.invoked == []
    watching.cancel()


async def test_the_clocks_are_looked_at_all_the_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK", 0.0)
    watching = asyncio.create_task(desk.calls.watch())
    for _ in range(10):
        desk.pass_time(1.0)
        await desk.until(lambda: desk.calls._freshness._looked == desk.clocks.now)
    await desk.comes(invoke())
    assert (len(desk.invoked), desk.pings) == (1, 0)
    await desk.until(lambda: desk.pings)  # calls come now
    watching.cancel()


async def test_closing_gives_up_what_is_on_its_way_and_may_be_repeated(desk: Desk) -> None:
    desk.pass_time(5.0)
    await desk.comes(invoke())
    await desk.until(lambda: desk.pings)
    assert desk.calls._tasks
    for _ in range(2):
        await desk.calls.close()
    assert not desk.calls._tasks
