from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from devbridge.protocol import codec, fragments
from devbridge.protocol.messages import (
    REJECT_UNKNOWN_RUN,
    Abandoned,
    Accepted,
    Cancel,
    Invoke,
    Presence,
    Raised,
    Rejected,
    Responded,
    Run,
    Status,
    Taken,
)
from devbridge.protocol.session import (
    MAX_CALL_AGE,
    MAX_CALL_FRAMES,
    MAX_PARTIAL_AGE,
    MAX_PARTIAL_CALLS,
    MAX_REQUEST_AGE,
    MAX_UNACKNOWLEDGED,
    CallSession,
    DaemonSession,
    Deliver,
    Discard,
    Effect,
    StubSession,
    fits,
    frames,
)

NOW = 1_800_000_000.0
NOISE = random.Random(3).randbytes(4 * fragments.MAX_FRAME)  # noqa: S311


def a_run(payload: bytes = b"{}") -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=NOW,
        job="factorial",
        job_id=codec.new_id(),
        payload=payload,
    )


def accepted(request: Run) -> Accepted:
    return Accepted(request_id=request.request_id, job_id=request.job_id, state="QUEUED")


def test_a_request_is_delivered_with_the_tokens_to_acknowledge_it() -> None:
    run = a_run()
    (frame,) = frames(run)
    assert DaemonSession().receive(frame, "t", NOW) == [Deliver(run, ("t",))]


@given(
    sizes=st.lists(st.integers(0, len(NOISE)), min_size=1, max_size=3),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=25)
def test_interleaved_requests_are_delivered_whole_and_every_token_comes_back_once(
    sizes: list[int], order: random.Random
) -> None:
    runs = [a_run(NOISE[:size]) for size in sizes]
    sent = [frame for run in runs for frame in frames(run)]
    order.shuffle(sent)
    session = DaemonSession()
    effects: list[Effect] = []
    for token, frame in enumerate(sent):
        effects += session.receive(frame, token, NOW)
    delivered = [effect.message for effect in effects if isinstance(effect, Deliver)]
    assert len(delivered) == len(runs)
    assert {each.request_id for each in delivered} == {run.request_id for run in runs}
    assert all(each in runs for each in delivered)
    tokens = sorted(token for effect in effects for token in effect.tokens)  # type: ignore[type-var]
    assert tokens == list(range(len(sent)))


def test_all_three_kinds_of_request_are_delivered() -> None:
    ids: dict[str, Any] = {
        "request_id": codec.new_id(),
        "stub_id": codec.new_id(),
        "job_id": codec.new_id(),
    }
    for request in (a_run(), Cancel(**ids, sent_at=NOW), Status(**ids, sent_at=NOW)):
        (frame,) = frames(request)
        assert DaemonSession().receive(frame, 1, NOW) == [Deliver(request, (1,))]


def test_a_request_that_is_older_than_a_week_is_discarded() -> None:
    (frame,) = frames(a_run())
    assert isinstance(DaemonSession().receive(frame, 1, NOW + MAX_REQUEST_AGE)[0], Deliver)
    (effect,) = DaemonSession().receive(frame, 1, NOW + MAX_REQUEST_AGE + 1)
    assert effect == Discard((1,), "a request of 7 days")


def test_a_request_of_a_newer_protocol_is_discarded() -> None:
    body = codec.encode(a_run()).replace(b'"v":1', b'"v":4', 1)
    (frame,) = fragments.split(body, b"i" * 16)
    (effect,) = DaemonSession().receive(frame, 1, NOW)
    assert isinstance(effect, Discard)
    assert "protocol version 4" in effect.reason


def test_what_is_not_a_request_is_discarded() -> None:
    presence = Presence(
        online=True,
        daemon_id=codec.new_id(),
        host="h",
        user="u",
        pid=1,
        since=NOW,
        session_expiry=60,
    )
    for message in (presence, accepted(a_run())):
        (frame,) = frames(message)
        (effect,) = DaemonSession().receive(frame, 1, NOW)
        assert isinstance(effect, Discard)
        assert "not a request" in effect.reason


def test_an_unfinished_request_expires() -> None:
    session = DaemonSession()
    first, *_ = frames(a_run(NOISE))
    assert session.receive(first, "t", NOW) == []
    assert session.tick(NOW + MAX_PARTIAL_AGE - 1) == []
    (effect,) = session.tick(NOW + MAX_PARTIAL_AGE)
    assert isinstance(effect, Discard)
    assert effect.tokens == ("t",)


def test_unacknowledged_frames_never_exceed_what_the_broker_allows() -> None:
    session = DaemonSession()
    held: set[object] = set()
    for number in range(200):
        first, *_ = frames(a_run(NOISE))
        held.add(number)
        for effect in session.receive(first, number, NOW):
            held -= set(effect.tokens)
        assert len(held) <= MAX_UNACKNOWLEDGED


def test_a_request_sent_again_has_the_same_frames() -> None:
    run = a_run(NOISE)
    assert frames(run) == frames(run)
    assert frames(run) != frames(replace(run, request_id=codec.new_id()))


