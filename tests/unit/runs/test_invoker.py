from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.errors import NotFound, UnknownJob
from devbridge.runs.base import RunRecord
from devbridge.runs.invoker import InvokerStore, find_job, recorded
from devbridge.runs.model import State
from runner.outcome import Failure
from runner.triggered import Triggered


class Invoker:
    """Answers what a test says, in turn, and notes what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = [*answers]
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.store = InvokerStore(self.ask, "factorial")

    def ask(self, action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
        self.asked.append((action, payload, fields))
        return self._answers.pop(0)


def an_answer(state: str, **more: object) -> dict[str, Any]:
    return {
        "jobId": "id", "job": "factorial", "state": state, "attempt": 2, "maxAttempts": 3, **more,
    }  # fmt: skip


def test_an_answer_is_a_record() -> None:
    failure = {"type": "KeyError", "message": "'x'"}
    assert recorded(an_answer("FAILED", failure=failure)) == RunRecord(
        job_id="id",
        job="factorial",
        state=State.FAILED,
        attempt=2,
        max_attempts=3,
        failure=Failure("KeyError", "'x'"),
        closed=True,
    )
    assert not recorded(an_answer("RUNNING")).closed


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, b"null"), (0, b"0"), ("ü", '"ü"'.encode()), ({"a": [1, 2]}, b'{"a":[1,2]}')],
)
def test_a_result_is_a_json_text(value: object, text: bytes) -> None:
    assert recorded(an_answer("SUCCEEDED", result=value)).result == text
    assert recorded(an_answer("SUCCEEDED")).result is None


def test_half_of_a_surrogate_pair_in_a_result_does_no_harm() -> None:
    result = recorded(an_answer("SUCCEEDED", result="\ud800")).result
    assert result == '"\ud800"'.encode("utf-8", "surrogatepass")


def test_a_run_is_started_with_its_payload_as_it_is() -> None:
    invoker = Invoker({"jobId": "id", "state": "QUEUED", "duplicate": True})
    started = invoker.store.start("factorial", '{"n": "ü"}'.encode(), key="k", remember=True)
    assert started.duplicate
    assert started.run.record == RunRecord(job_id="id", job="factorial", state=State.QUEUED)
    assert invoker.asked == [("run", '{"n": "ü"}', {"idempotencyKey": "k"})]


def test_what_a_trigger_has_started_is_said_to_be_that_when_it_is_run_again() -> None:
    invoker = Invoker({"jobId": "id", "state": "QUEUED"})
    again = Triggered("queue", "orders", b"1", b"{}").text()
    invoker.store.start("factorial", again, key="k", remember=True)
    assert invoker.asked == [("run", again.decode(), {"idempotencyKey": "k", "triggered": True})]


def test_a_key_that_nobody_has_given_is_said_to_be_generated() -> None:
    invoker = Invoker({"jobId": "id", "state": "RUNNING"})
    started = invoker.store.start("factorial", b"1", key="k", remember=False)
    assert not started.duplicate
    assert invoker.asked[0][2] == {"idempotencyKey": "k", "generatedKey": True}


def test_a_run_for_a_later_time_is_asked_for_as_one_and_tells_when() -> None:
    at = datetime(2030, 1, 31, 8, tzinfo=UTC)
    told = {"jobId": "id", "state": "SCHEDULED", "startAt": "2030-01-31T08:00:00Z"}
    invoker = Invoker(told, {**an_answer("SCHEDULED"), **told})
    started = invoker.store.start("factorial", b"1", key="k", remember=True, at=at)
    fields = {"idempotencyKey": "k", "startAt": "2030-01-31T08:00:00Z"}
    assert invoker.asked == [("schedule", "1", fields)]
    for record in (started.run.record, started.run.refresh()):
        assert (record.state, record.starts_at) == (State.SCHEDULED, at.timestamp())


def test_a_run_that_is_named_is_not_asked_about_until_something_must_be_known() -> None:
    invoker = Invoker(an_answer("QUEUED"), {"was": "QUEUED", "state": "CANCELLED", "jobId": "x"})
    run = invoker.store.named("id")
    assert invoker.asked == []
    assert run.record.state is run.record.state is State.QUEUED
    assert invoker.asked == [("status", "null", {"jobId": "id"})]
    done = run.cancel()
    assert (done.job_id, done.job) == ("id", "factorial")
    assert (done.was, done.state) == (State.QUEUED, State.CANCELLED)


def test_only_who_wants_the_result_asks_for_it() -> None:
    invoker = Invoker(an_answer("SUCCEEDED"), an_answer("SUCCEEDED", result=1))
    run = invoker.store.get("id")
    assert run.record.result is None
    assert run.refresh(result=True).result == run.record.result == b"1"
    assert [action for action, *_ in invoker.asked] == ["status", "result"]


def test_an_invoker_has_no_output_and_no_times() -> None:
    run = Invoker().store.named("id")
    with pytest.raises(NotFound, match="not told") as caught:
        run.output(follow=True)
    assert caught.value.where == "job 'factorial', run id"
    assert run.history() == ()
    assert (run.printers, run.tended()) == ("", True)


def test_an_invoker_owns_nothing() -> None:
    store = Invoker().store
    assert not store.owns("ffffffff-0000-4000-8000-000000000001")


def test_an_unknown_job_is_told_with_those_there_are_and_the_likely_one(tmp_path: Path) -> None:
    with loading(tmp_path):
        app = App("demo")
    with pytest.raises(UnknownJob, match="has no job 'a'") as caught:
        find_job(app, "a")
    assert caught.value.remedy == "use one of its jobs: it has none"
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
        job = Job(app, "factorial", handler="a.handler")
        Job(app, "alone", handler="a.handler")
    assert find_job(app, "factorial") is job
    with pytest.raises(UnknownJob, match="did you mean 'factorial'") as caught:
        find_job(app, "factorail")
    assert caught.value.remedy == "use one of its jobs: alone, factorial"
    audit = Function(app, "audit", handler="a.handler")
    with pytest.raises(
        UnknownJob, match="'audit' is a Function of the app 'demo', not a job"
    ) as no:
        find_job(app, "audit")
    assert no.value.where == str(audit.where) != str(app.where)
