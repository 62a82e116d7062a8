"""Messages of runs that have failed for good are sent, whatever comes between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbridge.daemon import dead_letters as module
from devbridge.daemon.dead_letters import DeadLetters
from devbridge.daemon.events import STOPPED
from devbridge.daemon.told import NeverStarted
from devbridge.errors import CloudError
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.model import State
from runner.dead_letters import DeadLetter
from runner.outcome import Failure
from runner.triggered import Triggered
from tests.waiting import soon

DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
MESSAGE = Triggered("queue", "q", b"1", b'{"messageId":"m","body":"1"}', DEAD, "arn:q").text()


class Desk:
    """A ledger, a queue that may be away, and a terminal."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger.open(path)
        self.error: CloudError | None = None
        self.well: set[str] = set()
        """The jobs whose queue is there."""
        self.sent: list[tuple[str, DeadLetter]] = []
        self.said: list[str] = []
        self.settled: list[tuple[str, int]] = []
        self.passes = asyncio.Event()
        """What is sent arrives."""
        self.passes.set()
        self.begun = asyncio.Event()
        self.letters = DeadLetters(
            self.ledger, self.send, lambda text, _: self.said.append(text), self.settle
        )

    async def settle(self, run: RunRecord, found: Triggered) -> None:
        if self.error is not None:
            raise self.error
        self.settled.append((run.job_id, found.delivery))

    async def send(self, job: str, letter: DeadLetter) -> None:
        if self.error is not None and job not in self.well:
            raise self.error
        self.begun.set()
        await self.passes.wait()
        self.sent.append((job, letter))

    def run(
        self,
        job_id: str,
        payload: bytes,
        state: State,
        attempt: int = 1,
        job: str = "a",
        failure: Failure | None = Failure("E", "why"),  # noqa: B008 - it is frozen
    ) -> None:
        """A run that ends so, and is told of."""
        now = time.time()
        with self.ledger.transaction():
            self.ledger.add(
                NewRun(job_id=job_id, job=job, payload=payload, created_at=now, log_path="")
            )
            change = Change(job_id=job_id, state=state, at=now, attempt=attempt, failure=failure)
            self.ledger.record(change)
        entry = self.ledger.get(job_id)
        assert entry is not None
        self.letters.on(NeverStarted(change, entry, payload))

    def idle(self) -> bool:
        """Whether all that has ended was looked at."""
        return not self.letters._ended.is_set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.letters.watch())
        yield task
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "ledger.db")


async def test_a_run_that_has_failed_for_good_is_sent_once_and_said(desk: Desk) -> None:
    async with desk.watched():
        desk.run("run-1", MESSAGE, State.FAILED, 3)
        await soon(lambda: desk.ledger.owed_letters() == [])
        desk.run("run-2", b"1", State.FAILED)
        desk.run("run-3", MESSAGE, State.CANCELLED)
        desk.run("run-4", MESSAGE, State.SUCCEEDED)
        desk.run("run-5", MESSAGE, State.CRASHED)
        await soon(lambda: len(desk.sent) == 2)
    assert [(job, letter.queue, letter.body) for job, letter in desk.sent] == [("a", DEAD, "1")] * 2
    said = "run-1 has failed for good: its message is among the dead letters, see: devbridge dlq"
    assert f"{said} list a" in desk.said[0]
    assert desk.ledger.owed_letters() == []


async def test_where_nothing_could_be_sent_the_end_does_not_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_END", 3600.0)
    desk.error = CloudError("no network")
    task = asyncio.create_task(desk.letters.watch())
    desk.run("run-1", MESSAGE, State.FAILED)
    await soon(lambda: desk.said != [])
    desk.error = None
    desk.passes.clear()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    ended = task.done()
    desk.passes.set()
    await asyncio.wait([task])
    assert ended
    assert desk.ledger.owed_letters() == ["run-1"]


async def test_what_a_daemon_has_not_sent_the_next_one_sends(desk: Desk, tmp_path: Path) -> None:
    desk.run("run-1", MESSAGE, State.TIMED_OUT)
    desk.ledger.close()
    later = Desk(tmp_path / "ledger.db")
    async with later.watched():
        await soon(lambda: len(later.sent) == 1)
    assert later.ledger.owed_letters() == []


