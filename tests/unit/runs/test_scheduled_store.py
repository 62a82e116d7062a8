"""What of a stage waits for its time, from answers of Scheduler as botocore's model has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.errors import CloudNotRunning, NotFound, UnknownRun
from devbridge.runs import invoker as invoker_module
from devbridge.runs.base import Run, RunRecord, Step
from devbridge.runs.invoker import InvokerStore
from devbridge.runs.model import State
from devbridge.runs.scheduled_store import ScheduledStore

ONE, TWO, THREE = (f"aaaa000{n}-0000-4000-8000-000000000001" for n in (1, 2, 3))
PROJECT = "demo_ann_remind"
ASKED = datetime(2026, 11, 26, 12, tzinfo=UTC)
START = "2030-01-31T07:00:00Z"
RECORD_START = datetime(2030, 1, 31, 7, tzinfo=UTC).timestamp()


class Stage:
    """A stage with two jobs that take runs for a later time, and one that does not."""

    def __init__(self, root: Path, scheduler: Stubber) -> None:
        (root / "a.py").write_text("def handler(payload): ...\n")
        with loading(root):
            self.app = App("demo")
            Job(self.app, "remind", handler="a.handler", later=True)
            Job(self.app, "report", handler="a.handler", later=True)
            Job(self.app, "now", handler="a.handler")
        self.scheduler = scheduler
        self.unheard: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.answers: list[dict[str, Any] | Exception] = []
        self.there: Any = SimpleNamespace(client=lambda _: scheduler.client)
        self.store = ScheduledStore(
            lambda: self.app, self._connect, "ann", self._invoker, self.unheard.append
        )

    def _connect(self) -> Any:
        if isinstance(self.there, Exception):
            raise self.there
        return self.there

    def _invoker(self, job: Job, stage: str) -> InvokerStore:
        def ask(action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
            self.asked.append((f"{job.name} at {stage}", action, str(fields["jobId"])))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return {"jobId": fields["jobId"], "job": job.name, **answer}

        return InvokerStore(ask, job.name)

    def lists(self, *found: tuple[str, str, int], stage: str = "ann", **asked: str) -> None:
        """Schedules by name, with their job and how many minutes before another they were made."""
        lambda_ = "arn:aws:lambda:eu-west-1:123456789012:function"
        schedules = [
            {
                "Name": name,
                "CreationDate": ASKED - timedelta(minutes=age),
                "Target": {"Arn": f"{lambda_}:demo_{stage}_{job}-invoker"},
            }
            for name, job, age in found
        ]
        expected = {"GroupName": f"demo_{stage}", **asked}
        self.scheduler.add_response("list_schedules", {"Schedules": schedules}, expected)

    def has(self, *names: str, project: str = PROJECT) -> None:
        """Each of them is there when it is asked for."""
        for name in names:
            event = {"devbridge": 2, "jobId": f"{project}:{name}", "payloadText": '{"to": "ann"}'}
            told = {
                "ScheduleExpression": "at(2030-01-31T07:00:00)",
                "Target": {"Arn": "arn:a", "RoleArn": "arn:r", "Input": json.dumps(event)},
            }
            expected = {"Name": name, "GroupName": ANY}
            self.scheduler.add_response("get_schedule", told, expected)

    def recent(self, limit: int = 9, job: str | None = None) -> list[Run]:
        return [*self.store.recent(limit, job, itself)]

    def one(self, started: Callable[[Run], Run] | None = None) -> Run:
        self.lists((ONE, "remind", 1), NamePrefix="aaaa")
        self.has(ONE)
        (run,) = self.store.find("aaaa", started or itself)
        return run


def itself(run: Run) -> Run:
    return run


def in_state(state: str, **more: str) -> dict[str, Any]:
    return {"state": state, "attempt": 1, "maxAttempts": 1, **more}


@pytest.fixture
def scheduler() -> Iterator[Stubber]:
    client = botocore.session.get_session().create_client(
        "scheduler", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def stage(tmp_path: Path, scheduler: Stubber, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("devbridge.runs.scheduled_store._AT_ONCE", 1)
    monkeypatch.setattr(invoker_module, "POLL", 0.0)
    return Stage(tmp_path, scheduler)


# --- lists --------------------------------------------------------------------------------------


def test_what_was_asked_for_last_is_listed_first_with_its_time(stage: Stage) -> None:
    stage.lists((ONE, "remind", 5), (TWO, "report", 1), (THREE, "remind", 3))
    stage.has(TWO, THREE)
    two, three = (run.record for run in stage.recent(2))
    assert (two.job_id, two.job, two.state) == (f"{PROJECT}:{TWO}", "report", State.SCHEDULED)
    assert (two.created_at, two.starts_at) == (ASKED.timestamp() - 60, RECORD_START)
    assert three.job_id == f"{PROJECT}:{THREE}"
    assert stage.unheard == []


def test_of_one_job_only_its_own_are_asked_about(stage: Stage) -> None:
    stage.lists((ONE, "remind", 1), (TWO, "report", 2))
    stage.has(ONE)
    assert [run.record.job for run in stage.recent(job="remind")] == ["remind"]


def test_what_has_started_meanwhile_and_what_is_no_jobs_is_left_out(stage: Stage) -> None:
    stage.lists((ONE, "remind", 1), (TWO, "gone", 2), (THREE, "now", 3))
    stage.scheduler.add_client_error("get_schedule", "ResourceNotFoundException")
    assert stage.recent() == []


def test_an_app_without_such_jobs_asks_nobody(stage: Stage, tmp_path: Path) -> None:
    with loading(tmp_path):
        stage.app = App("demo")
        Job(stage.app, "now", handler="a.handler")
    assert stage.recent() == []
    assert stage.store.find(ONE, itself) == []


def test_a_stage_that_has_no_schedules_has_none(stage: Stage) -> None:
    stage.scheduler.add_client_error("list_schedules", "ResourceNotFoundException")
    assert stage.recent() == []
    assert stage.unheard == []


def test_all_pages_are_read_up_to_a_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.runs.scheduled_store.MOST", 2)
    summary = {"CreationDate": ASKED, "Target": {"Arn": "arn:x:demo_ann_remind-invoker"}}
    for name in (ONE, TWO):
        page = {"Schedules": [{"Name": name, **summary}], "NextToken": f"after {name}"}
        stage.scheduler.add_response("list_schedules", page)
    stage.has(ONE, TWO)
    assert len(stage.recent()) == 2


def test_who_may_not_ask_is_told_so_and_sees_the_other_runs(stage: Stage) -> None:
    stage.scheduler.add_client_error("list_schedules", "AccessDeniedException", "no")
    assert stage.recent() == []
    stage.there = CloudNotRunning("the embedded cloud does not run")
    assert stage.store.find(ONE, itself) == []
    first, second = stage.unheard
    assert "not known now" in first
    assert "AccessDenied" in first
    assert second.endswith("the embedded cloud does not run")


# --- one run ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "beginning", "at"),
    [
        (ONE, ONE, "ann"),
        ("AAAA", "aaaa", "ann"),
        (f"{PROJECT}:{ONE}", ONE, "ann"),
        (f"{PROJECT}:aaaa", "aaaa", "ann"),
        (f"demo_prod_remind:{ONE}", ONE, "prod"),
    ],
)
def test_a_run_is_found_by_its_id_or_the_beginning_of_any_part(
    stage: Stage, given: str, beginning: str, at: str
) -> None:
    stage.lists((ONE, "remind", 1), stage=at, NamePrefix=beginning)
    stage.has(ONE, project=f"demo_{at}_remind")
    (run,) = stage.store.find(given, itself)
    assert run.record.job_id == f"demo_{at}_remind:{ONE}"
    stage.answers.append(in_state("SCHEDULED", startAt=START))
    run.refresh()
    assert stage.asked == [(f"remind at {at}", "status", run.record.job_id)]


@pytest.mark.parametrize(
    "given", ["", "xyz", f"{ONE}0", "%", f"demo_ann_now:{ONE}", f"shop_ann_remind:{ONE}", "a:"]
)
def test_what_names_no_run_asks_nobody(stage: Stage, given: str) -> None:
    assert stage.store.find(given, itself) == []


def test_a_run_tells_of_its_time_until_it_has_started(stage: Stage) -> None:
    run = stage.one()
    assert run.history() == (Step(ASKED.timestamp() - 60, State.SCHEDULED),)
    assert json.loads(run.payload()) == {"to": "ann"}
    assert run.tended()
    stage.answers += [in_state("SCHEDULED", startAt=START), in_state("RUNNING")]
    waits = run.refresh(result=True)
    assert (waits.created_at, waits.starts_at) == (ASKED.timestamp() - 60, RECORD_START)
    started = run.refresh()
    assert (started.state, started.starts_at) == (State.RUNNING, None)


def test_a_run_is_cancelled_through_its_jobs_invoker(stage: Stage) -> None:
    run = stage.one()
    stage.answers += [{"was": "SCHEDULED", "state": "CANCELLED"}, UnknownRun("none")]
    done = run.cancel()
    assert (done.job, done.was, done.state) == ("remind", State.SCHEDULED, State.CANCELLED)
    with pytest.raises(UnknownRun):
        run.refresh()


def test_its_output_is_that_of_the_run_that_it_becomes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("devbridge.runs.scheduled_store.sleep", waited.append)
    then: Any = SimpleNamespace(
        output=lambda *, follow, everything: iter([f"{follow} {everything}".encode()]),
        record=RunRecord(job_id="id", job="remind", state=State.SUCCEEDED),
    )
    run = stage.one(lambda _: then)
    stage.answers += [in_state("SCHEDULED", startAt=START)] * 2 + [in_state("RUNNING")]
    assert list(run.output(follow=False)) == []
    assert list(run.output(follow=True, everything=True)) == [b"True True"]
    assert waited == [run.poll]
    assert run.record is then.record


def test_output_that_only_others_have_is_looked_for_there(stage: Stage) -> None:
    run = stage.one()
    stage.answers.append(in_state("RUNNING"))
    with pytest.raises(NotFound, match="the output of a run is not told"):
        list(run.output(follow=True))
