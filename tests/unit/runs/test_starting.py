"""A run's start and end, step by step, whoever dies between two steps."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from devbridge.errors import CloudError, PayloadTooLarge
from devbridge.protocol import codec
from devbridge.runs.deciding import FORGOTTEN
from devbridge.runs.model import State
from devbridge.runs.providers import known
from devbridge.runs.providers.base import Ended, Look, NoRoom
from devbridge.runs.records import MAX_RESTARTS
from devbridge.runs.starting import DEAD
from runner.claims import Claim
from runner.outcome import Failure
from tests.unit.aws import Refused
from tests.unit.codebuild import PROJECT
from tests.unit.runs.worlds import DeployedWorld

KEY = codec.job_id("demo", "prod", "factorial", "k")
GONE = Look(state=State.CRASHED, failure=Failure("HostTerminated", "gone"), infrastructure=True)


def begin(world: DeployedWorld, key: str = "k", payload: bytes = b"1") -> tuple[str, State, bool]:
    started = world.runs.start("factorial", payload, key=key, remember=False)
    record = started.run.record
    return record.job_id.partition(":")[2], record.state, started.duplicate


def state(world: DeployedWorld, uuid: str) -> State:
    return cast("State", world.runs.get(f"{PROJECT}:{uuid}").record.state)


def place(world: DeployedWorld, uuid: str) -> str:
    return world.place(f"{PROJECT}:{uuid}")


class Clock:
    """A time that tests set, for a world and its S3."""

    def __init__(self, world: DeployedWorld, now: float = 1_800_000_000.0) -> None:
        self.now = now
        world.now = world.s3.now = lambda: self.now


# --- starting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compute", ["codebuild", "batch", "fargate", "lambda"])
def test_a_provider_is_told_where_the_payload_is_and_nothing_of_it(compute: str) -> None:
    world = DeployedWorld(compute)
    uuid, *_ = begin(world, payload=b'{"card":4111}')
    at = f"payloads/demo/prod/factorial/{KEY}.json"
    assert uuid == KEY
    assert world.given(uuid) == {
        "DEVBRIDGE_RUN_ID": f"{PROJECT}:{uuid}",
        "DEVBRIDGE_PAYLOAD_KEY": at,
    }
    assert world.s3.objects[at] == b'{"card":4111}'
    kept = [key for key, body in world.s3.objects.items() if b"4111" in body]
    assert kept == [at]


@pytest.mark.parametrize(("size", "inline"), [(8192, True), (8193, False)])
def test_of_a_job_that_says_inline_a_large_payload_goes_through_s3(size: int, inline: bool) -> None:
    world, payload = DeployedWorld("codebuild", inline=True), b'"' + b"x" * (size - 2) + b'"'
    uuid, *_ = begin(world, payload=payload)
    begin(world, payload=payload)
    given = world.given(uuid)
    assert given.get("DEVBRIDGE_PAYLOAD") == (payload.decode() if inline else None)
    assert any(key.startswith("payloads/") for key in world.s3.objects) == (not inline)
    assert world.runs.get(f"{PROJECT}:{uuid}").payload() == payload


def test_a_container_takes_small_payloads_only() -> None:
    world = DeployedWorld("codebuild", container=True)
    begin(world)
    with pytest.raises(PayloadTooLarge, match="a container job takes 8,192"):
        begin(world, "l", b"x" * 8193)
    assert len(world.runs.recent(9)) == 1


@pytest.mark.parametrize("compute", ["batch", "fargate"])
def test_what_a_tasks_overrides_have_no_room_for_goes_through_s3_or_is_refused(
    compute: str,
) -> None:
    payload = b'"' + b"x" * 8000 + b'"'
    uuid, *_ = begin(world := DeployedWorld(compute, inline=True), payload=payload)
    assert "DEVBRIDGE_PAYLOAD" not in world.given(uuid)
    assert world.runs.get(f"{PROJECT}:{uuid}").payload() == payload
    with pytest.raises(PayloadTooLarge, match="8,002 bytes; a container job takes less, where"):
        begin(DeployedWorld(compute, container=True), payload=payload)


def test_what_is_json_and_no_text_is_escaped() -> None:
    world = DeployedWorld("batch", inline=True)
    payload = codec.dump_json({"half": "\ud800", "face": "\U0001f642"})
    uuid, *_ = begin(world, payload=payload)
    value = world.given(uuid)["DEVBRIDGE_PAYLOAD"]
    assert value == '{"half":"\\ud800","face":"\U0001f642"}'
    assert json.loads(value) == {"half": "\ud800", "face": "\U0001f642"}


def test_of_two_payloads_with_one_key_the_first_counts_as_in_devbridge_dev() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    assert begin(world, payload=b"2") == (uuid, State.QUEUED, True)
    assert world.runs.get(f"{PROJECT}:{uuid}").payload() == b"1"


def test_a_key_is_known_when_the_run_has_ended_and_left_no_payload() -> None:
    world = DeployedWorld("batch")
    uuid, *_ = begin(world)
    world.end(f"{PROJECT}:{uuid}", State.SUCCEEDED)
    world.runs.kept.delete(world.runs.kept.places.payload(uuid))
    assert begin(world) == (uuid, State.SUCCEEDED, True)
    assert not [key for key in world.s3.objects if key.startswith("payloads/")]
    assert len(world.batch.jobs) == 1


def test_of_two_that_start_the_same_run_at_once_one_does() -> None:
    world = DeployedWorld("batch")
    make = world.runs.kept.make_claim

    def overtaken(uuid: str, claim: Claim) -> bool:
        world.runs.kept.make_claim = make
        assert begin(world)[2] is False
        return bool(make(uuid, claim))

    world.runs.kept.make_claim = overtaken
    assert begin(world)[2] is True
    assert len(world.batch.jobs) == 1


def test_of_two_that_restart_the_same_run_at_once_one_does() -> None:
    """Batch has no token, and its list of jobs does not have at once what was submitted."""
    world = DeployedWorld("batch")
    uuid, *_ = begin(world)
    event = Ended(uuid, place(world, uuid), GONE)
    others: list[str] = []

    def refuses(name: str) -> None:
        if name == "SubmitJob" and not others:
            others.append("")
            with pytest.raises(NoRoom, match="somebody else"):
                world.starter.happened(event)

    world.batch.refuses = refuses
    assert world.starter.happened(event) == "restart 1"
    assert (len(others), len(world.batch.jobs)) == (1, 2)


def test_who_dies_while_it_restarts_a_run_keeps_nobody_from_it_for_long() -> None:
    world = DeployedWorld("batch")
    clock = Clock(world)
    uuid, *_ = begin(world)
    event = Ended(uuid, place(world, uuid), GONE)

    def dies(name: str) -> None:
        if name == "SubmitJob":
            raise Died

    world.batch.refuses = dies
    with pytest.raises(Died):
        world.starter.happened(event)
    world.batch.refuses = lambda _: None
    with pytest.raises(NoRoom):
        world.starter.happened(event)
    clock.now += DEAD + 1
    assert world.starter.happened(event) == "restart 1"
    assert len(world.batch.jobs) == 2


def test_a_run_that_is_there_and_cannot_be_read_is_an_error() -> None:
    world = DeployedWorld("batch")
    begin(world)
    tries = iter([None] * 9)
    world.runs.kept.claim = lambda _: next(tries)
    with pytest.raises(CloudError, match="cannot be read"):
        begin(world)


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Refused("ClientException"), Refused("AccessDeniedException")])
def test_a_run_that_is_refused_leaves_nothing_and_may_be_started_again(error: Refused) -> None:
    world = DeployedWorld("batch", limit=1)
    world.batch.refuses = lambda name: error if name == "SubmitJob" else None
    with pytest.raises(world.batch.client.exceptions.ClientError):
        begin(world)
    assert world.s3.objects == {}
    assert world.dynamo.entries("running") == world.dynamo.entries("waiting") == []
    world.batch.refuses = lambda _: None
    assert begin(world) == (KEY, State.QUEUED, False)


def test_a_run_that_is_refused_has_crashed_where_nothing_may_be_deleted() -> None:
    world = DeployedWorld("batch")
    world.s3.delete_objects = lambda **_: {"Errors": [{}]}  # type: ignore[method-assign]
    world.batch.refuses = lambda name: Refused("X") if name == "SubmitJob" else None
    with pytest.raises(world.batch.client.exceptions.ClientError):
        begin(world)
    record = world.runs.get(f"{PROJECT}:{KEY}").record
    assert (record.state, record.failure and record.failure.type) == (State.CRASHED, "NotStarted")


def test_where_there_is_no_room_nothing_is_left_waiting() -> None:
    world = DeployedWorld("fargate")
    world.ecs.failures = [{"reason": "Capacity is unavailable", "detail": "at this time"}]
    with pytest.raises(NoRoom, match="Capacity is unavailable at this time"):
        begin(world)
    assert world.s3.objects == {}


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="u"),
        Refused("ServerException", status=500),
        Refused("ThrottlingException"),
    ],
)
@pytest.mark.parametrize("taken", [True, False])
def test_what_nobody_knows_to_be_started_is_started_by_the_next(
    error: Exception, taken: bool
) -> None:
    """`taken`: Batch has got it, though nobody has heard."""
    world = DeployedWorld("batch")
    clock = Clock(world)

    def lost(name: str) -> Exception | None:
        if name != "SubmitJob":
            return None
        if taken:
            world.batch.SubmitJob(**world.batch._own.asked)
        return error

    world.batch.refuses = lost
    with pytest.raises(Exception, match=r"u|Server|Throttl"):
        begin(world)
    world.batch.refuses = lambda _: None
    assert begin(world) == (KEY, State.QUEUED, True)
    clock.now += DEAD + 1
    assert begin(world) == (KEY, State.QUEUED, True)
    assert list(world.batch.jobs) == [place(world, KEY)]


def test_a_start_that_was_left_undone_is_gone_on_with_by_who_looks() -> None:
    world = DeployedWorld("fargate")
    clock = Clock(world)
    world.runs.kept.make_claim(KEY, Claim(clock.now, 1, "fargate", payload="1"))
    assert state(world, KEY) is State.QUEUED
    assert world.ecs.tasks == {}
    clock.now += DEAD + 1
    assert state(world, KEY) is State.QUEUED
    assert world.given(KEY)["DEVBRIDGE_PAYLOAD"] == "1"
    assert [run.record.job_id for run in world.runs.recent(1)] == [f"{PROJECT}:{KEY}"]


def test_a_run_that_is_cancelled_while_it_is_started_is_stopped() -> None:
    world = DeployedWorld("fargate")
    run = world.ecs.RunTask

    def cancelled_meanwhile(**asked: Any) -> Any:
        world.end_only(f"{PROJECT}:{KEY}")
        return run(**asked)

    world.ecs.RunTask = cancelled_meanwhile  # type: ignore[method-assign]
    begin(world)
    assert state(world, KEY) is State.CANCELLED
    (task,) = world.ecs.tasks.values()
    assert task["lastStatus"] == "STOPPED"


@pytest.mark.parametrize("limit", [0, 1])
def test_who_only_looks_at_a_run_forgets_nothing_of_it_where_there_is_no_room(limit: int) -> None:
    world = DeployedWorld("fargate", limit=limit)
    clock = Clock(world)
    world.runs.kept.make_claim(KEY, Claim(clock.now, 1, "fargate", payload="1"))
    clock.now += DEAD + 1
    world.ecs.failures = [{"reason": "Capacity is unavailable"}]
    assert state(world, KEY) is State.QUEUED
    with contextlib.suppress(NoRoom):
        begin(world)
    assert world.runs.kept.claim(KEY) is not None
    world.ecs.failures = []
    clock.now += DEAD + 1
    assert state(world, KEY) is State.QUEUED
    assert len(world.ecs.tasks) == 1


def test_a_run_that_waited_and_is_refused_when_somebody_looks_has_crashed() -> None:
    world = DeployedWorld("fargate", limit=1)
    clock = Clock(world)
    world.runs.kept.make_claim(KEY, Claim(clock.now, 1, "fargate", payload="1"))
    clock.now += DEAD + 1
    refused = Refused("InvalidParameterException")
    world.ecs.refuses = lambda name: refused if name == "RunTask" else None
    failure = world.runs.get(f"{PROJECT}:{KEY}").record.failure
    assert failure is not None
    assert failure.type == "NotStarted"
    assert world.dynamo.entries("running") == world.dynamo.entries("waiting") == []


# --- what AWS tells -----------------------------------------------------------------------------


def tell(world: DeployedWorld, uuid: str, look: Look | None) -> str:
    return world.starter.happened(Ended(uuid, place(world, uuid), look))


def test_a_run_whose_machine_has_gone_is_started_again_ten_times() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    places = [place(world, uuid)]
    for number in range(MAX_RESTARTS):
        assert tell(world, uuid, GONE) == f"restart {number + 1}"
        assert world.given(uuid)["DEVBRIDGE_RUN_ID"] == f"{PROJECT}:{uuid}"
        places.append(place(world, uuid))
    assert len(set(places)) == MAX_RESTARTS + 1
    assert world.runs.kept.place(uuid).earlier == tuple(places[:-1])
    assert tell(world, uuid, GONE) == "it is CRASHED"
    record = world.runs.get(f"{PROJECT}:{uuid}").record
    assert record.failure == Failure("HostTerminated", "gone, and 10 before it")


def test_what_is_told_twice_is_done_once() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    event = Ended(uuid, place(world, uuid), GONE)
    assert world.starter.happened(event) == "restart 1"
    assert world.starter.happened(event) == "it is not what runs it now"
    assert len(world.ecs.tasks) == 2
    last = Ended(uuid, place(world, uuid), Look(state=State.FAILED, exit_code=1))
    assert world.starter.happened(last) == world.starter.happened(last) == "it is CRASHED"


def test_a_run_that_has_told_its_end_keeps_it() -> None:
    world = DeployedWorld("batch")
    uuid, *_ = begin(world)
    world.end(f"{PROJECT}:{uuid}", State.SUCCEEDED)
    assert tell(world, uuid, GONE) == "it is SUCCEEDED"
    assert world.runs.kept.end(uuid) is None
    assert len(world.batch.jobs) == 1


def test_how_a_run_ended_that_told_nothing_is_known_when_its_provider_has_forgotten_it() -> None:
    world = DeployedWorld("batch")
    uuid, *_ = begin(world)
    failure = Failure("OutOfMemory", "memory ran out")
    look = Look(
        state=State.CRASHED, failure=failure, started_at=5.0, ended_at=9.0, logs=(("g", "s"),)
    )
    assert tell(world, uuid, look) == "it is CRASHED"
    world.batch.jobs.clear()
    run = world.runs.get(f"{PROJECT}:{uuid}")
    record = run.record
    assert (record.failure, record.started_at, record.ended_at) == (failure, 5.0, 9.0)
    assert run.logs == (("g", "s"),)


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_ends_as_its_exit_code_says_for_good(code: int) -> None:
    world = DeployedWorld("fargate", container=True)
    uuid, *_ = begin(world)
    why = Failure("CommandFailed", "the command exited with code 3")
    look = Look(
        state=State.FAILED if code else State.SUCCEEDED,
        exit_code=code,
        failure=why if code else None,
    )
    tell(world, uuid, look)
    world.ecs.tasks.clear()
    record = world.runs.get(f"{PROJECT}:{uuid}").record
    assert record.state is (State.FAILED if code else State.SUCCEEDED)
    assert (record.failure, record.result) == ((why, None) if code else (None, b"null"))


def test_a_cancelled_run_whose_machine_has_gone_is_not_started_again() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    world.runs.get(f"{PROJECT}:{uuid}").cancel()
    assert tell(world, uuid, GONE) == "it is CANCELLED"
    assert len(world.ecs.tasks) == 1


def test_who_died_before_the_place_was_noted_does_not_keep_the_run_from_ending() -> None:
    world = DeployedWorld("fargate")
    world.runs.kept.make_claim(KEY, Claim(world.now(), 1, "fargate", payload="1"))
    look = Look(state=State.FAILED, exit_code=1)
    assert world.starter.happened(Ended(KEY, "arn:1/x/1", look)) == "it is CRASHED"
    assert place(world, KEY) == "arn:1/x/1"


def test_an_invocation_that_hands_over_is_not_the_end_of_its_run() -> None:
    world = DeployedWorld("lambda")
    uuid, *_ = begin(world)
    event = Ended(uuid, "", Look(state=State.RUNNING))
    assert world.starter.happened(event) == "it goes on"
    world.end(f"{PROJECT}:{uuid}", State.SUCCEEDED)
    assert world.starter.happened(event) == "it is SUCCEEDED"


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("told", [{"hop": 1}, {"hop": 1, "handed": True}])
def test_how_an_earlier_hop_has_ended_is_no_end_of_the_run_that_goes_on(
    told: dict[str, Any], noted: bool
) -> None:
    world = DeployedWorld("lambda", limit=1)
    uuid, *_ = begin(world)
    if not noted:
        world.runs.kept.delete(world.runs.kept.places.place(uuid))
    world.tell(uuid, State.RUNNING, **told)
    late = Ended(uuid, "", Look(state=State.TIMED_OUT), 0)
    assert world.starter.happened(late) == "it is not what runs it now"
    assert world.runs.kept.end(uuid) is None
    world.end_only(f"{PROJECT}:{uuid}")
    handed = Ended(uuid, "", Look(state=State.RUNNING), 0)
    assert world.starter.happened(handed) == "it is not what runs it now"
    assert world.dynamo.entries("running") == [f"running#{uuid}"]


@pytest.mark.parametrize("handed", [True, False])
def test_a_hop_that_has_failed_is_the_end_of_its_run_whether_it_has_begun_or_not(
    handed: bool,
) -> None:
    world = DeployedWorld("lambda")
    uuid, *_ = begin(world)
    world.tell(uuid, State.RUNNING, hop=1, handed=handed)
    ended = Ended(uuid, "", Look(state=State.TIMED_OUT), 1)
    assert world.starter.happened(ended) == "it is TIMED_OUT"


def test_what_is_no_run_of_the_job_is_nothing() -> None:
    world = DeployedWorld("fargate")
    assert world.starter.happened(Ended(KEY, "arn:1/x/1", GONE)) == "it is no run of this job"


def test_a_build_is_asked_how_it_has_ended() -> None:
    world = DeployedWorld("codebuild", limit=1)
    (one, *_), (two, *_) = begin(world, "1"), begin(world, "2")
    assert (state(world, one), state(world, two)) == (State.QUEUED, State.QUEUED)
    assert len(world.codebuild.builds) == 1
    world.end(f"{PROJECT}:{one}", State.SUCCEEDED)
    assert tell(world, one, None) == "it is SUCCEEDED"
    assert world.runs.kept.end(one) is None
    assert len(world.codebuild.builds) == 2


def test_what_cannot_be_started_again_now_is_told_again() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    world.ecs.failures = [{"reason": "no capacity"}]
    with pytest.raises(NoRoom):
        tell(world, uuid, GONE)
    world.ecs.failures = []
    assert tell(world, uuid, GONE) == "restart 1"


def test_a_restart_that_was_left_undone_is_gone_on_with_by_who_looks() -> None:
    world = DeployedWorld("fargate")
    uuid, *_ = begin(world)
    first = place(world, uuid)
    gone = {"lastStatus": "STOPPED", "stopCode": "SpotInterruption", "stoppedReason": "spot"}
    world.ecs.tasks[first] |= gone
    assert state(world, uuid) is State.QUEUED
    assert place(world, uuid) != first


# --- turns --------------------------------------------------------------------------------------


def test_a_run_that_waits_holds_no_machine_and_starts_when_its_turn_comes() -> None:
    world = DeployedWorld("batch", limit=1)
    (one, *_), (two, *_), (three, *_) = (begin(world, key) for key in "123")
    assert [state(world, uuid) for uuid in (one, two, three)] == [State.QUEUED] * 3
    assert len(world.batch.jobs) == 1
    tell(world, one, Look(state=State.FAILED, exit_code=1))
    assert [world.runs.kept.place(uuid) is not None for uuid in (one, two, three)] == [
        True, True, False,
    ]  # fmt: skip


def test_a_run_that_waits_and_is_cancelled_is_taken_out_of_the_line() -> None:
    world = DeployedWorld("batch", limit=1)
    (one, *_), (two, *_), (three, *_) = (begin(world, key) for key in "123")
    done = world.runs.get(f"{PROJECT}:{two}").cancel()
    assert (done.was, done.state) == (State.QUEUED, State.CANCELLED)
    world.runs.get(f"{PROJECT}:{one}").cancel()
    assert state(world, two) is State.CANCELLED
    assert world.runs.kept.place(three) is None
    assert tell(world, one, None) == "it is CANCELLED"
    assert world.runs.kept.place(three) is not None
    assert world.dynamo.number() == 1


def test_a_turn_is_handed_past_a_run_that_is_refused() -> None:
    world = DeployedWorld("fargate", limit=1)
    (one, *_), (two, *_), (three, *_) = (begin(world, key) for key in "123")
    errors = iter([Refused("InvalidParameterException")])
    world.ecs.refuses = lambda name: next(errors, None) if name == "RunTask" else None
    tell(world, one, Look(state=State.FAILED, exit_code=1))
    failure = world.runs.get(f"{PROJECT}:{two}").record.failure
    assert failure is not None
    assert failure.type == "NotStarted"
    assert world.runs.kept.place(three) is not None
    assert world.dynamo.entries("running") == [f"running#{three}"]


def test_a_run_that_goes_on_elsewhere_keeps_its_turn() -> None:
    world = DeployedWorld("fargate", limit=1)
    (one, *_), (two, *_) = begin(world, "1"), begin(world, "2")
    tell(world, one, GONE)
    assert world.dynamo.entries("running") == [f"running#{one}"]
    assert world.runs.kept.place(two) is None


def test_who_finds_the_table_full_looks_whether_those_who_hold_it_still_live() -> None:
    world = DeployedWorld("fargate", limit=1)
    clock = Clock(world)
    one, *_ = begin(world, "1")
    clock.now += DEAD + 1
    world.end(f"{PROJECT}:{one}", State.SUCCEEDED)
    world.ecs.tasks[place(world, one)]["lastStatus"] = "STOPPED"  # and nobody has heard of it
    two, *_ = begin(world, "2")
    assert world.dynamo.entries("running") == [f"running#{two}"]
    assert world.runs.kept.place(two) is not None


def slow_to_stop() -> tuple[DeployedWorld, Clock]:
    """One run at a time, and ECS as it is: a container has two minutes to end."""
    world = DeployedWorld("fargate", limit=1)

    def stop(*, cluster: str, task: str, reason: str) -> Any:
        return {"task": world.ecs.tasks[task] | {"desiredStatus": "STOPPED"}}

    world.ecs.StopTask = stop  # type: ignore[method-assign]
    return world, Clock(world)


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("forgotten", [True, False])
def test_a_cancelled_run_has_its_turn_until_its_process_has_ended(
    heard: bool, forgotten: bool
) -> None:
    world, clock = slow_to_stop()
    (one, *_), (two, *_) = begin(world, "1"), begin(world, "2")
    at = place(world, one)
    world.ecs.tasks[at]["lastStatus"] = "RUNNING"
    world.runs.get(f"{PROJECT}:{one}").cancel()
    clock.now += FORGOTTEN
    begin(world, "3")
    assert state(world, one) is State.CANCELLED
    assert world.runs.kept.place(two) is None
    world.ecs.tasks[at] |= {"lastStatus": "STOPPED", "stopCode": "UserInitiated"}
    if forgotten:
        del world.ecs.tasks[at]
    if heard:
        tell(world, one, None)
    else:
        begin(world, "4")
    assert world.runs.kept.place(two) is not None
    assert world.dynamo.entries("running") == [f"running#{two}"]


def test_a_cancelled_run_of_which_nothing_is_seen_has_its_turn_until_it_tells_or_could_not() -> (
    None
):
    world = DeployedWorld("lambda", limit=1)
    clock = Clock(world)
    (one, *_), (two, *_), (three, *_) = (begin(world, key) for key in "123")
    world.tell(one, State.RUNNING)
    world.runs.get(f"{PROJECT}:{one}").cancel()
    assert world.runs.kept.place(two) is None
    world.tell(one, State.CANCELLED)
    clock.now += DEAD + 1
    begin(world, "4")
    assert world.runs.kept.place(two) is not None
    world.tell(two, State.RUNNING)
    world.runs.get(f"{PROJECT}:{two}").cancel()
    clock.now += 900
    begin(world, "5")
    assert world.runs.kept.place(three) is None
    clock.now += 61
    begin(world, "6")
    assert world.runs.kept.place(three) is not None


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("by", ["cancel", "start"])
def test_a_cancelled_run_that_nobody_could_note_and_that_is_refused_has_no_turn(
    refused: bool, by: str
) -> None:
    world, clock = slow_to_stop()
    world.ecs.refuses = lambda _: ReadTimeoutError(endpoint_url="u")
    with pytest.raises(ReadTimeoutError):
        begin(world, "1")
    one = codec.job_id("demo", "prod", "factorial", "1")
    world.ecs.refuses = lambda _: None
    two, *_ = begin(world, "2")
    clock.now += DEAD + 1
    if by == "start":
        world.end_only(f"{PROJECT}:{one}")
    started = iter([Refused("ClientException")] if refused else [])
    world.ecs.refuses = lambda name: next(started, None) if name == "RunTask" else None
    if by == "start":
        begin(world, "3")
    else:
        world.starter.cancel(world.runs.reader.placed(one))
    assert (world.runs.kept.place(two) is not None) == refused
    assert (world.runs.kept.place(one) is not None) != refused
    if not refused:
        world.ecs.tasks[place(world, one)]["lastStatus"] = "STOPPED"
    clock.now += DEAD + 1
    begin(world, "4")
    assert world.dynamo.entries("running") == [f"running#{two}"]


def test_a_run_is_started_or_in_line_though_others_cannot_be_started() -> None:
    world = DeployedWorld("fargate", limit=2)
    clock = Clock(world)
    begin(world, "1")
    world.ecs.refuses = lambda _: ReadTimeoutError(endpoint_url="u")
    with pytest.raises(ReadTimeoutError):
        begin(world, "2")
    world.ecs.refuses = lambda _: None
    world.ecs.failures = [{"reason": "Capacity is unavailable"}]
    clock.now += DEAD + 1
    assert begin(world, "3")[1] is State.QUEUED
    assert len(world.dynamo.entries("waiting#")) == 1


def test_a_run_whose_former_provider_may_not_be_asked_does_not_block_the_line() -> None:
    world = DeployedWorld("fargate", limit=1)
    clock = Clock(world)
    one, *_ = begin(world, "1")
    world.compute = "batch"
    world.runs = world._runs(limit=1)
    denied = Refused("AccessDeniedException")
    world.ecs.refuses = lambda name: denied if name != "RunTask" else None
    clock.now += DEAD + 1
    world.starter.cancel(world.runs.reader.placed(one))
    two, *_ = begin(world, "2")
    assert world.runs.kept.place(two) is not None


def test_of_many_that_hold_a_turn_some_are_looked_at_and_who_is_over_is_found() -> None:
    world = DeployedWorld("fargate", limit=51)
    clock = Clock(world)
    uuids = [begin(world, f"{number}")[0] for number in range(51)]
    clock.now += DEAD + 1
    world.ecs.tasks[place(world, uuids[-1])] |= {"lastStatus": "STOPPED"}
    world.ecs.calls.clear()
    last, *_ = begin(world, "last")
    assert world.ecs.calls.count("DescribeTasks") <= 2
    for number in range(30):
        begin(world, f"more-{number}")
    assert world.runs.kept.place(last) is not None


class Died(BaseException):
    """An invoker's process is gone."""


