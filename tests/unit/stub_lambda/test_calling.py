from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from devbridge.errors import BrokerUnreachable
from devbridge.protocol import codec
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import (
    REJECT_UNKNOWN_FUNCTION,
    Abandoned,
    CallReply,
    Invoke,
    Raised,
    Rejected,
    Responded,
    Taken,
)
from devbridge.transport.base import Endpoint
from devbridge.transport.patience import FAR, NEAR
from stub_lambda import bridge as bridge_module
from stub_lambda import calling as module
from stub_lambda.bridge import Bridge
from stub_lambda.calling import Absent, Broken, Caller, Lost, Why

from .worlds import GONE, ONLINE, SETTINGS, WHO, Connection, World

pytestmark = pytest.mark.timeout(5)
DEVELOPER = f"devbridge of {WHO}"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for each in (module, bridge_module):
        monkeypatch.setattr(each, "time", made.time)
    monkeypatch.setattr(
        bridge_module, "SyncMqtt", lambda *args, **options: Connection(made, *args, **options)
    )
    return made


@pytest.fixture
def caller(world: World) -> Caller:
    world.answers = at_once
    return Caller(Bridge(SETTINGS))


def a_call(caller: Caller, event: bytes = b"{}") -> Invoke:
    return Invoke(
        request_id=codec.new_id(),
        stub_id=caller.stub_id,
        function="api",
        aws_request_id=codec.new_id(),
        function_arn="arn",
        remaining=29_000,
        event=event,
    )


def taken(call: Invoke) -> Taken:
    return Taken(request_id=call.request_id)


def responded(call: Invoke) -> Responded:
    return Responded(request_id=call.request_id, body=b"120")


def at_once(call: Invoke) -> list[tuple[float, CallReply]]:
    return [(0.01, responded(call))]


def nobody(_call: Invoke) -> list[Any]:
    return []


def only_taken(call: Invoke) -> list[tuple[float, CallReply]]:
    return [(0.2, taken(call))]


def test_the_answer_is_the_functions(world: World, caller: Caller) -> None:
    call = a_call(caller)
    assert caller.call(call, 29) == responded(call)
    assert [each for _, each in world.calls] == [call]


def test_an_error_is_the_functions_too(world: World, caller: Caller) -> None:
    call = a_call(caller)
    raised = Raised(request_id=call.request_id, error=b'{"errorType": "ValueError"}')
    world.answers = lambda _call: [(0.2, taken(call)), (0.5, raised)]
    assert caller.call(call, 29) == raised


def test_a_call_that_was_taken_is_waited_for_as_long_as_the_function_may_take(
    world: World, caller: Caller
) -> None:
    call, began = a_call(caller), world.now
    world.answers = lambda _call: [(0.2, taken(call)), (25.0, responded(call))]
    assert caller.call(call, 29) == responded(call)
    assert world.now - began == pytest.approx(25, abs=0.1)
    assert len(world.calls) == 1


def test_the_connection_is_kept_for_the_next_call(world: World, caller: Caller) -> None:
    for _ in range(3):
        call = a_call(caller)
        assert caller.call(call, 29) == responded(call)
    assert len(world.connections) == 1


def test_a_large_event_is_published_in_frames_and_is_one_call(world: World, caller: Caller) -> None:
    call = a_call(caller, b'"' + codec.new_id().encode() * 6000 + b'"')
    assert caller.call(call, 29) == responded(call)
    assert [each for _, each in world.calls] == [call]


def test_a_call_over_the_protocols_limits_is_not_sent(world: World, caller: Caller) -> None:
    with pytest.raises(TooLarge):
        caller.call(a_call(caller, b" " * (codec.MAX_BODY + 1)), 29)
    assert world.calls == []


# --- nobody at home ------------------------------------------------------------------------------


def test_who_goes_before_it_has_taken_the_call_has_not_taken_it(
    world: World, caller: Caller
) -> None:
    world.answers = nobody
    world.after(0.1, lambda: world.connections[0].tell(GONE))
    began = world.now
    assert caller.call(a_call(caller), 29) == Absent(Why.OFFLINE, DEVELOPER)
    assert world.now - began < 2


