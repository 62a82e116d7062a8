from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.console import acting, model
from devbridge.console.refused import Conflict
from devbridge.console.subject import Subject
from devbridge.errors import (
    CloudNotRunning,
    InvalidValue,
    NotFound,
    PayloadInvalid,
    PayloadNotJson,
    UnknownJob,
    UnknownRun,
    UnknownTrigger,
)
from devbridge.runs.model import State
from runner.triggered import Triggered

from .stages import Stage

SCHEMA = {
    "factorial": {
        "type": "object",
        "properties": {"num": {"type": "integer"}},
        "required": ["num"],
    }
}


def asked(stage: Stage) -> list[dict[str, Any]]:
    """What invokers were called with."""
    events: list[dict[str, Any]] = stage.cloud.lambda_.events
    return events


def invoke(stage: Stage, payload: str, job: str = "factorial", **more: Any) -> model.Invoked:
    return acting.invoke(stage.subject, model.Invocation(job, payload, **more))


def test_a_run_is_started_with_the_payload_as_it_was_typed(stage: Stage) -> None:
    done = invoke(stage, '{"num": 12345678901234567890.0}')
    assert done.id is not None
    assert not done.duplicate
    payload = stage.ledger.payload(done.id)
    assert payload == b'{"num": 12345678901234567890.0}'
    assert invoke(stage, "1").id != invoke(stage, "1").id


def test_the_same_key_is_the_same_run(stage: Stage) -> None:
    one, two = invoke(stage, "1", key="k"), invoke(stage, "2", key="k")
    assert (one.id, one.duplicate, two.duplicate) == (two.id, False, True)


@pytest.mark.parametrize("payload", ["", "{", "NaN", "{'a': 1}", '{"a": 1,}'])
def test_what_is_no_json_is_not_sent(stage: Stage, payload: str) -> None:
    with pytest.raises(PayloadNotJson, match="line 1, column"):
        invoke(stage, payload)
    assert asked(stage) == []


def test_what_the_handler_would_refuse_is_sent_only_unchecked(stage: Stage) -> None:
    stage.config.schemas.write_text(json.dumps(SCHEMA))
    with pytest.raises(PayloadInvalid) as caught:
        invoke(stage, '{"num": "five"}')
    assert caught.value.where == "$.num"
    assert invoke(stage, '{"num": "five"}', check=False).id
    run_id = stage.add()
    with pytest.raises(PayloadInvalid):
        acting.replay(stage.subject, run_id, model.Replay('{"num": "five"}'))
    assert acting.replay(stage.subject, run_id, model.Replay('{"num": "five"}', check=False)).id


def test_a_job_that_there_is_not_is_told(stage: Stage) -> None:
    with pytest.raises(UnknownJob):
        invoke(stage, "1", "none")
    with pytest.raises(UnknownTrigger, match="has no triggers"):
        invoke(stage, "1", trigger="queue orders")


def test_a_run_that_nobody_takes_now_says_so(stage: Stage) -> None:
    stage.cloud.away = True
    done = invoke(stage, "1")
    assert done.note is not None
    assert "nobody runs it now" in done.note


def test_without_a_cloud_nothing_is_started(stage: Stage) -> None:
    stage.cloud = None
    with pytest.raises(CloudNotRunning):
        invoke(stage, "1")


def test_a_run_is_replayed_as_it_was_or_with_another_payload(stage: Stage) -> None:
    run_id = stage.add(State.FAILED, b'{"n":1.0}')
    same = acting.replay(stage.subject, run_id, model.Replay())
    other = acting.replay(stage.subject, run_id, model.Replay('{"n": 2}'))
    assert stage.ledger.payload(str(same.id)) == b'{"n":1.0}'
    assert stage.ledger.payload(str(other.id)) == b'{"n":2}'
    with pytest.raises(UnknownRun):
        acting.replay(stage.subject, "ffff", model.Replay())


def test_a_replay_goes_on_at_the_checkpoint_of_what_has_failed(stage: Stage) -> None:
    failed, done, edited = stage.add(State.FAILED), stage.add(), stage.add(State.CRASHED)
    for run_id in (failed, done, edited):
        with stage.ledger.transaction():
            stage.ledger.reached(run_id, b'{"at":3}')
    acting.replay(stage.subject, failed, model.Replay())
    acting.replay(stage.subject, done, model.Replay())
    acting.replay(stage.subject, edited, model.Replay("1"))
    assert [event.get("checkpoint") for event in asked(stage)] == ['{"at":3}', None, None]