def test_a_reply_is_matched_by_request_id() -> None:
    session = StubSession()
    earlier, run = a_run(), a_run()
    assert session.start(earlier) == frames(earlier)
    session.start(run)
    (late,) = frames(accepted(earlier))
    (mine,) = frames(accepted(run))
    assert session.receive(late, NOW) is None
    assert session.receive(mine, NOW) == accepted(run)


def test_a_reply_that_comes_twice_counts_once() -> None:
    session = StubSession()
    run = a_run()
    session.start(run)
    (frame,) = frames(accepted(run))
    assert session.receive(frame, NOW) == accepted(run)
    assert session.receive(frame, NOW) is None


def test_a_reply_of_many_frames_is_put_together() -> None:
    session = StubSession()
    run = a_run()
    session.start(run)
    message = "x" * 60_000
    reply = Rejected(request_id=run.request_id, code="c", message=message)
    assert [session.receive(frame, NOW) for frame in frames(reply)][-1] == reply


@given(st.binary(max_size=100))
def test_a_stub_passes_over_what_is_not_a_reply(frame: bytes) -> None:
    session = StubSession()
    run = a_run()
    session.start(run)
    assert session.receive(frame, NOW) is None
    (request,) = frames(run)
    assert session.receive(request, NOW) is None
    garbage = fragments.split(frame, b"i" * 16)[0]
    assert session.receive(garbage, NOW) is None


def test_after_a_reply_that_knows_nothing_of_the_run_a_better_one_counts() -> None:
    session, run = StubSession(), a_run()
    session.start(run)
    unknown = Rejected(request_id=run.request_id, code=REJECT_UNKNOWN_RUN, message="?")
    better = accepted(run)
    replies = [session.receive(frames(reply)[0], NOW) for reply in (unknown, better, unknown)]
    assert replies == [unknown, better, None]


def a_call(event: bytes = b"{}") -> Invoke:
    return Invoke(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        function="api",
        aws_request_id=codec.new_id(),
        function_arn="arn:aws:lambda:eu-central-1:123456789012:function:api",
        remaining=29_000,
        event=event,
    )


@given(
    sizes=st.lists(st.integers(0, len(NOISE)), min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=25)
def test_interleaved_calls_come_whole_each_once(sizes: list[int], order: random.Random) -> None:
    calls = [a_call(NOISE[:size]) for size in sizes]
    sent = [frame for call in calls for frame in frames(call)]
    order.shuffle(sent)
    session = CallSession()
    found = [session.receive(frame, NOW) for frame in sent]
    whole = [each for each in found if each is not None]
    assert len(whole) == len(calls)
    assert all(each in calls for each in whole)


def test_a_call_that_nobody_waits_for_any_more_is_told() -> None:
    gone = Abandoned(request_id=codec.new_id(), stub_id=codec.new_id())
    (frame,) = frames(gone)
    assert CallSession().receive(frame, NOW) == gone


def test_what_is_no_call_is_discarded_and_nothing_is_to_be_acknowledged() -> None:
    (run,) = frames(a_run())
    assert CallSession().receive(run, NOW) == Discard((), "not a call: Run")
    found = CallSession().receive(b"noise", NOW)
    assert isinstance(found, Discard)
    assert found.tokens == ()
    (call,) = frames(a_call())
    effects = DaemonSession().receive(call, "t", NOW)
    assert effects == [Discard(("t",), "not a request: Invoke")]


def test_calls_whose_other_frames_never_come_are_forgotten() -> None:
    session = CallSession()
    first, *rest = frames(a_call(NOISE))
    assert session.receive(first, NOW) is None
    session.tick(NOW + MAX_CALL_AGE)
    for frame in rest:
        assert session.receive(frame, NOW + MAX_CALL_AGE) is None


def test_there_is_a_bound_to_what_is_kept_of_calls_that_are_not_whole() -> None:
    session = CallSession()
    found = [session.receive(frames(a_call(NOISE))[0], NOW) for _ in range(MAX_PARTIAL_CALLS + 1)]
    assert found[:-1] == [None] * MAX_PARTIAL_CALLS
    assert isinstance(found[-1], Discard)


def test_a_stub_whose_call_was_taken_waits_for_the_answer() -> None:
    call, session = a_call(), StubSession()
    session.start(call)
    taken = Taken(request_id=call.request_id)
    responded = Responded(request_id=call.request_id, body=b"120")
    late = Raised(request_id=call.request_id, error=b"{}")
    got = [session.receive(frames(each)[0], NOW) for each in (taken, responded, late)]
    assert got == [taken, responded, None]


@given(st.integers(0, len(NOISE)))
@settings(max_examples=25)
def test_what_fits_is_what_few_frames_hold(size: int) -> None:
    call = a_call(NOISE[:size])
    assert fits(call, NOISE[:size]) == (len(frames(call)) <= MAX_CALL_FRAMES)


def test_what_is_large_and_compresses_well_fits_up_to_the_wires_own_limit() -> None:
    for size, may in ((codec.MAX_BODY, True), (codec.MAX_BODY + 1, False)):
        body = b"a" * size
        assert fits(a_call(body), body) is may
        assert fits(Responded(request_id=codec.new_id(), body=body), body) is may
