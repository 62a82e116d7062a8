"""Messages that their queues hold for the runs of a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from devbridge.daemon import told
from devbridge.daemon.handover import HANDED_OVER
from devbridge.daemon.held import BEAT, HIDDEN, SURE, Held
from devbridge.errors import CloudError
from devbridge.runs.base import RunRecord
from devbridge.runs.model import JobSpec, State
from runner.dead_letters import STOPPED, Delivered
from runner.outcome import INVALID, Failure
from runner.triggered import Triggered, triggered

QUEUE = "arn:aws:sqs:eu-west-1:1:q"
SPEC = JobSpec(
    name="a",
    handler="a.handler",
    timeout=60.0,
    memory_mb=128,
    role_arn="arn:aws:iam::1:role/r",
    environment={},
    max_attempts=3,
    retry_delay=10.0,
)


def body(
    delivery: int, event: str = '{"messageId":"m","receiptHandle":"r"}', queue: str = QUEUE
) -> bytes:
    return Triggered("queue", "q", b"1", event.encode(), "", queue, delivery=delivery).text()


def run(state: State, failure: Failure | None = None, *, cancelled: bool = False) -> RunRecord:
    return RunRecord(
        job_id="0123456789",
        job="a",
        state=state,
        created_at=1.0,
        started_at=None,
        ended_at=None,
        closed=False,
        attempt=1,
        max_attempts=3,
        exit=None,
        result=None,
        failure=failure,
        log="",
        cancelled=cancelled,
    )


class Desk:
    """A ledger, a queue, and a terminal."""

    def __init__(self) -> None:
        self.runs: dict[str, tuple[RunRecord, bytes]] = {}
        self.done: list[tuple[str, ...]] = []
        self.there = True
        self.gone: set[str] = set()
        self.broken = ""
        self.hid = asyncio.Event()
        self.may_hide = asyncio.Event()
        self.may_hide.set()
        self.error: CloudError | None = None
        self.said: list[str] = []
        self.jobs = {"a": SPEC}
        self.held = Held(self, self, lambda: self.jobs, lambda text, _: self.said.append(text))

    def live(self) -> list[RunRecord]:
        return [entry for entry, _ in self.runs.values()]

    def get(self, job_id: str) -> RunRecord | None:
        return self.runs[job_id][0]

    def payload(self, job_id: str) -> bytes:
        return self.runs[job_id][1]

    async def hide(self, job: str, messages: Sequence[Delivered], seconds: int) -> list[Delivered]:
        if messages[0].queue == self.broken:
            raise CloudError("away")
        self.hid.set()
        await self.may_hide.wait()
        return [
            each
            for each in messages
            if not self._do("hide", each.receipt, str(seconds)) or each.receipt in self.gone
        ]

    async def delete(self, job: str, message: Delivered) -> bool:
        return self._do("delete", message.receipt)

    def _do(self, *what: str) -> bool:
        if self.error is not None:
            raise self.error
        self.done.append(what)
        return self.there

    async def settle(self, entry: RunRecord, delivery: int = 1) -> list[tuple[str, ...]]:
        found = triggered(body(delivery))
        assert found is not None
        await self.held.settle(entry, found)
        return self.done


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    "entry",
    [
        run(State.SUCCEEDED),
        run(State.CANCELLED, cancelled=True),
        run(State.FAILED, Failure(INVALID, "no")),  # it is in the dead-letter queue
    ],
)
async def test_the_message_of_a_run_that_is_over_is_deleted(desk: Desk, entry: RunRecord) -> None:
    assert await desk.settle(entry) == [("delete", "r")]
    assert desk.said == []


@pytest.mark.parametrize(
    "entry", [run(State.FAILED, Failure("E", "why")), run(State.CRASHED), run(State.CANCELLED)]
)
async def test_that_of_another_comes_again_after_the_jobs_delay_and_it_is_said(
    desk: Desk, entry: RunRecord
) -> None:
    assert await desk.settle(entry, 2) == [("hide", "r", "20")]
    assert desk.said == ["01234567 has not succeeded: its message comes again in 20 s"]


@pytest.mark.parametrize("delivery", [3, 4])
async def test_what_the_queue_may_give_up_waits_as_long_should_it_not(
    desk: Desk, delivery: int
) -> None:
    seconds = 10 * 2 ** (delivery - 1)
    assert await desk.settle(run(State.FAILED), delivery) == [("hide", "r", str(seconds))]
    assert desk.said == [
        f"01234567 has not succeeded: its message comes again in {seconds} s, or its queue gives it"
        " up then: devbridge dlq list a"
    ]


async def test_that_of_a_job_that_has_left_the_app_comes_again_at_once(desk: Desk) -> None:
    desk.jobs.clear()
    assert await desk.settle(run(State.FAILED), 2) == [("hide", "r", "0")]


async def test_that_of_a_run_which_was_handed_over_goes_with_it(desk: Desk) -> None:
    assert await desk.settle(run(State.CANCELLED, Failure(HANDED_OVER, "to b"))) == []


async def test_a_message_that_has_gone_back_is_said_once(desk: Desk) -> None:
    desk.there = False
    entry = run(State.RUNNING)
    desk.runs["0123456789"] = (entry, body(1))
    await desk.held.hide()
    await desk.held.hide()
    assert desk.said == ["the message of 01234567 has gone back to its queue: it comes again"]
    await desk.settle(replace(entry, state=State.SUCCEEDED))
    assert len(desk.said) == 1


async def test_the_messages_of_all_live_runs_stay_hidden_and_no_others(desk: Desk) -> None:
    both = '{"Records":[{"receiptHandle":"r1"},{"receiptHandle":"r2"}]}'
    desk.runs["0123456789"] = (run(State.QUEUED), body(1, both))
    await desk.held.hide()
    desk.runs["0123456789"] = (run(State.RUNNING), b'{"plain":1}')
    await desk.held.hide()
    assert desk.done == [("hide", "r1", str(HIDDEN)), ("hide", "r2", str(HIDDEN))]


async def test_a_queue_that_cannot_be_asked_is_asked_at_the_next_beat_and_that_is_said_once(
    desk: Desk,
) -> None:
    desk.runs["0123456789"] = (run(State.RUNNING), body(1))
    desk.error = CloudError("away")
    await desk.held.hide()
    await desk.held.hide()
    assert desk.said == [
        "messages of q may come again while their runs go on: away; it is tried again every 60 s"
    ]
    with pytest.raises(CloudError):
        await desk.settle(run(State.SUCCEEDED))
    desk.error = None
    await desk.held.hide()
    desk.error = CloudError("away")
    await desk.held.hide()
    assert len(desk.said) == 2


async def test_a_queue_that_cannot_be_asked_does_not_keep_the_others(desk: Desk) -> None:
    desk.broken = QUEUE
    desk.runs["first"] = (replace(run(State.RUNNING), job_id="first"), body(1))
    other = body(1, '{"receiptHandle":"of another"}', f"{QUEUE}2")
    desk.runs["second"] = (replace(run(State.RUNNING), job_id="second"), other)
    await desk.held.hide()
    assert desk.done == [("hide", "of another", "300")]


async def test_one_of_several_messages_that_has_gone_is_said(desk: Desk) -> None:
    both = '{"Records":[{"receiptHandle":"r1"},{"receiptHandle":"r2"}]}'
    desk.runs["0123456789"] = (run(State.RUNNING), body(1, both))
    desk.gone = {"r2"}
    await desk.held.hide()
    assert desk.said == ["the message of 01234567 has gone back to its queue: it comes again"]


async def test_what_was_lost_and_has_ended_is_forgotten(desk: Desk) -> None:
    desk.there = False
    await desk.settle(run(State.SUCCEEDED))
    await desk.settle(run(State.SUCCEEDED))
    assert len(desk.said) == 2


async def test_the_message_of_a_run_that_was_stopped_stays_hidden(desk: Desk) -> None:
    assert await desk.settle(run(State.CANCELLED, Failure(STOPPED, "Ctrl-C"))) == []
    assert desk.said == [
        "01234567 was stopped: its message comes again in 5 minutes at most, once somebody is here"
    ]


async def test_a_message_is_hidden_as_soon_as_its_run_is_taken_and_no_other_then(
    desk: Desk,
) -> None:
    watching = asyncio.create_task(desk.held.watch())
    old = replace(run(State.RUNNING), job_id="old")
    desk.runs["old"] = (old, body(1, '{"receiptHandle":"old"}'))
    async with asyncio.timeout(10):
        await desk.hid.wait()
    desk.hid.clear()
    desk.runs["new"] = (replace(run(State.QUEUED), job_id="new"), body(1))
    desk.held.on(told.Held("new"))
    async with asyncio.timeout(10):
        await desk.hid.wait()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert desk.done == [("hide", "old", "300"), ("hide", "r", "300")]


async def test_what_is_told_of_a_runs_end_comes_last(desk: Desk) -> None:
    entry = run(State.RUNNING)
    desk.runs["0123456789"] = (entry, body(1))
    desk.may_hide.clear()
    hiding = [asyncio.create_task(desk.held.hide()) for _ in range(2)]
    async with asyncio.timeout(10):
        await desk.hid.wait()
    desk.runs["0123456789"] = (replace(entry, state=State.FAILED), body(1))
    settling = asyncio.create_task(desk.settle(run(State.FAILED)))
    desk.may_hide.set()
    await asyncio.gather(settling, *hiding)
    assert desk.done == [("hide", "r", "300"), ("hide", "r", "10")]


def test_a_message_is_hidden_anew_long_before_it_would_come_back() -> None:
    assert (HIDDEN, BEAT, SURE) == (300, 60, 240)