class Mortal:
    """Lets whoever calls a service die at a step, before it is done or after."""

    def __init__(self, world: DeployedWorld) -> None:
        self._left = -1
        for fake in (world.ecs, world.dynamo):
            self._wrap(fake, [name for name in dir(fake) if name[0].isupper()])
        self._wrap(world.s3, ["get_object", "put_object"])

    def _wrap(self, service: Any, names: list[str]) -> None:
        for name in names:
            setattr(service, name, self._mortal(getattr(service, name)))

    def _mortal(self, operation: Any) -> Any:
        def step(**asked: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return operation(**asked)  # those have no order
            before, after = self._left == 1, self._left == 2
            self._left -= 2
            if before:
                raise Died
            done = operation(**asked)
            if after:
                raise Died
            return done

        return step

    @contextlib.contextmanager
    def after(self, steps: int | None) -> Iterator[None]:
        """Die in here, at that half step."""
        self._left = -1 if steps is None else steps
        with contextlib.suppress(Died):
            yield
        self._left = -1


STEP = st.tuples(
    st.sampled_from(["start", "end", "gone", "cancel", "cancel slowly", "tell again"]),
    st.integers(0, 5),
    st.none() | st.integers(1, 60),
    st.sampled_from([0.0, DEAD + 1]),
)


@functools.cache
def mortals(limit: int) -> tuple[DeployedWorld, Mortal]:
    """A world that takes a while to make."""
    world = DeployedWorld("fargate", limit=limit)
    return world, Mortal(world)


@settings(max_examples=50, deadline=None, phases=set(Phase) - {Phase.explain})
@given(limit=st.integers(1, 2), steps=st.lists(STEP, min_size=4, max_size=12))
@example(  # who starts it and who hears of its end die
    limit=1,
    steps=[
        ("start", 0, None, 0.0),
        ("end", 0, None, 0.0),
        ("start", 0, 14, 0.0),
        ("end", 0, 1, 0.0),
    ],
)
def test_whoever_dies_never_do_too_many_run_and_after_one_event_nobody_waits_for_nothing(
    limit: int, steps: list[tuple[str, int, int | None, float]]
) -> None:
    world, mortal = mortals(limit)
    for forgotten in (world.s3.objects, world.dynamo.items, world.ecs.tasks, world.ecs.tokens):
        forgotten.clear()
    clock = Clock(world)
    for number, (what, which, dies, pause) in enumerate(steps):
        clock.now += pause + 0.001
        before = running(world)
        with mortal.after(dies):
            act(world, what, which, number)
        tell_of_stopped(world, before)
        check(world, limit)
    clock.now += DEAD + 1
    before = running(world)
    begin(world, "last")
    tell_of_stopped(world, before)
    check(world, limit)
    live = {task["startedBy"] for task in running(world)}
    holders = {each.removeprefix("running#") for each in world.dynamo.entries("running#")}
    waiting = world.dynamo.entries("waiting#")
    ended = {task["startedBy"] for task in world.ecs.tasks.values()} - live
    assert holders <= live | ended, "who has got a turn was started"
    assert not waiting or (len(holders) == limit and holders <= live)


def act(world: DeployedWorld, what: str, which: int, number: int) -> None:
    if what == "start":
        begin(world, f"key-{number}")
        return
    tasks = list(world.ecs.tasks.values())
    if what == "tell again":
        tasks = [task for task in tasks if task["lastStatus"] == "STOPPED"]
    else:
        tasks = running(world)
    if not tasks:
        return
    task = tasks[which % len(tasks)]
    uuid = task["startedBy"]
    if what == "cancel":
        world.runs.get(f"{PROJECT}:{uuid}").cancel()
        return
    if what == "cancel slowly":
        try:
            world.runs.get(f"{PROJECT}:{uuid}").cancel()
        finally:
            task["lastStatus"] = "RUNNING"
        return
    if what == "gone":
        task |= {"lastStatus": "STOPPED", "stopCode": "SpotInterruption"}
    elif what == "end":
        task |= {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
        task["containers"] = [{"name": "job", "exitCode": 1}]
    detail = {"source": "aws.ecs", "detail": task}
    ended = known.ended(detail)
    assert ended is not None
    world.starter.happened(ended)


def tell_of_stopped(world: DeployedWorld, before: list[dict[str, Any]]) -> None:
    """AWS tells of what the invoker has stopped."""
    for task in before:
        if task["lastStatus"] == "STOPPED" and task["stopCode"] == "UserInitiated":
            world.starter.happened(Ended(task["startedBy"], task["taskArn"], None))


def running(world: DeployedWorld) -> list[dict[str, Any]]:
    return [task for task in world.ecs.tasks.values() if task["lastStatus"] != "STOPPED"]


def check(world: DeployedWorld, limit: int) -> None:
    """Of each run at most one task, and of the job at most so many."""
    live = [task["startedBy"] for task in running(world)]
    assert len(live) == len(set(live)) <= limit
    holders = world.dynamo.entries("running#")
    assert len(holders) == world.dynamo.number() <= limit