def test_what_a_daemon_took_counts_though_its_will_comes_first(
    world: World, caller: Caller
) -> None:
    world.answers = lambda call: [(0.5, taken(call))]
    world.after(0.1, lambda: world.connections[0].tell(GONE))
    assert caller.call(a_call(caller), 29) == Lost(Broken.GONE, DEVELOPER)


def test_nobody_who_is_known_to_be_away_is_called(world: World, caller: Caller) -> None:
    world.presence = GONE
    assert caller.call(a_call(caller), 29) == Absent(Why.OFFLINE, DEVELOPER)
    began = world.now
    assert caller.call(a_call(caller), 29) == Absent(Why.OFFLINE, DEVELOPER)
    assert world.now - began == pytest.approx(0.02), "a round trip to the broker"
    assert world.calls == []


def test_where_nobody_has_ever_been_that_is_said(world: World, caller: Caller) -> None:
    world.presence = None
    absent = caller.call(a_call(caller), 29)
    assert absent == Absent(Why.NEVER_CONNECTED, "devbridge")
    assert (
        absent.sentence("demo (stage ann)")
    ) == "no devbridge is connected to demo (stage ann): start `devbridge dev` there"


def test_an_older_devbridge_is_told_apart_from_one_that_sleeps(
    world: World, caller: Caller
) -> None:
    world.presence = replace(ONLINE, version=2)
    absent = caller.call(a_call(caller), 29)
    assert isinstance(absent, Absent)
    assert absent.why is Why.REFUSED
    assert "older devbridge" in absent.sentence("demo")
    assert world.calls == []


def test_who_does_not_take_a_call_in_time_is_absent_and_told_not_to_take_it(
    world: World, caller: Caller
) -> None:
    world.answers, began, call = nobody, world.now, a_call(caller)
    absent = caller.call(call, 29)
    assert absent == Absent(Why.SILENT, DEVELOPER)
    assert world.now - began == pytest.approx(FAR.taken, abs=0.1)
    assert absent.sentence("demo").endswith(
        "does not answer for demo: is it suspended, or too busy?"
    )
    gone = Abandoned(request_id=call.request_id, stub_id=caller.stub_id)
    assert [each for _, each in world.calls] == [call, gone]


def test_the_embedded_cloud_is_given_time_as_it_shares_its_machine(world: World) -> None:
    endpoint = Endpoint("iot.example", "eu-west-1", dial=("127.0.0.1", 4566))
    caller = Caller(Bridge(replace(SETTINGS, endpoint=endpoint)))
    call = a_call(caller)
    world.answers = lambda _call: [(NEAR.taken - 1, responded(call))]
    assert caller.call(call, 29) == responded(call)
    world.answers = nobody
    assert caller.call(a_call(caller), 29) == Absent(Why.SILENT, DEVELOPER)
    world.answers, call = at_once, a_call(caller)
    assert caller.call(call, 29) == responded(call), "it is asked each time"


def test_who_did_not_answer_is_not_asked_again_for_half_a_minute(
    world: World, caller: Caller
) -> None:
    world.answers = nobody
    caller.call(a_call(caller), 29)
    asked, began = len(world.calls), world.now
    world.now += FAR.remembered - 1
    assert caller.call(a_call(caller), 29) == Absent(Why.SILENT, DEVELOPER)
    assert world.now - began == pytest.approx(FAR.remembered - 1)
    assert len(world.calls) == asked
    world.now, world.answers = began + FAR.remembered + 1, at_once
    call = a_call(caller)
    assert caller.call(call, 29) == responded(call)


def test_who_speaks_again_is_asked_again_at_once(world: World, caller: Caller) -> None:
    world.answers = nobody
    caller.call(a_call(caller), 29)
    world.answers = at_once
    world.after(0.0, lambda: world.connections[-1].tell(ONLINE))
    call = a_call(caller)
    assert caller.call(call, 29) == responded(call)


