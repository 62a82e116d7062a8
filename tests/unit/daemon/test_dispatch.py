from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon.dispatch import MESSAGE_SHOWN, Dispatcher, shorten
from devbridge.daemon.events import CancelRequested, Requested
from devbridge.daemon.handover import HANDED_OVER
from devbridge.daemon.jobs import Jobs
from devbridge.daemon.told import Arrived, Held, Said, Told
from devbridge.protocol import codec
from devbridge.protocol.messages import (
    NOBODY,
    REJECT_BUSY,
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_JOB,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
    StatusReply,
    Topics,
)
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.model import JobSpec, State
from runner.outcome import Failure
from runner.triggered import Triggered

SPEC = JobSpec(
    name="factorial",
    handler="jobs/factorial.handler",
    timeout=60.0,
    memory_mb=3072,
    role_arn="arn:aws:iam::000000000000:role/r",
    environment={},
    max_attempts=3,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def dispatcher(ledger: Ledger, tmp_path: Path) -> Dispatcher:
    made = Dispatcher(ledger, Jobs([SPEC]), tmp_path / "logs")
    made.topics = Topics("demo", "dev")
    return made


def a_run(job: str = "factorial") -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=90.0,
        job=job,
        job_id=codec.new_id(),
        payload=b"0",
    )


def a_cancel(job_id: str) -> Cancel:
    return Cancel(request_id=codec.new_id(), stub_id=codec.new_id(), sent_at=90.0, job_id=job_id)


def a_status(job_id: str) -> Status:
    return Status(request_id=codec.new_id(), stub_id=codec.new_id(), sent_at=90.0, job_id=job_id)


def take(
    ledger: Ledger, dispatcher: Dispatcher, request: Request, *changes: Change
) -> tuple[tuple[object, ...], Reply]:
    """As the daemon does it: the reply is asked for once the events have had their effect."""
    with ledger.transaction():
        taken = dispatcher.take(request, 100.0)
        for change in changes:
            ledger.record(change)
        return taken.events, taken.reply()


