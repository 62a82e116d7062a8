from __future__ import annotations

import pytest

from devbridge.console.api import Api
from devbridge.console.detail import attempts
from devbridge.console.logs import mark_of
from devbridge.runs.base import Step
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure
from runner.triggered import Triggered

from .stages import Stage

AGAIN = "attempt 1 of 3 TIMED_OUT, again in 1 s"


@pytest.fixture
def api(stage: Stage) -> Api:
    return Api(stage.subject, stage.heard)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], []),
        ([Step(1.0, State.QUEUED)], []),
        (
            [Step(1.0, State.QUEUED), Step(2.0, State.RUNNING)],
            [(1, 2.0, None, State.RUNNING)],
        ),
        (
            [Step(1.0, State.QUEUED), Step(1.5, State.CANCELLED, 1, "before it started")],
            [(1, None, 1.5, State.CANCELLED)],
        ),
        (
            [
                Step(1.0, State.QUEUED),
                Step(2.0, State.RUNNING),
                Step(3.0, State.RUNNING, 2, AGAIN),
                Step(4.0, State.RUNNING, 2),
                Step(5.0, State.SUCCEEDED, 2),
            ],
            [(1, 2.0, 3.0, State.TIMED_OUT), (2, 4.0, 5.0, State.SUCCEEDED)],
        ),
        (  # as a deployed run's times tell it
            [Step(1.0, State.QUEUED), Step(2.0, State.RUNNING), Step(9.0, State.FAILED, 3)],
            [(1, 2.0, None, State.FAILED), (3, None, 9.0, State.FAILED)],
        ),
    ],
)
def test_attempts_are_what_the_history_tells(
    steps: list[Step], expected: list[tuple[int, float | None, float | None, State]]
) -> None:
    told = [(a.attempt, a.started_at, a.ended_at, a.state) for a in attempts(steps)]
    assert told == expected


def test_all_of_a_run_that_has_failed(stage: Stage, api: Api) -> None:
    before = stage.add()
    failure = Failure("ZeroDivisionError", "x", ('File "jobs/factorial.py", line 2, in handler',))
    run_id = stage.add(State.FAILED, b'{"n": 12345678901234567890}', failure=failure, log=b"a\nb\n")
    stage.add(job="other")
    told = api.run(run_id)
    assert (told.run.id, told.run.state, told.previous) == (run_id, State.FAILED, before)
    assert told.payload == '{"n": 12345678901234567890}'
    assert (told.result, told.payload_missing, told.checkpoint) == (None, None, None)
    assert [change.state for change in told.history] == ["QUEUED", "RUNNING", "FAILED"]
    assert [(a.attempt, a.line, a.state) for a in told.attempts] == [(1, 0, "FAILED")]
    assert told.failure is not None
    assert (2, "    return 1 / 0") in told.failure.frames[0].source
    assert told.log is not None
    assert (told.log.total, told.log.complete) == (2, True)


def test_what_a_trigger_has_sent_is_the_payload_alone(stage: Stage, api: Api) -> None:
    run_id = stage.add(payload=Triggered("queue", "orders", b'{"n":1}', b"{}").text())
    told = api.run(run_id)
    assert (told.payload, told.run.trigger, told.result) == ('{"n":1}', "queue orders", "120")
    assert told.log is None, "its log is gone"


def test_each_attempt_has_its_place_in_the_log(stage: Stage, api: Api) -> None:
    run_id = stage.add(State.RUNNING, log=f"a\nb\n{mark_of(2, 1)}\nc\n".encode())
    for change in (
        Change(job_id=run_id, state=State.QUEUED, at=2000.0, attempt=2, detail=AGAIN),
        Change(job_id=run_id, state=State.RUNNING, at=2001.0, attempt=2),
    ):
        with stage.ledger.transaction():
            stage.ledger.record(change)
    told = api.run(run_id)
    assert [(a.attempt, a.line, a.state) for a in told.attempts] == [
        (1, 0, "TIMED_OUT"),
        (2, 2, "RUNNING"),
    ]
