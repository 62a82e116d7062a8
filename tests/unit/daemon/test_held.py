"""Messages that their queues hold for the runs of a daemon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devbridge.daemon.handover import HANDED_OVER
from devbridge.daemon.held import HIDDEN, Held
from devbridge.errors import CloudError
from devbridge.runs.base import RunRecord
from devbridge.runs.model import JobSpec, State
from runner.dead_letters import Delivered
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


def body(delivery: int, event: str = '{"messageId":"m","receiptHandle":"r"}') -> bytes:
    return Triggered("queue", "q", b"1", event.encode(), "", QUEUE, delivery=delivery).text()


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
        self.error: CloudError | None = None
        self.said: list[str] = []
        self.jobs = {"a": SPEC}
        self.held = Held(self, self, lambda: self.jobs, lambda text, _: self.said.append(text))

    def live(self) -> list[RunRecord]:
        return [entry for entry, _ in self.runs.values()]

    def payload(self, job_id: str) -> bytes:
        return self.runs[job_id][1]

    async def hide(self, job: str, message: Delivered, seconds: int) -> bool:
        return self._do("hide", message.receipt, str(seconds))

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


async def test_sqs_gives_up_what_was_received_for_the_last_time(desk: Desk) -> None:
    assert await desk.settle(run(State.FAILED), 3) == [("hide", "r", "0")]
    assert desk.said == [
        "01234567 has not succeeded: its message goes to the dead-letter queue,"
        " see: devbridge dlq list a"
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


async def test_a_queue_that_cannot_be_asked_is_asked_at_the_next_beat(desk: Desk) -> None:
    desk.runs["0123456789"] = (run(State.RUNNING), body(1))
    desk.error = CloudError("away")
    await desk.held.hide()
    assert desk.said == []
    with pytest.raises(CloudError):
        await desk.settle(run(State.SUCCEEDED))