def test_a_run_is_entered_and_accepted(
    ledger: Ledger, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    run = a_run()
    events, reply = take(ledger, dispatcher, run)
    assert events == (Requested(run.job_id, "factorial"),)
    assert reply == Accepted(request_id=run.request_id, job_id=run.job_id, state="QUEUED")
    entry = ledger.get(run.job_id)
    assert entry is not None
    assert (entry.created_at, entry.max_attempts) == (100.0, 3)
    assert Path(entry.log).parent == tmp_path / "logs"
    assert ledger.payload(run.job_id) == b"0"


def test_the_answer_tells_the_state_after_the_events(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    started = Change(job_id=run.job_id, state=State.RUNNING, at=100.0)
    _, reply = take(ledger, dispatcher, run, started)
    assert isinstance(reply, Accepted)
    assert reply.state == "RUNNING"


def test_a_duplicate_starts_nothing_and_is_answered_with_its_own_request_id(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    take(ledger, dispatcher, run)
    again = replace(run, request_id=codec.new_id(), payload=b"1")
    events, reply = take(ledger, dispatcher, again)
    assert events == ()
    assert reply == Accepted(
        request_id=again.request_id, job_id=run.job_id, state="QUEUED", duplicate=True
    )
    assert ledger.payload(run.job_id) == b"0"


def test_two_copies_in_one_batch_start_one_run(ledger: Ledger, dispatcher: Dispatcher) -> None:
    run = a_run()
    with ledger.transaction():
        first, second = dispatcher.take(run, 1.0), dispatcher.take(run, 1.0)
    assert [len(first.events), len(second.events)] == [1, 0]


def test_an_unknown_job_is_rejected_and_the_jobs_there_are_named(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run("factorail")
    events, reply = take(ledger, dispatcher, run)
    assert events == ()
    assert isinstance(reply, Rejected)
    assert (reply.request_id, reply.code) == (run.request_id, REJECT_UNKNOWN_JOB)
    assert "'factorail'" in reply.message
    assert "it has: factorial" in reply.message
    assert ledger.get(run.job_id) is None


def test_an_app_without_jobs_has_none(ledger: Ledger, tmp_path: Path) -> None:
    _, reply = take(ledger, Dispatcher(ledger, Jobs([]), tmp_path), a_run())
    assert isinstance(reply, Rejected)
    assert reply.message == "the app has no job 'factorial'; it has: none"


def test_only_a_text_that_is_too_long_is_shortened() -> None:
    text = "x" * MESSAGE_SHOWN
    assert shorten(text) == text
    assert shorten(f"{text}y") == f"{text}…"


@pytest.mark.parametrize("name", ["x" * 60_000, "\ud800\u2028", "../../etc/passwd", ""])
def test_a_strange_job_name_gets_an_answer_that_can_be_sent(
    ledger: Ledger, dispatcher: Dispatcher, name: str
) -> None:
    _, reply = take(ledger, dispatcher, a_run(name))
    assert isinstance(reply, Rejected)
    assert codec.decode(codec.encode(reply)) == reply


def test_a_job_that_a_deployment_added_is_known_at_once(ledger: Ledger, tmp_path: Path) -> None:
    dispatcher = Dispatcher(ledger, Jobs(), tmp_path)
    dispatcher.jobs = Jobs([SPEC])
    _, reply = take(ledger, dispatcher, a_run())
    assert isinstance(reply, Accepted)


def test_a_cancellation_of_a_live_run_is_passed_on(ledger: Ledger, dispatcher: Dispatcher) -> None:
    run = a_run()
    take(ledger, dispatcher, run)
    request = a_cancel(run.job_id)
    ended = Change(job_id=run.job_id, state=State.CANCELLED, at=101.0)
    events, reply = take(ledger, dispatcher, request, ended)
    assert events == (CancelRequested(run.job_id),)
    entry = ledger.get(run.job_id)
    assert entry is not None
    assert entry.cancelled  # a daemon that is killed before the run has ended must know
    assert reply == Cancelled(
        request_id=request.request_id, job_id=run.job_id, state="CANCELLED", was="QUEUED"
    )


def test_a_cancellation_of_a_run_that_has_ended_tells_how_it_ended(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    take(ledger, dispatcher, run, Change(job_id=run.job_id, state=State.SUCCEEDED, at=101.0))
    events, reply = take(ledger, dispatcher, a_cancel(run.job_id))
    assert events == ()
    assert isinstance(reply, Cancelled)
    assert (reply.was, reply.state) == ("SUCCEEDED", "SUCCEEDED")


@pytest.mark.parametrize("ask", [a_cancel, a_status])
def test_the_invoker_of_another_job_may_not_speak_of_a_run(
    ledger: Ledger, dispatcher: Dispatcher, ask: Callable[[str], Cancel | Status]
) -> None:
    run = a_run()
    take(ledger, dispatcher, run)
    request = ask(run.job_id)
    for job, allowed in (("other", False), ("factorial", True)):
        events, reply = take(ledger, dispatcher, replace(request, job=job))
        assert isinstance(reply, Rejected) is not allowed
        assert allowed or events == ()


@pytest.mark.parametrize("ask", [a_cancel, a_status])
def test_a_question_about_a_run_that_is_not_known_is_rejected(
    ledger: Ledger, dispatcher: Dispatcher, ask: Callable[[str], Request]
) -> None:
    request = ask(codec.new_id())
    events, reply = take(ledger, dispatcher, request)
    assert events == ()
    assert isinstance(reply, Rejected)
    assert (reply.request_id, reply.code) == (request.request_id, REJECT_UNKNOWN_RUN)


def test_the_status_of_a_success_has_its_result(ledger: Ledger, dispatcher: Dispatcher) -> None:
    run = a_run()
    done = Change(job_id=run.job_id, state=State.SUCCEEDED, at=101.0, result=b'""', attempt=2)
    take(ledger, dispatcher, run, done)
    request = a_status(run.job_id)
    _, reply = take(ledger, dispatcher, request)
    assert reply == StatusReply(
        request_id=request.request_id,
        job_id=run.job_id,
        job="factorial",
        state="SUCCEEDED",
        attempt=2,
        max_attempts=3,
        result=b'""',
    )


def test_the_status_of_a_failure_can_be_sent_however_long_its_message_is(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    failure = Failure("ValueError", "\U0001f600" * 100_000)
    take(
        ledger,
        dispatcher,
        run,
        Change(job_id=run.job_id, state=State.FAILED, at=101.0, failure=failure),
    )
    _, reply = take(ledger, dispatcher, a_status(run.job_id))
    assert isinstance(reply, StatusReply)
    assert reply.error_type == "ValueError"
    assert reply.error_message is not None
    assert reply.error_message.startswith("\U0001f600" * 1000)
    assert codec.decode(codec.encode(reply)) == reply


def test_a_result_is_sent_only_to_whom_it_matters(ledger: Ledger, dispatcher: Dispatcher) -> None:
    run = a_run()
    done = Change(job_id=run.job_id, state=State.SUCCEEDED, at=101.0, result=b"1")
    take(ledger, dispatcher, run, done)
    _, reply = take(ledger, dispatcher, replace(a_status(run.job_id), with_result=False))
    assert isinstance(reply, StatusReply)
    assert (reply.state, reply.result) == ("SUCCEEDED", None)


def test_a_result_that_is_too_large_to_be_sent_is_refused_and_its_state_is_not(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    large = b'"' + b"x" * codec.MAX_BODY + b'"'
    done = Change(job_id=run.job_id, state=State.SUCCEEDED, at=101.0, result=large)
    take(ledger, dispatcher, run, done)
    _, reply = take(ledger, dispatcher, a_status(run.job_id))
    assert isinstance(reply, Rejected)
    assert reply.code == REJECT_TOO_LARGE
    _, reply = take(ledger, dispatcher, replace(a_status(run.job_id), with_result=False))
    assert isinstance(reply, StatusReply)


# --- runs that were handed over -----------------------------------------------------------------


@pytest.fixture
def handed_over(ledger: Ledger, dispatcher: Dispatcher) -> Run:
    """A run that this daemon has given to another one."""
    run = a_run()
    failure = Failure(HANDED_OVER, "handed over to bob@there")
    change = Change(job_id=run.job_id, state=State.CANCELLED, at=101.0, failure=failure)
    take(ledger, dispatcher, run, change)
    return run


def test_nothing_is_said_of_a_run_that_was_handed_over(
    ledger: Ledger, dispatcher: Dispatcher, handed_over: Run
) -> None:
    for request in (a_status(handed_over.job_id), a_cancel(handed_over.job_id)):
        events, reply = take(ledger, dispatcher, request)
        assert events == ()
        assert isinstance(reply, Rejected)
        assert reply.code == REJECT_UNKNOWN_RUN


def test_a_run_that_is_handed_back_is_queued_again(
    ledger: Ledger, dispatcher: Dispatcher, handed_over: Run
) -> None:
    back = replace(handed_over, request_id=codec.new_id(), stub_id=NOBODY)
    events, reply = take(ledger, dispatcher, back)
    assert events == (Requested(handed_over.job_id, "factorial"),)
    assert isinstance(reply, Accepted)
    assert (reply.state, reply.duplicate) == ("QUEUED", False)
    entry = ledger.get(handed_over.job_id)
    assert entry is not None
    assert (entry.failure, entry.ended_at, entry.closed) == (None, None, False)
    assert take(ledger, dispatcher, replace(back, request_id=codec.new_id()))[0] == ()


def test_a_stub_that_repeats_itself_does_not_bring_a_run_back(
    ledger: Ledger, dispatcher: Dispatcher, handed_over: Run
) -> None:
    events, reply = take(ledger, dispatcher, handed_over)
    assert events == ()
    assert isinstance(reply, Accepted)
    assert reply.duplicate


def test_a_run_that_was_handed_over_by_another_daemon_is_a_run(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = replace(a_run(), stub_id=NOBODY)
    events, _ = take(ledger, dispatcher, run)
    assert events == (Requested(run.job_id, "factorial"),)


# --- cancelled while it waited in the broker ----------------------------------------------------


def test_a_run_that_was_cancelled_here_while_it_waited_never_starts(
    ledger: Ledger, tmp_path: Path
) -> None:
    run = a_run()
    dispatcher = Dispatcher(ledger, Jobs([SPEC]), tmp_path, lambda job_id: job_id == run.job_id)
    events, _ = take(ledger, dispatcher, run)
    assert events == (Requested(run.job_id, "factorial"), CancelRequested(run.job_id))
    entry = ledger.get(run.job_id)
    assert entry is not None
    assert entry.cancelled


def test_a_cancellation_that_overtakes_its_run_counts(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    take(ledger, dispatcher, replace(a_cancel(run.job_id), sent_at=91.0))
    events, _ = take(ledger, dispatcher, run)
    assert events == (Requested(run.job_id, "factorial"), CancelRequested(run.job_id))


def test_a_run_that_was_asked_for_after_a_cancellation_starts(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    take(ledger, dispatcher, replace(a_cancel(run.job_id), sent_at=89.0))
    assert take(ledger, dispatcher, run)[0] == (Requested(run.job_id, "factorial"),)


def test_of_cancellations_of_unknown_runs_only_the_newest_are_remembered(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = a_run()
    with ledger.transaction():
        dispatcher.take(a_cancel(run.job_id), 100.0)
        for _ in range(1000):
            dispatcher.take(a_cancel(codec.new_id()), 100.0)
    assert take(ledger, dispatcher, run)[0] == (Requested(run.job_id, "factorial"),)


def test_a_run_may_begin_at_a_checkpoint_and_what_is_repeated_changes_none(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    run = replace(a_run(), checkpoint=b"7")
    take(ledger, dispatcher, run)
    assert ledger.checkpoint(run.job_id) == b"7"
    with ledger.transaction():
        ledger.reached(run.job_id, b"8")
    take(ledger, dispatcher, run)
    assert ledger.checkpoint(run.job_id) == b"8"


def delivered(number: int, message: str = "m") -> Run:
    event = f'{{"messageId":"{message}"}}'.encode()
    held = Triggered("queue", "q", b"0", event, "", "arn:q", delivery=number)
    job_id = codec.job_id("demo", "dev", "factorial", f"q/{message}/{number}")
    return replace(a_run(), job_id=job_id, payload=held.text())


def of_several(number: int, *messages: str) -> Run:
    event = json.dumps({"Records": [{"messageId": each} for each in messages]}).encode()
    held = Triggered("queue", "q", b"[]", event, "", "arn:q", delivery=number)
    return replace(a_run(), payload=held.text())


def test_a_delivery_of_a_message_that_is_held_has_one_attempt_which_is_its_number(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    told: list[Told] = []
    dispatcher.tell = told.append
    run = delivered(2)
    events, _ = take(ledger, dispatcher, run)
    assert events == (Requested(run.job_id, "factorial", 2, once=True),)
    expected = [Arrived(run.job_id), Held(run.job_id)]
    assert told == expected, "its message is to be hidden at once"
    take(ledger, dispatcher, run)
    take(ledger, dispatcher, a_run())
    assert [event for event in told if isinstance(event, Held)] == [Held(run.job_id)]


def test_a_message_is_not_run_again_while_the_run_of_an_earlier_delivery_goes_on(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    told: list[Told] = []
    first, other = delivered(1), delivered(2, "another")
    take(ledger, dispatcher, first)
    assert take(ledger, dispatcher, other)[0]
    dispatcher.tell = told.append
    for number in (2, 3):
        events, reply = take(ledger, dispatcher, delivered(number))
        assert events == ()
        assert isinstance(reply, Rejected)
        assert reply.code == REJECT_BUSY
        assert reply.message.startswith(f"{first.job_id[:8]}, the run of an earlier delivery")
    assert isinstance(told[0], Said)
    assert told[0].text.endswith("goes on: this delivery of it is used up without a run")
    over = Change(job_id=first.job_id, state=State.FAILED, at=101.0)
    take(ledger, dispatcher, delivered(1, "any"), over)
    assert take(ledger, dispatcher, delivered(2))[0]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_message_whose_earlier_run_is_done_is_not_run_again_and_is_deleted(
    ledger: Ledger, dispatcher: Dispatcher, cancelled: bool
) -> None:
    first = delivered(1)
    take(ledger, dispatcher, first)
    with ledger.transaction():
        if cancelled:
            ledger.cancelled(first.job_id)
        state = State.CANCELLED if cancelled else State.SUCCEEDED
        ledger.record(Change(job_id=first.job_id, state=state, at=101.0))
    told: list[Told] = []
    dispatcher.tell = told.append
    events, reply = take(ledger, dispatcher, delivered(3))
    assert events == ()
    assert isinstance(reply, Accepted)
    assert (reply.job_id, reply.state) == (first.job_id, state.value)  # a stub deletes it then
    assert isinstance(told[0], Said)
    assert told[0].text.endswith("was done: the message is deleted")


def test_a_message_whose_earlier_run_was_stopped_is_run_again(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    first = delivered(1)
    stopped = Change(job_id=first.job_id, state=State.CANCELLED, at=101.0)
    take(ledger, dispatcher, first, stopped)
    assert take(ledger, dispatcher, delivered(2))[0]


def test_several_that_are_one_run_wait_for_a_run_that_has_one_of_them(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    first = of_several(1, "a", "b")
    take(ledger, dispatcher, first)
    assert isinstance(take(ledger, dispatcher, of_several(2, "b", "c"))[1], Rejected)
    again = replace(of_several(2, "a", "b"), job_id=first.job_id)
    assert isinstance(take(ledger, dispatcher, again)[1], Accepted), "the same run, not another"
    assert take(ledger, dispatcher, of_several(2, "c", "d"))[0]


def of_a_schedule(name: str, *, alone: bool = True) -> Run:
    told = Triggered("schedule", name, b"1", b"{}").text()
    return replace(a_run(), payload=told, alone=name if alone else None)


def test_a_time_of_a_schedule_whose_run_goes_on_is_answered_with_that_run_and_said(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    told: list[Told] = []
    dispatcher.tell = told.append
    one, two = of_a_schedule("nightly"), of_a_schedule("nightly")
    take(ledger, dispatcher, one)
    taken, reply = take(ledger, dispatcher, two)
    assert taken == ()
    assert isinstance(reply, Accepted)
    assert (reply.job_id, reply.duplicate) == (one.job_id, True)
    assert ledger.get(two.job_id) is None
    arrived, said = told
    assert arrived == Arrived(one.job_id)
    assert isinstance(said, Said)
    assert "schedule 'nightly'" in said.text
    assert one.job_id[:8] in said.text
    assert [step.detail for step in ledger.history(one.job_id)] == [
        None,
        "a time of its schedule passes",
    ]


def test_what_is_not_the_same_schedule_or_may_overlap_is_run(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    take(ledger, dispatcher, of_a_schedule("nightly"))
    for run in (
        of_a_schedule("night"),
        of_a_schedule("nightly-2"),
        of_a_schedule("nightly", alone=False),
        a_run(),
    ):
        _, reply = take(ledger, dispatcher, run)
        assert isinstance(reply, Accepted)
        assert (reply.job_id, reply.duplicate) == (run.job_id, False)


def test_a_schedule_goes_on_when_its_run_has_ended_however_it_did(
    ledger: Ledger, dispatcher: Dispatcher
) -> None:
    one, two = of_a_schedule("nightly"), of_a_schedule("nightly")
    take(ledger, dispatcher, one)
    _, again = take(ledger, dispatcher, one)
    assert isinstance(again, Accepted)
    assert again.job_id == one.job_id
    with ledger.transaction():
        ledger.record(Change(job_id=one.job_id, state=State.CRASHED, at=100.0))
    _, reply = take(ledger, dispatcher, two)
    assert isinstance(reply, Accepted)
    assert (reply.job_id, reply.duplicate) == (two.job_id, False)
    _, late = take(ledger, dispatcher, one)
    assert isinstance(late, Accepted)
    assert (late.job_id, late.duplicate) == (one.job_id, True)
