"""Runs for a later time, through the invoker's front door."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
from botocore.exceptions import ClientError

from devbridge.errors import UnknownRun
from devbridge.protocol.ids import is_id
from devbridge.runs.scheduled import Schedules, Target
from stub_lambda import events
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.invoker import Undelivered, answer
from stub_lambda.later import Later

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
RUN_ID = f"demo_ann_factorial:{UUID}"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:demo_ann_factorial-invoker"
START = datetime(2999, 1, 31, 8, tzinfo=UTC)
LATER = {
    "devbridge": 1,
    "action": "schedule",
    "payload": {"num": 5},
    "startAt": "2999-01-31T08:00:00Z",
}


class Request:
    aws_request_id = UUID
    invoked_function_arn = ARN

    def get_remaining_time_in_millis(self) -> int:
        return 1


@dataclass
class Memory(Schedules):
    """Schedules without Scheduler."""

    known: dict[str, tuple[datetime, str, Target]] = field(default_factory=dict)
    refuses: bool = False

    def put(self, uuid: str, start: datetime, event: str, target: Target) -> bool:
        self._refuse()
        new = uuid not in self.known
        self.known.setdefault(uuid, (start, event, target))
        return new

    def start_of(self, uuid: str) -> datetime | None:
        self._refuse()
        return self.known[uuid][0] if uuid in self.known else None

    def remove(self, uuid: str) -> bool:
        self._refuse()
        return self.known.pop(uuid, None) is not None

    def _refuse(self) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetSchedule")


@dataclass
class Runs:
    """An invoker that knows no run but those that it has started."""

    started: list[Start] = field(default_factory=list)
    unknown: Exception | dict[str, Any] = field(default_factory=lambda: UnknownRun("none"))
    refuses: bool = False
    job: str = "factorial"

    def run_id(self, key: str) -> str:
        uuid = key if is_id(key) else uuid5(NAMESPACE_DNS, key)
        return f"demo_ann_factorial:{uuid}"

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        if self.refuses:
            raise Refused("Offline", "nobody is there")
        self.started.append(start)
        return {"jobId": self.run_id(start.key or context.aws_request_id), "state": "QUEUED"}

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        if self.started:
            return {"jobId": question.job_id, "state": "RUNNING", "was": "RUNNING"}
        if isinstance(self.unknown, Exception):
            raise self.unknown
        return self.unknown


@pytest.fixture
def schedules(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory = Memory()
    later = Later(memory, "factorial", "role", "queue")
    monkeypatch.setenv("DEVBRIDGE_SCHEDULES", "demo_ann")
    monkeypatch.setattr(Later, "from_environment", lambda: later)
    return memory


def ask(runs: Runs, event: dict[str, Any]) -> dict[str, Any]:
    return dict(answer(lambda: runs, event, Request()))


def question(action: str, run_id: str = RUN_ID) -> dict[str, Any]:
    return {"devbridge": 1, "action": action, "jobId": run_id}


def test_a_run_waits_for_its_time_as_a_schedule_of_its_uuid(schedules: Memory) -> None:
    runs = Runs()
    told = ask(runs, LATER)
    assert told == {
        "jobId": RUN_ID,
        "state": "SCHEDULED",
        "duplicate": False,
        "startAt": "2999-01-31T08:00:00Z",
    }
    start, _, target = schedules.known[UUID]
    assert (start, target, runs.started) == (START, Target(ARN, "role", "queue"), [])
    again = ask(runs, {**LATER, "startAt": "2999-12-31T08:00:00Z"})
    assert again == {**told, "duplicate": True}, "the first time counts"


def test_its_key_without_a_time_is_that_run_which_waits(schedules: Memory) -> None:
    runs = Runs()
    told = ask(runs, {**LATER, "idempotencyKey": "k"})
    now = {"devbridge": 1, "action": "run", "payload": {"num": 5}, "idempotencyKey": "k"}
    assert ask(runs, now) == {**told, "duplicate": True}
    assert runs.started == []
    assert ask(runs, {**now, "idempotencyKey": "another"})["state"] == "QUEUED"


@pytest.mark.parametrize(
    "payload", [{"num": 5}, None, "ä\n<aws.scheduler.execution-id>", 1.5, "\ud800"]
)
def test_what_scheduler_sends_then_starts_that_run(schedules: Memory, payload: Any) -> None:
    runs = Runs()
    run_id = ask(runs, {**LATER, "payload": payload, "idempotencyKey": "mine"})["jobId"]
    ((_, event, _),) = schedules.known.values()
    assert json.loads(event)["jobId"] == run_id, "for whoever lists schedules"
    assert ask(runs, json.loads(event)) == {"jobId": run_id, "state": "QUEUED"}
    (started,) = runs.started
    assert json.loads(started.payload) == payload
    assert (started.key, started.remember, started.at) == ("mine", True, None)


def test_one_that_has_started_does_not_wait_any_more(schedules: Memory) -> None:
    runs = Runs()
    run_id = ask(runs, LATER)["jobId"]
    ((_, event, _),) = schedules.known.values()
    ask(runs, json.loads(event))
    assert schedules.known == {}
    assert ask(runs, question("status"))["state"] == "RUNNING"
    assert ask(runs, json.loads(event)) == {"jobId": run_id, "started": False}, "a second call"
    assert len(runs.started) == 1


def test_one_that_was_cancelled_when_its_time_had_come_does_not_start(schedules: Memory) -> None:
    runs = Runs()
    run_id = ask(runs, LATER)["jobId"]
    ((_, event, _),) = schedules.known.values()
    ask(runs, question("cancel"))
    assert ask(runs, json.loads(event)) == {"jobId": run_id, "started": False}
    assert runs.started == []


def test_one_whose_schedule_was_left_behind_is_told_as_what_it_is(schedules: Memory) -> None:
    runs = Runs()
    ask(runs, LATER)
    runs.started.append(Start(b"5", UUID, remember=False))
    assert ask(runs, question("status"))["state"] == "RUNNING"
    assert ask(runs, question("cancel"))["was"] == "RUNNING"
    assert schedules.known == {}


def test_a_cancellation_that_waits_for_the_daemon_need_not(schedules: Memory) -> None:
    waits = {"jobId": RUN_ID, "was": "QUEUED", "state": "QUEUED", "waits": True}
    runs = Runs(unknown=waits)
    ask(runs, LATER)
    assert ask(runs, question("cancel"))["state"] == "CANCELLED"
    assert ask(runs, question("cancel")) == waits


def test_a_time_that_is_over_is_now(schedules: Memory) -> None:
    runs = Runs()
    assert ask(runs, {**LATER, "startAt": "1999-01-31T08:00:00Z"})["state"] == "QUEUED"
    assert (len(runs.started), schedules.known) == (1, {})


@pytest.mark.parametrize("at", [None, "tomorrow", "2999-01-31T08:00:00", 5])
def test_a_time_that_is_none_is_refused(schedules: Memory, at: object) -> None:
    assert ask(Runs(), {**LATER, "startAt": at})["error"]["code"] == events.BAD_EVENT


@pytest.mark.parametrize(
    "unknown",
    [
        UnknownRun("none"),
        Refused("NoDaemon", "nobody"),
        {"error": {"code": "UnknownRun", "message": "none"}},
    ],
)
@pytest.mark.parametrize("action", ["status", "result"])
def test_a_run_that_waits_is_told_of_whoever_is_asked(
    schedules: Memory, unknown: Any, action: str
) -> None:
    runs = Runs(unknown=unknown)
    ask(runs, LATER)
    assert ask(runs, question(action)) == {
        "jobId": RUN_ID,
        "job": "factorial",
        "state": "SCHEDULED",
        "attempt": 1,
        "maxAttempts": 1,
        "startAt": "2999-01-31T08:00:00Z",
    }
    other = ask(runs, question(action, "demo_ann_factorial:0b1c2d3e-0000-4000-8000-000000000002"))
    assert "error" in other


def test_a_run_that_waits_is_cancelled_and_not_known_any_more(schedules: Memory) -> None:
    runs = Runs()
    ask(runs, LATER)
    cancelled = {"jobId": RUN_ID, "was": "SCHEDULED", "state": "CANCELLED"}
    assert ask(runs, question("cancel")) == cancelled
    assert schedules.known == {}
    assert ask(runs, question("cancel"))["error"]["code"] == "UnknownRun"


def test_others_are_asked_about_as_ever(schedules: Memory) -> None:
    runs = Runs()
    ask(runs, {"devbridge": 1, "action": "run", "payload": 5})
    for action in ("status", "result", "cancel"):
        assert ask(runs, question(action))["state"] == "RUNNING"
    assert ask(Runs(), question("status", "no id"))["error"]["code"] == "UnknownRun"


def test_one_that_cannot_be_started_when_its_time_has_come_is_lambdas_to_try_again(
    schedules: Memory,
) -> None:
    ask(Runs(), LATER)
    ((_, event, _),) = schedules.known.values()
    with pytest.raises(Undelivered, match="Offline: nobody is there"):
        ask(Runs(refuses=True), json.loads(event))
    assert UUID in schedules.known, "it still waits"


def test_one_that_scheduler_would_not_take_is_refused(schedules: Memory) -> None:
    told = ask(Runs(), {**LATER, "payload": "x" * 250_000})
    assert told["error"]["code"] == "PayloadTooLarge"
    assert "put the payload in S3" in told["error"]["message"]


@pytest.mark.parametrize("event", [LATER, question("cancel"), question("status")])
def test_what_scheduler_refuses_is_told(schedules: Memory, event: dict[str, Any]) -> None:
    schedules.refuses = True
    assert ask(Runs(), event)["error"]["code"] == "CloudError"


def test_a_job_that_takes_none_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVBRIDGE_SCHEDULES", raising=False)
    told = ask(Runs(), LATER)
    assert told["error"]["code"] == "NotLater"
    assert "later=True" in told["error"]["message"]


def test_an_invoker_is_told_of_it_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCHEDULES", "SCHEDULER_ROLE", "UNDELIVERED", "JOB"):
        monkeypatch.setenv(f"DEVBRIDGE_{name}", name)
    assert isinstance(Later.from_environment(), Later)
    monkeypatch.delenv("DEVBRIDGE_UNDELIVERED")
    assert "DEVBRIDGE_UNDELIVERED" in ask(Runs(), LATER)["error"]["message"]