def test_a_refusal_is_handed_on(world: World, caller: Caller) -> None:
    call = a_call(caller)
    no = Rejected(request_id=call.request_id, code=REJECT_UNKNOWN_FUNCTION, message="there is none")
    world.answers = lambda _call: [(0.01, no)]
    absent = caller.call(call, 29)
    assert absent == Absent(Why.REFUSED, DEVELOPER, "there is none")
    assert absent.sentence("demo").endswith("has refused the call: there is none")


def test_a_broker_that_cannot_be_reached_makes_nobody_be_there(
    world: World, caller: Caller
) -> None:
    world.refuses_connections = BrokerUnreachable("no route", where="iot.example")
    absent = caller.call(a_call(caller), 29)
    assert isinstance(absent, Absent)
    assert absent.why is Why.UNREACHABLE
    assert "no route" in absent.said


def test_a_call_has_no_more_time_than_its_caller(world: World, caller: Caller) -> None:
    world.answers, began = nobody, world.now
    assert caller.call(a_call(caller), 0.5) == Absent(Why.SILENT, DEVELOPER)
    assert world.now - began == pytest.approx(0.5, abs=0.1)


# --- what goes wrong on the way ------------------------------------------------------------------


def test_a_connection_that_has_died_without_a_sign_is_made_anew_and_the_call_sent_again(
    world: World, caller: Caller
) -> None:
    caller.call(a_call(caller), 29)
    world.connections[0].dead = True
    call, began = a_call(caller), world.now
    assert caller.call(call, 29) == responded(call)
    assert world.now - began < 1
    assert [each for _, each in world.connections[1].called] == [call], "the same one: it runs once"


@pytest.mark.parametrize("again", [False, True])
def test_what_was_sent_may_run_and_runs_nowhere_else_when_the_broker_is_out_of_reach(
    world: World, caller: Caller, again: bool
) -> None:
    world.answers = nobody

    def cut() -> None:
        world.cut()
        if again:
            world.after(0.1, world.cut)
        else:
            world.refuses_connections = BrokerUnreachable("no route", where="iot.example")

    world.after(0.5, cut)
    lost = caller.call(a_call(caller), 29)
    assert isinstance(lost, Lost)
    assert lost.why is Broken.UNSURE
    assert "nobody knows whether the function runs" in lost.sentence("demo (stage ann)")


def test_a_daemon_that_ends_under_a_call_is_told_within_a_second_or_two(
    world: World, caller: Caller
) -> None:
    world.answers, began = only_taken, world.now
    world.after(3.0, lambda: world.connections[0].tell(GONE))
    lost = caller.call(a_call(caller), 29)
    assert lost == Lost(Broken.GONE, DEVELOPER)
    assert world.now - began == pytest.approx(4, abs=0.3)
    assert lost.sentence("demo (stage ann)") == (
        f"{DEVELOPER} has ended while the function ran, for demo (stage ann)"
    )


def test_a_daemon_that_was_taken_over_from_still_answers(world: World, caller: Caller) -> None:
    call = a_call(caller)
    world.answers = lambda _call: [(0.2, taken(call)), (5.0, responded(call))]
    world.after(3.0, lambda: world.connections[0].tell(GONE))
    newer = replace(ONLINE, daemon_id=codec.new_id())
    world.after(3.1, lambda: world.connections[0].tell(newer))
    assert caller.call(call, 29) == responded(call)


def test_a_call_that_was_taken_is_not_sent_again_when_the_connection_is_cut(
    world: World, caller: Caller
) -> None:
    world.answers = only_taken
    world.after(3.0, world.cut)
    assert caller.call(a_call(caller), 29) == Lost(Broken.CUT, DEVELOPER)
    assert len(world.calls) == 1


def test_who_answers_too_late_is_told_that_nobody_waits(world: World, caller: Caller) -> None:
    world.answers, call = only_taken, a_call(caller)
    assert caller.call(call, 6) == Lost(Broken.LATE, DEVELOPER)
    _, last = world.calls[-1]
    assert last == Abandoned(request_id=call.request_id, stub_id=caller.stub_id)