def test_what_was_held_for_a_message_is_replayed_by_itself(stage: Stage) -> None:
    held = Triggered("queue", "orders", b"1", b"{}", delivery=2)
    run_id = stage.add(State.FAILED, held.text())
    again = acting.replay(stage.subject, run_id, model.Replay())
    assert stage.ledger.payload(str(again.id)) == held._replace(delivery=0).text()


def test_a_payload_that_was_lost_cannot_be_replayed(stage: Stage) -> None:
    run_id = stage.add(State.FAILED, b"")
    with pytest.raises(NotFound):
        acting.replay(stage.subject, run_id, model.Replay())


def test_a_run_is_cancelled_whatever_state_it_is_in(stage: Stage) -> None:
    queued, done = stage.add(State.QUEUED), stage.add()
    told = acting.cancel(stage.subject, queued)
    assert (told.was, told.state, told.waits) == (State.QUEUED, State.CANCELLED, False)
    told = acting.cancel(stage.subject, done)
    assert (told.was, told.state) == (State.SUCCEEDED, State.SUCCEEDED)


def bulk(stage: Stage, action: Any, count: int | None = None, **where: Any) -> model.BulkDone:
    return acting.bulk(stage.subject, model.Bulk(action, model.Filter(**where), count))


def test_many_are_counted_and_then_done_if_they_are_as_many(stage: Stage) -> None:
    failed = [stage.add(State.FAILED, b'"x"') for _ in range(3)]
    stage.add(State.RUNNING, b'"x"')
    stage.add(State.SUCCEEDED, b'"y"')
    assert bulk(stage, "replay", text='"x"') == model.BulkDone(3, None, [])
    assert asked(stage) == []
    with pytest.raises(Conflict, match="3 runs now, not 2"):
        bulk(stage, "replay", 2, text='"x"')
    assert bulk(stage, "replay", 3, state="FAILED") == model.BulkDone(3, 3, [])
    assert len(asked(stage)) == len(failed)


def test_only_what_has_not_ended_is_cancelled(stage: Stage) -> None:
    stage.add()
    queued = [stage.add(State.QUEUED), stage.add(State.QUEUED)]
    assert bulk(stage, "cancel").count == 2
    assert bulk(stage, "cancel", 2) == model.BulkDone(2, 2, [])
    records = [stage.ledger.get(run_id) for run_id in queued]
    assert {record.state for record in records if record} == {State.CANCELLED}
    with pytest.raises(InvalidValue, match="cannot be the ones to cancel"):
        bulk(stage, "cancel", state="FAILED,SUCCEEDED")


def test_what_did_not_work_is_told_with_its_run(stage: Stage) -> None:
    run_id = stage.add(State.FAILED, b"")
    done = bulk(stage, "replay", 1)
    assert (done.count, done.done, [each.id for each in done.failed]) == (1, 0, [run_id])
    assert "lost" in done.failed[0].message


def test_what_the_cloud_refuses_of_many_is_told_and_the_others_are_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stage.add(State.QUEUED), stage.add(State.QUEUED)
    answer: Any = {"Error": {"Code": "Throttling", "Message": "slow down"}}
    cancel = acting.cancel

    def throttled(subject: Subject, run_id: str) -> model.Cancelled:
        if run_id == first:
            raise ClientError(answer, "Invoke")
        return cancel(subject, run_id)

    monkeypatch.setattr(acting, "cancel", throttled)
    done = bulk(stage, "cancel", 2)
    assert (done.done, [each.id for each in done.failed]) == (1, [first])
    assert "slow down" in done.failed[0].message
    record = stage.ledger.get(second)
    assert record is not None
    assert record.state is State.CANCELLED


def test_too_many_at_once_are_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "MOST", 2)
    for _ in range(3):
        stage.add(State.FAILED)
    with pytest.raises(InvalidValue, match="more than 2 runs at once"):
        bulk(stage, "replay")
