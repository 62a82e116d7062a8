"""`Bridge` over a connection and a clock that are made up: what is sent when, and what is made of
what comes. `tests/integration/test_stub.py` has the same over real brokers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from devbridge.errors import BridgeError, BrokerUnreachable
from devbridge.protocol import codec
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.fragments import split
from devbridge.protocol.messages import (
    REJECT_UNKNOWN_JOB,
    REJECT_UNKNOWN_RUN,
    Cancel,
    Presence,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
)
from devbridge.protocol.session import frames
from runner.triggered import HELD
from stub_lambda import bridge as module
from stub_lambda.bridge import KEEP_ALIVE, Answer, Bridge, NoAnswer, Silence
from stub_lambda.settings import OFFLINE_ERROR, OFFLINE_QUEUE
from tests.unit.stub_lambda.worlds import (
    GONE,
    NOBODY_SUBSCRIBES,
    ONLINE,
    SETTINGS,
    WHO,
    Connection,
    World,
    accepted,
    silent,
)

pytestmark = pytest.mark.timeout(5)


def rejected(request: Request, code: str = REJECT_UNKNOWN_RUN) -> Rejected:
    return Rejected(request_id=request.request_id, code=code, message="?")


def a_run(payload: bytes = b"{}") -> Run:
    return Run(**ids(), job="factorial", payload=payload)


def a_question() -> Status:
    return Status(**ids())


def a_cancel() -> Cancel:
    return Cancel(**ids(), job="factorial")


def ids() -> dict[str, Any]:
    names = ("request_id", "stub_id", "job_id")
    return {name: codec.new_id() for name in names} | {"sent_at": 0.0}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(module, "time", made.time)
    monkeypatch.setattr(
        module, "SyncMqtt", lambda *args, **options: Connection(made, *args, **options)
    )
    return made


def bridge(offline: str = OFFLINE_QUEUE) -> Bridge:
    return Bridge(replace(SETTINGS, offline=offline))


# --- a daemon that answers ----------------------------------------------------------------------


def test_the_reply_is_the_answer_and_comes_without_delay(world: World) -> None:
    run, began = a_run(), world.now
    assert bridge().ask(run, 8) == Answer(accepted(run))
    assert world.now - began == pytest.approx(0.06)


def test_the_connection_is_made_for_this_stub_and_the_stages_presence(world: World) -> None:
    one = bridge()
    one.ask(a_run(), 8)
    (connection,) = world.connections
    assert connection.client_id.endswith(one.stub_id)
    topics = SETTINGS.topics
    assert connection.subscriptions == [topics.replies(one.stub_id), topics.presence]


def test_the_connection_is_kept_for_the_next_request(world: World) -> None:
    one = bridge()
    for _ in range(3):
        assert isinstance(one.ask(a_run(), 8), Answer)
    (connection,) = world.connections
    assert not connection.closed
    assert len(connection.published) == 3


@pytest.mark.parametrize(("wait", "timeout"), [(8, 5.0), (3, 3.0), (0.01, 0.1)])
def test_connecting_may_take_what_there_is_and_no_more_than_5_seconds(
    world: World, wait: float, timeout: float
) -> None:
    world.presence_after = 0.0
    bridge().ask(a_run(), wait)
    assert world.connections[0].timeout == pytest.approx(timeout)


def test_a_reply_to_an_earlier_request_is_passed_over(world: World) -> None:
    one, earlier = bridge(), a_run()
    world.replies = silent
    assert isinstance(one.ask(earlier, 1), NoAnswer)
    run = a_run()
    world.replies, world.reply_after = accepted, 0.5
    world.after(0.1, lambda: world.connections[0].tell(accepted(earlier)))
    assert one.ask(run, 8) == Answer(accepted(run))


def test_what_is_damaged_or_a_strangers_is_passed_over(world: World) -> None:
    one, run = bridge(), a_run()
    one.ask(a_run(), 8)
    (connection,) = world.connections
    for topic in connection.subscriptions:
        noise = (b"noise", *split(b"noise", b"i" * 16))
        for frame in (*noise, *frames(a_run()), *frames(accepted(a_run()))):
            connection.deliver(topic, frame)
    connection.deliver(connection.subscriptions[0], frames(GONE)[0])
    assert one.ask(run, 8) == Answer(accepted(run))
    assert len(world.connections) == 1


# --- nobody there -------------------------------------------------------------------------------


def test_without_a_presence_nobody_has_ever_been_there_which_takes_a_second_to_know(
    world: World,
) -> None:
    world.presence, began = None, world.now
    assert bridge().ask(a_run(), 8) == NoAnswer(Silence.NEVER_CONNECTED)
    assert world.now - began == pytest.approx(1.0)
    assert world.requests == []


def test_a_short_wait_is_not_outstayed_by_the_presence(world: World) -> None:
    world.presence, began = None, world.now
    assert bridge().ask(a_run(), 0.3) == NoAnswer(Silence.NEVER_CONNECTED)
    assert world.now - began == pytest.approx(0.3)


def test_a_request_that_nobody_subscribes_to_was_for_nobody(world: World) -> None:
    world.acknowledges, world.replies = NOBODY_SUBSCRIBES, silent
    assert bridge().ask(a_run(), 8) == NoAnswer(Silence.NEVER_CONNECTED)


def test_a_run_for_a_daemon_that_has_gone_is_queued_once_the_broker_has_it(world: World) -> None:
    world.presence, world.replies, began = GONE, silent, world.now
    assert bridge().ask(a_run(), 8) == NoAnswer(Silence.OFFLINE, stored=True, who=WHO)
    assert world.now - began == pytest.approx(0.03)
    assert [expiry for _, _, expiry in world.requests] == [None]


def test_a_cancellation_waits_for_a_daemon_that_has_gone_as_its_run_does(world: World) -> None:
    world.presence, world.replies = GONE, silent
    assert bridge().ask(a_cancel(), 8) == NoAnswer(Silence.OFFLINE, stored=True, who=WHO)


def test_what_the_broker_does_not_acknowledge_is_not_queued(world: World) -> None:
    world.presence, world.replies, world.acknowledges = GONE, silent, None
    began = world.now
    with pytest.raises(BrokerUnreachable, match="does not acknowledge"):
        bridge().ask(a_run(), 8)
    assert 3 <= world.now - began < 3.5
    assert world.connections[0].closed


def test_a_run_of_many_frames_is_queued_once_the_broker_has_them_all(world: World) -> None:
    world.presence, world.replies = GONE, silent
    run = a_run(random.Random(2).randbytes(300_000))  # noqa: S311
    assert bridge().ask(run, 8) == NoAnswer(Silence.OFFLINE, stored=True, who=WHO)
    assert len(world.requests) == 3
    world.acknowledges_only = 2
    with pytest.raises(BrokerUnreachable, match="does not acknowledge"):
        bridge().ask(run, 8)


@pytest.mark.parametrize(
    ("request_", "offline"),
    [
        (a_run(), OFFLINE_ERROR),
        (a_cancel(), OFFLINE_ERROR),
        (a_question(), OFFLINE_QUEUE),
        (a_run(HELD + b'1},"payload":1,"event":1}'), OFFLINE_QUEUE),  # its queue keeps it
    ],
)
def test_a_daemon_that_has_gone_is_not_waited_for_and_nothing_is_left_for_it(
    world: World, request_: Request, offline: str
) -> None:
    world.presence, began = GONE, world.now
    answer = bridge(offline).ask(request_, 8)
    assert answer == NoAnswer(Silence.OFFLINE, stored=False, who=WHO)
    assert world.requests == []
    assert world.now - began < 0.1


def test_a_daemon_that_goes_meanwhile_is_not_waited_for(world: World) -> None:
    world.replies, began = silent, world.now
    world.after(1.0, lambda: world.connections[0].tell(GONE))
    answer = bridge(OFFLINE_ERROR).ask(a_run(), 8)
    assert answer == NoAnswer(Silence.OFFLINE, who=WHO)
    assert world.now - began < 1.3


# --- a daemon that does not answer --------------------------------------------------------------


@pytest.mark.parametrize(
    ("offline", "reason", "stored"),
    [(OFFLINE_QUEUE, 0, True), (OFFLINE_QUEUE, None, False), (OFFLINE_ERROR, 0, False)],
)
def test_a_daemon_that_does_not_answer_is_waited_for_until_the_deadline(
    world: World, offline: str, reason: int | None, stored: bool
) -> None:
    world.replies, world.acknowledges, began = silent, reason, world.now
    answer = bridge(offline).ask(a_run(), 8)
    assert answer == NoAnswer(Silence.NO_ANSWER, stored=stored, who=WHO)
    assert world.now - began == pytest.approx(8)


def test_what_follows_one_that_has_waited_in_vain_waits_for_the_broker_alone(world: World) -> None:
    world.replies, asked = silent, bridge()
    asked.ask(a_run(), 8)
    for _ in range(2):
        began = world.now
        assert asked.ask(a_run(), 8) == NoAnswer(Silence.NO_ANSWER, stored=True, who=WHO)
        assert world.now - began == pytest.approx(0.25, abs=0.05)
    world.acknowledges, began = None, world.now
    assert not asked.ask(a_run(), 0.9).stored  # type: ignore[union-attr]
    assert world.now - began == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("offline", "acknowledges", "took"),
    [(OFFLINE_QUEUE, 0, 4), (OFFLINE_QUEUE, None, 8), (OFFLINE_ERROR, 0, 8)],
)
def test_for_whom_it_is_enough_that_the_broker_keeps_it_the_wait_is_shorter_if_it_does(
    world: World, offline: str, acknowledges: int | None, took: float
) -> None:
    world.replies, world.acknowledges, began = silent, acknowledges, world.now
    answer = bridge(offline).ask(a_run(), 8, 4)
    assert answer == NoAnswer(Silence.NO_ANSWER, stored=took == 4, who=WHO)
    assert world.now - began == pytest.approx(took, abs=0.3)


def test_whoever_was_silent_is_waited_for_again_once_it_has_spoken(world: World) -> None:
    world.replies, asked = silent, bridge()
    asked.ask(a_run(), 8)
    world.replies = accepted
    assert isinstance(asked.ask(a_run(), 8), Answer)
    world.replies, began = silent, world.now
    asked.ask(a_run(), 8)
    assert world.now - began == pytest.approx(8)


def test_a_cancellation_waits_for_a_daemon_however_silent(world: World) -> None:
    world.replies, asked = silent, bridge()
    asked.ask(a_run(), 8)
    began = world.now
    assert asked.ask(a_cancel(), 8) == NoAnswer(Silence.NO_ANSWER, stored=True, who=WHO)
    assert world.now - began == pytest.approx(8)


def test_where_nothing_is_kept_each_waits_for_the_daemon(world: World) -> None:
    world.replies, asked = silent, bridge(OFFLINE_ERROR)
    asked.ask(a_run(), 8)
    began = world.now
    assert asked.ask(a_run(), 8) == NoAnswer(Silence.NO_ANSWER, stored=False, who=WHO)
    assert world.now - began == pytest.approx(8)


def test_after_three_silent_seconds_it_is_sent_once_more_and_only_once(world: World) -> None:
    world.replies = silent
    bridge().ask(a_run(), 20)
    first, second = (at for at, _, _ in world.requests)
    assert 3 <= second - first < 3.5


def test_what_was_not_acknowledged_is_not_sent_again_over_a_fresh_connection(world: World) -> None:
    world.replies, world.acknowledges = silent, None
    bridge().ask(a_run(), 8)
    assert len(world.requests) == 1


def test_a_reply_to_what_was_sent_again_is_the_answer(world: World) -> None:
    answers = iter([None, accepted])

    def second_time(request: Request) -> Reply | None:
        answer = next(answers)
        return answer(request) if answer else None

    world.replies, run = second_time, a_run()
    assert bridge().ask(run, 8) == Answer(accepted(run))


@pytest.mark.parametrize(
    ("request_", "offline", "wait", "expiry"),
    [
        (a_run(), OFFLINE_QUEUE, 8, None),
        (a_run(), OFFLINE_ERROR, 8, 8),
        (a_run(), OFFLINE_ERROR, 0.5, 1),
        (a_cancel(), OFFLINE_QUEUE, 8, None),
        (a_cancel(), OFFLINE_ERROR, 8, 8),
        (a_question(), OFFLINE_QUEUE, 7.9, 7),
    ],
)
def test_only_what_is_to_be_queued_outlives_the_callers_wait(
    world: World, request_: Request, offline: str, wait: float, expiry: int | None
) -> None:
    assert isinstance(bridge(offline).ask(request_, wait), Answer)
    assert [each for *_, each in world.requests] == [expiry]


def test_a_request_that_cannot_be_sent_in_time_is_too_large(world: World) -> None:
    world.takes = 3.0
    noise = random.Random(1).randbytes(400_000)  # noqa: S311
    with pytest.raises(TooLarge, match="more than can be sent in time"):
        bridge().ask(a_run(noise), 8)
    assert len(world.requests) == 3


# --- connections that die -----------------------------------------------------------------------


def test_a_kept_connection_that_died_without_a_sign_is_noticed_in_a_second(world: World) -> None:
    one, run = bridge(), a_run()
    one.ask(a_run(), 8)
    world.connections[0].dead = True
    world.now += 60
    began = world.now
    assert one.ask(run, 8) == Answer(accepted(run))
    assert 1.0 <= world.now - began < 1.5
    assert [connection.closed for connection in world.connections] == [True, False]


def test_a_fresh_connection_is_not_doubted(world: World) -> None:
    world.acknowledges, world.reply_after = None, 4.0
    assert isinstance(bridge().ask(a_run(), 8), Answer)
    assert len(world.connections) == 1


def test_a_kept_connection_over_which_the_request_was_acknowledged_is_not_doubted(
    world: World,
) -> None:
    one = bridge()
    one.ask(a_run(), 8)
    world.reply_after = 2.5
    assert isinstance(one.ask(a_run(), 8), Answer)
    assert len(world.connections) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda world: world.connections[0].end(),
        lambda world: gone_and_cut(world.connections[0]),
        lambda world: setattr(world, "now", world.now + KEEP_ALIVE),
    ],
    ids=["it has ended", "its daemon had gone and it is cut", "the broker has given it up"],
)
def test_a_connection_that_is_no_good_is_not_used_again(
    world: World, spoil: Callable[[World], None]
) -> None:
    one, run = bridge(), a_run()
    one.ask(a_run(), 8)
    spoil(world)
    assert one.ask(run, 8) == Answer(accepted(run))
    assert [len(connection.published) for connection in world.connections] == [1, 1]
    assert world.connections[0].closed


def gone_and_cut(connection: Connection) -> None:
    connection.tell(GONE)
    connection.dead = True


@pytest.mark.parametrize(
    ("presence", "silence"), [(GONE, Silence.OFFLINE), (None, Silence.NEVER_CONNECTED)]
)
def test_that_nobody_is_there_costs_a_round_trip_once_it_is_known(
    world: World, presence: Presence | None, silence: Silence
) -> None:
    world.presence, one = presence, bridge(OFFLINE_ERROR)
    one.ask(a_run(), 8)
    began = world.now
    answer = one.ask(a_run(), 8)
    assert isinstance(answer, NoAnswer)
    assert answer.silence is silence
    assert world.now - began == pytest.approx(0.02)
    assert len(world.connections) == 1


def test_that_a_daemon_has_gone_is_no_news_when_the_broker_sends_it_again(world: World) -> None:
    one = bridge(OFFLINE_ERROR)
    one.ask(a_run(), 8)
    (connection,), topic = world.connections, SETTINGS.topics.presence
    ((gone,), (back,)) = (frames(each) for each in (GONE, ONLINE))
    for frame in (gone, back, gone):  # unread meanwhile: the process was frozen
        connection.deliver(topic, frame)
    assert isinstance(one.ask(a_run(), 8), Answer)
    connection.tell(GONE)  # said once more is not sent once more
    answer = one.ask(a_run(), 8)
    assert (isinstance(answer, NoAnswer) and answer.silence) is Silence.OFFLINE
    assert len(world.connections) == 1


def test_a_new_connection_begins_without_the_old_ones_presence(world: World) -> None:
    one = bridge()
    one.ask(a_run(), 8)
    world.connections[0].end()
    world.presence = None
    assert one.ask(a_run(), 8) == NoAnswer(Silence.NEVER_CONNECTED)


def test_a_request_survives_connections_that_are_cut_but_not_three(world: World) -> None:
    cuts = [2]

    def cut(request: Request) -> Reply | None:
        if cuts[0] == 0:
            return accepted(request)
        cuts[0] -= 1
        world.after(0.01, world.connections[-1].end)
        return None

    world.replies, run = cut, a_run()
    assert bridge().ask(run, 8) == Answer(accepted(run))
    cuts[0] = 3
    with pytest.raises(BrokerUnreachable, match="was lost 3 times"):
        bridge().ask(run, 8)


def test_after_an_error_the_next_request_connects_anew(world: World) -> None:
    one, run = bridge(), a_run()
    world.refuses_connections = BridgeError("no")
    with pytest.raises(BridgeError, match="no"):
        one.ask(run, 8)
    world.refuses_connections = None
    assert one.ask(run, 8) == Answer(accepted(run))


def test_closing_is_not_the_end(world: World) -> None:
    one = bridge()
    one.close()
    one.ask(a_run(), 8)
    one.close()
    assert isinstance(one.ask(a_run(), 8), Answer)
    assert [connection.closed for connection in world.connections] == [True, False]


# --- what the broker refuses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "what"),
    [(0x80, "reason 0x80"), (0x87, "reason 0x87"), (0x97, "has no room to keep the request")],
)
def test_a_request_that_the_broker_refuses_is_an_error_at_once(
    world: World, reason: int, what: str
) -> None:
    world.acknowledges, world.replies, began = reason, silent, world.now
    with pytest.raises(BridgeError, match=what) as caught:
        bridge().ask(a_run(), 8)
    assert SETTINGS.topics.requests in str(caught.value)
    assert world.now - began < 0.1


def test_a_reason_that_is_no_refusal_is_none(world: World) -> None:
    world.acknowledges = 0x7F
    assert isinstance(bridge().ask(a_run(), 8), Answer)


# --- a daemon that knows nothing of the run -----------------------------------------------------


def test_another_daemon_has_half_a_second_to_know_better(world: World) -> None:
    question = a_question()
    world.replies = rejected
    world.after(0.3, lambda: world.connections[0].tell(accepted(question)))
    assert bridge().ask(question, 8) == Answer(accepted(question))


def test_after_half_a_second_nobody_knows_the_run_whatever_else_came(world: World) -> None:
    question, began = a_question(), world.now
    world.replies = rejected
    topic = SETTINGS.topics.replies("x")
    world.after(0.3, lambda: world.connections[0].deliver(topic, b"noise"))
    assert bridge().ask(question, 8) == Answer(rejected(question))
    assert 0.5 <= world.now - began < 1.0


def test_a_second_one_that_knows_nothing_does_not_begin_the_wait_again(world: World) -> None:
    question, began = a_question(), world.now
    world.replies = rejected
    for after in (0.2, 0.4):
        world.after(after, lambda: world.connections[0].tell(rejected(question)))
    assert bridge().ask(question, 8) == Answer(rejected(question))
    assert world.now - began < 1.0


def test_at_the_deadline_the_reply_that_there_is_counts(world: World) -> None:
    question, began = a_question(), world.now
    world.replies = rejected
    assert bridge().ask(question, 0.2) == Answer(rejected(question))
    assert world.now - began == pytest.approx(0.2, abs=0.01)


def test_any_other_refusal_counts_at_once(world: World) -> None:
    run, began = a_run(), world.now
    world.replies = lambda request: rejected(request, REJECT_UNKNOWN_JOB)
    assert bridge().ask(run, 8) == Answer(rejected(run, REJECT_UNKNOWN_JOB))
    assert world.now - began < 0.1