async def test_what_cannot_be_sent_is_said_once_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    desk.error = CloudError("no network")
    async with desk.watched():
        desk.run("run-1", MESSAGE, State.FAILED)
        await soon(lambda: desk.said != [])
        await asyncio.sleep(0.05)
        assert desk.ledger.owed_letters() == ["run-1"]
        desk.error = None
        await soon(lambda: desk.ledger.owed_letters() == [])
    assert [line for line in desk.said if "no network" in line] == desk.said[:1]
    assert "takes messages again" in desk.said[-1]


async def test_what_cannot_be_sent_of_one_job_keeps_no_letter_of_another(desk: Desk) -> None:
    desk.error, desk.well = CloudError("the app has no job 'a' any more"), {"b"}
    desk.run("run-1", MESSAGE, State.FAILED)
    desk.run("run-2", MESSAGE, State.FAILED, job="b")
    async with desk.watched():
        await soon(lambda: desk.ledger.owed_letters() == ["run-1"])
    assert [job for job, _ in desk.sent] == ["b"]
    assert "no job 'a'" in "\n".join(desk.said)


async def test_what_devbridge_was_stopped_in_is_sent_by_its_last_breath(desk: Desk) -> None:
    async with desk.watched():
        await soon(desk.idle)
        desk.run("run-1", MESSAGE, State.CANCELLED, failure=STOPPED)
        desk.run("run-2", MESSAGE, State.CANCELLED, failure=None)
    ((_, letter),) = desk.sent
    told = json.loads(letter.attributes["devbridge"]["StringValue"])
    assert (told["run"], told["error"]) == ("run-1", "DaemonStopped: devbridge dev was stopped")
    assert desk.ledger.owed_letters() == []


async def test_what_is_on_its_way_when_the_daemon_ends_is_not_sent_by_the_next_one(
    desk: Desk,
) -> None:
    desk.passes.clear()
    desk.run("run-1", MESSAGE, State.FAILED)
    async with desk.watched() as ending:
        await desk.begun.wait()
        ending.cancel()
        await asyncio.sleep(0)
        desk.passes.set()
    assert len(desk.sent) == 1
    assert desk.ledger.owed_letters() == []


async def test_what_could_not_be_sent_just_now_does_not_keep_the_daemon_from_ending(
    desk: Desk,
) -> None:
    desk.error = CloudError("no network")
    desk.run("run-1", MESSAGE, State.FAILED)
    async with desk.watched():
        await soon(lambda: desk.said != [])
        desk.error = None
        desk.passes.clear()
    assert (desk.sent, desk.ledger.owed_letters()) == ([], ["run-1"])


async def test_what_was_sent_is_not_sent_again_because_that_cannot_be_noted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    note, tries = desk.ledger.letter_sent, list[str]()

    def refuse(job_id: str) -> None:
        tries.append(job_id)
        if len(tries) < 3:
            raise LedgerError("the disk is full")
        note(job_id)

    monkeypatch.setattr(desk.ledger, "letter_sent", refuse)
    async with desk.watched():
        desk.run("run-1", MESSAGE, State.FAILED)
        await soon(lambda: desk.ledger.owed_letters() == [])
    assert (len(tries), len(desk.sent)) == (3, 1)


async def test_of_several_messages_of_a_run_only_those_are_sent_again_that_were_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    records = [{"messageId": number, "body": number} for number in "123"]
    event = json.dumps({"Records": records}).encode()
    send, bodies = desk.send, list[str]()

    async def once_in_vain(job: str, letter: DeadLetter) -> None:
        bodies.append(letter.body)
        if bodies == ["1", "2"]:
            raise CloudError("no network")
        await send(job, letter)

    monkeypatch.setattr(desk.letters, "_send", once_in_vain)
    async with desk.watched():
        desk.run("run-1", Triggered("queue", "q", b"[]", event, DEAD).text(), State.FAILED)
        await soon(lambda: desk.ledger.owed_letters() == [])
    assert bodies == ["1", "2", "2", "3"]
    assert "its 3 messages are among the dead letters" in "\n".join(desk.said)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
async def test_the_queue_that_holds_a_message_is_told_of_every_end_and_again_until_it_hears(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    held = Triggered("queue", "q", b"1", b'{"messageId":"m"}', DEAD, "arn:q", delivery=2).text()
    desk.error = CloudError("away")
    async with desk.watched():
        desk.run("a", held, state)
        desk.run("b", MESSAGE, State.SUCCEEDED)
        await soon(lambda: desk.said)
        desk.error = None
        await soon(lambda: desk.settled)
    assert desk.settled == [("a", 2)]
    assert desk.sent == [], "SQS gives up what does not succeed"
    assert desk.ledger.owed_letters() == []
