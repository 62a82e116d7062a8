from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import attempt, aws, process
from runner.attempt import Inbox, Output
from runner.aws import AwsError, Conflict
from runner.host import main as host_main
from runner.host import run as run_module
from runner.host.base import Host, Pause, Window
from runner.host.codebuild import EXPORTS
from runner.host.lines import Lines
from runner.host.run import Run
from runner.host.settings import GRACE, Settings
from runner.host.store import MAX_INLINE, ascii_json
from runner.host.told import Told, mark
from runner.invocation import Invocation
from runner.outcome import (
    CANCELLED,
    CRASHED,
    FAILED,
    INTERRUPTED,
    INVALID,
    SUCCEEDED,
    TIMED_OUT,
    End,
    Failure,
)
from runner.results import encode
from runner.triggered import Triggered

ENVIRONMENT = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_JOB_NAME": "factorial",
    "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
    "DEVBRIDGE_PAYLOAD": "{}",
    "DEVBRIDGE_PAYLOAD_KEY": "k",
    "CODEBUILD_BUILD_ID": "demo_prod_factorial:1",
    "CODEBUILD_SRC_DIR": "/src",
}
LEAVES = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=30)
@given(st.recursive(LEAVES, lambda s: st.lists(s) | st.dictionaries(st.text(), s), max_leaves=8))
def test_a_result_in_ascii_is_the_same_result(value: Any) -> None:
    text = ascii_json(encode(value).decode())
    assert text.isascii()
    assert json.loads(text) == value


# --- a whole run, over attempts, AWS and a clock that are made up -------------------------------


class World:
    """What the run asks of the outside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.ends: list[End] = [End(SUCCEEDED, b"1", took=2.0)]
        self.attempts: list[tuple[Invocation, dict[str, Any]]] = []
        self.environment = {
            **ENVIRONMENT,
            "DEVBRIDGE_BUCKET": "b",
            "CODEBUILD_SRC_DIR": str(root),
            "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:1:build/demo_prod_factorial:1",
        }
        del self.environment["DEVBRIDGE_PAYLOAD_KEY"]
        self.objects: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        self.refuses: set[str] = set()
        self.pauses: list[float] = []
        self.stop_at_pause = -1
        self.checkpoints: list[bytes] = []
        """What the handler yields in each attempt."""
        self.lose_checkpoints = False
        """The first write of each fails."""
        self.now_unreachable: Place | None = None
        """A place that cannot tell anything once the handler has ended."""
        self.now = 1_800_000_000.0
        self.root = root
        self._reader, self._writer = os.pipe()
        self.output = Output(self._writer)
        self.inbox = Inbox()
        monkeypatch.setattr(self.inbox, "pause", self.pause)
        monkeypatch.setattr(attempt, "run", self.attempt)
        monkeypatch.setattr(run_module, "RuntimeApi", lambda: "api")
        monkeypatch.setattr(run_module, "time", SimpleNamespace(time=lambda: self.now))
        for name in ("get_object", "find_object", "put_object", "delete_object"):
            monkeypatch.setattr(aws, name, getattr(self, name))

    def attempt(self, api: str, invocation: Invocation, environment: object, **more: Any) -> End:
        assert api == "api"
        self.attempts.append((invocation, {"environment": environment, **more}))
        self.now += 5
        for checkpoint in self.checkpoints:
            if self.lose_checkpoints:
                self.refuses = {"put"}
                with pytest.raises(AwsError):
                    more["keep"](checkpoint)
                self.refuses = set()
            else:
                more["keep"](checkpoint)
        if self.now_unreachable is not None:
            self.now_unreachable.unreachable = True
        return self.ends.pop(0)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        if len(self.pauses) == self.stop_at_pause:
            self.inbox.terminated = True
        return not self.inbox.terminated

    def get_object(self, bucket: str, key: str) -> bytes:
        self._may("get", bucket)
        return self.objects[key]

    def find_object(self, bucket: str, key: str) -> tuple[bytes, str] | None:
        self._may("find", bucket)
        return (self.objects[key], "etag") if key in self.objects else None

    def put_object(
        self, bucket: str, key: str, body: bytes, *, encryption_key: str, condition: Any
    ) -> None:
        assert condition == {}
        self._may("put", bucket)
        self.objects[key], self.keys[key] = body, encryption_key

    def delete_object(self, bucket: str, key: str) -> None:
        self._may("delete", bucket)
        self.objects.pop(key, None)

    def _may(self, what: str, bucket: str) -> None:
        assert bucket == "b"
        if what in self.refuses:
            raise AwsError(f"may not {what}")

    def run(self, **more: str) -> tuple[End, str | None]:
        """Run it to its end, and have it tell; how it ended, and its result as it is told."""
        environment = self.environment | more
        settings = Settings.read(environment)
        lines = Lines(self.output, settings.run_id)
        host = host_main.host_of(settings, environment, lines)
        return self.run_at(host, settings, environment, lines)

    def run_at(
        self, host: Host, settings: Settings, environment: dict[str, str], lines: Lines
    ) -> tuple[End, str | None]:
        self.one = one = Run(settings, host, self.inbox, lines)
        end = one.go(environment)
        self.code = one.close(end)
        os.close(self._writer)
        with os.fdopen(self._reader, "rb") as reader:
            self.lines = reader.read().decode().splitlines()
        file = self.root / EXPORTS
        text = file.read_text() if file.exists() else ""
        self.exports = dict(shlex.split(line)[1].split("=", 1) for line in text.splitlines())
        is_last = self.lines[-1].startswith('{"devbridge"')
        self.told = json.loads(self.lines[-1])["devbridge"] if is_last else {}
        return end, self.exports.get("DEVBRIDGE_RESULT")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


FAILURE = Failure("KeyError", "'x'", trace=("Traceback:", "KeyError: 'x'"))


def several(delivery: int = 1) -> str:
    """A payload that is two messages."""
    records = [{"messageId": each, "body": "1"} for each in "ab"]
    event = json.dumps({"Records": records}).encode()
    dead = "arn:aws:sqs:eu-west-1:1:dead"
    return Triggered("queue", "q", b"[]", event, dead, delivery=delivery).text().decode()


@pytest.mark.parametrize(
    ("failure", "refused", "sends", "given_up"),
    [
        (Failure(INVALID, "no"), False, 2, True),
        (Failure(INVALID, "no"), True, 1, False),  # what follows comes again with the first
        (FAILURE, False, 0, False),  # its queue gives it up
    ],
)
def test_messages_are_given_up_all_or_come_again(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    failure: Failure,
    refused: bool,
    sends: int,
    given_up: bool,
) -> None:
    sent: list[str] = []

    def send(queue: str, _: Any) -> None:
        sent.append(queue)
        if refused:
            raise AwsError("not you")

    monkeypatch.setattr(aws, "send_message", send)
    world.ends = [End(FAILED, failure=failure, final=True)]
    world.run(DEVBRIDGE_PAYLOAD=several())
    assert (len(sent), world.one.given_up) == (sends, given_up)


def test_a_delivery_has_one_attempt_however_many_the_job_has(world: World) -> None:
    world.ends = [End(FAILED, failure=FAILURE), End(SUCCEEDED)]
    end, _ = world.run(DEVBRIDGE_ATTEMPTS="3", DEVBRIDGE_ONCE="1")
    assert (end.state, len(world.attempts), world.pauses) == (FAILED, 1, [])


def test_a_run_gets_its_payload_and_tells_its_result_thrice(world: World) -> None:
    end, result = world.run(DEVBRIDGE_INLINE="1")
    assert (end.state, result) == (SUCCEEDED, "1")
    ((invocation, options),) = world.attempts
    assert invocation.payload == b"{}"
    assert invocation.job_id == "demo_prod_factorial:1"
    assert invocation.function_arn == "arn:aws:codebuild:eu-west-1:1:project/demo_prod_factorial"
    assert invocation.context == {"job": "factorial", "attempt": "1", "max_attempts": "1"}
    assert (options["timeout"], options["grace"]) == (8 * 3600, GRACE)
    assert options["root"] == str(world.root)
    assert (options["inbox"], options["output"]) == (world.inbox, world.output)
    assert options["environment"]["_HANDLER"] == "jobs/factorial.handler"
    assert world.lines[:-1] == [
        "|  Invoke factorial demo_prod_factorial:1",
        "|  Done    demo_prod_factorial:1 took 2.00s",
    ]
    assert world.told == {"state": "SUCCEEDED", "attempt": 1, "result": 1}
    assert world.exports == {
        "DEVBRIDGE_STATE": "SUCCEEDED",
        "DEVBRIDGE_ATTEMPT": "1",
        "DEVBRIDGE_STARTED": "1800000000.000",
        "DEVBRIDGE_RESULT": "1",
    }
    assert world.objects == {}


# --- payloads -----------------------------------------------------------------------------------


def test_without_a_payload_it_is_null(world: World) -> None:
    del world.environment["DEVBRIDGE_PAYLOAD"]
    world.run()
    assert world.attempts[0][0].payload == b"null"


def test_a_payload_in_s3_is_read_and_deleted(world: World) -> None:
    world.objects["k"] = b"[1]"
    world.run(DEVBRIDGE_PAYLOAD_KEY="k")
    assert world.attempts[0][0].payload == b"[1]"
    assert "k" not in world.objects


def test_a_payload_that_cannot_be_deleted_is_said_and_the_run_goes_on(world: World) -> None:
    world.objects["k"], world.refuses = b"[1]", {"delete"}
    world.run(DEVBRIDGE_PAYLOAD_KEY="k")
    assert len(world.attempts) == 1
    said = (
        "|  Warning demo_prod_factorial:1 the payload is left in S3 for some days: may not delete"
    )
    assert said in world.lines


def test_a_payload_that_cannot_be_read_is_a_failure_that_the_builds_record_shows(
    world: World,
) -> None:
    world.refuses = {"get"}
    end, result = world.run(DEVBRIDGE_PAYLOAD_KEY="k")
    assert end == End(FAILED, failure=Failure("AwsError", "may not get"), final=True)
    assert result is None
    assert world.attempts == []
    error = {"type": "AwsError", "message": "may not get"}
    assert world.told == {"state": "FAILED", "attempt": 1, "error": error}
    assert json.loads(world.exports["DEVBRIDGE_ERROR"]) == error
    assert "DEVBRIDGE_STARTED" not in world.exports


# --- results and errors -------------------------------------------------------------------------

RESULT_KEY = "results/demo/prod/factorial/1.json"
ERROR_KEY = "results/demo/prod/factorial/1.error.json"


@pytest.mark.parametrize(
    ("inline", "result", "shown"),
    [
        ("1", b'"\xc3\xbc"', '"\\u00fc"'),
        ("1", b'"' + b"x" * (MAX_INLINE - 2) + b'"', None),
        ("1", b'"' + b"x" * (MAX_INLINE - 1) + b'"', f"@{RESULT_KEY}"),
        ("", b"1", f"@{RESULT_KEY}"),
        ("", b"null", "null"),
    ],
)
def test_a_result_is_in_the_variable_only_where_it_may_be_and_is_small(
    world: World, inline: str, result: bytes, shown: str | None
) -> None:
    world.ends = [End(SUCCEEDED, result)]
    shown = shown or result.decode()
    assert world.run(DEVBRIDGE_INLINE=inline, DEVBRIDGE_KEY="arn:key")[1] == shown
    assert world.exports["DEVBRIDGE_RESULT"] == shown
    if shown.startswith("@"):
        assert world.objects == {RESULT_KEY: result}
        assert world.keys == {RESULT_KEY: "arn:key"}
        assert world.told["result"] == shown
    else:
        assert world.objects == {}
        assert world.told["result"] == json.loads(result)


@pytest.mark.parametrize("end", [End(SUCCEEDED), End(TIMED_OUT, b"1"), End(CANCELLED, b"1")])
def test_what_has_no_result_or_did_not_succeed_stores_none(world: World, end: End) -> None:
    world.ends = [end]
    assert world.run()[1] is None
    assert "DEVBRIDGE_RESULT" not in world.exports
    assert RESULT_KEY not in world.objects


def test_a_result_that_cannot_be_stored_is_a_failure(world: World) -> None:
    world.refuses = {"put"}
    end, _ = world.run()
    assert end.failure == Failure("AwsError", "may not put")
    assert json.loads(world.exports["DEVBRIDGE_ERROR"])["message"] == "may not put"


def test_an_error_is_in_the_log_and_its_message_in_s3(world: World) -> None:
    world.ends = [End(FAILED, failure=FAILURE, took=1.0)]
    world.run(DEVBRIDGE_KEY="arn:key")
    error = {"type": "KeyError", "message": "'x'"}
    assert world.lines[1:4] == [
        "Traceback:",
        "KeyError: 'x'",
        "|  Error   demo_prod_factorial:1 FAILED after 1.00s: KeyError: 'x'",
    ]
    assert world.told == {"state": "FAILED", "attempt": 1, "error": error}
    assert json.loads(world.exports["DEVBRIDGE_ERROR"]) == {"type": "KeyError", "at": ERROR_KEY}
    assert json.loads(world.objects[ERROR_KEY]) == error
    assert world.keys == {ERROR_KEY: "arn:key"}


def test_an_error_without_a_trace_is_one_line(world: World) -> None:
    world.ends = [End(CRASHED, failure=Failure("Killed", "by SIGSEGV"))]
    world.run(DEVBRIDGE_INLINE="1")
    assert world.lines[1] == "Killed: by SIGSEGV"
    assert json.loads(world.exports["DEVBRIDGE_ERROR"])["message"] == "by SIGSEGV"
    assert world.objects == {}


def test_an_error_that_s3_does_not_take_is_in_the_log_only(world: World) -> None:
    world.ends, world.refuses = [End(FAILED, failure=FAILURE)], {"put"}
    world.run()
    assert json.loads(world.exports["DEVBRIDGE_ERROR"]) == {
        "type": "KeyError",
        "message": "its message is only in the build's log: S3 did not accept it",
    }
    assert any("the error's message is only in this log: may not put" in x for x in world.lines)


# --- attempts -----------------------------------------------------------------------------------


def test_a_run_that_fails_is_tried_again_after_a_delay_that_doubles(world: World) -> None:
    world.ends = [End(FAILED, failure=FAILURE, took=1.0), End(TIMED_OUT), End(SUCCEEDED, b"1")]
    world.run(DEVBRIDGE_ATTEMPTS="3", DEVBRIDGE_RETRY_DELAY="7", DEVBRIDGE_INLINE="1")
    assert world.pauses == [7, 14]
    contexts = [invocation.context for invocation, _ in world.attempts]
    assert [each["attempt"] for each in contexts] == ["1", "2", "3"]
    assert {each["max_attempts"] for each in contexts} == {"3"}
    assert world.told["attempt"] == 3
    assert world.exports["DEVBRIDGE_STARTED"] == "1800000000.000", "when the first one began"
    invoked = [line for line in world.lines if "Invoke" in line]
    assert invoked[1] == "|  Invoke factorial demo_prod_factorial:1 (attempt 2 of 3)"
    again = "|  Again   demo_prod_factorial:1 FAILED after 1.00s: KeyError: 'x', again in 7 s"
    assert again in world.lines


def test_after_its_last_attempt_it_has_failed(world: World) -> None:
    world.ends = [End(FAILED, failure=FAILURE), End(CRASHED, failure=FAILURE)]
    end, _ = world.run(DEVBRIDGE_ATTEMPTS="2")
    assert end.state == CRASHED
    assert world.ends == []


def test_a_stop_between_two_attempts_is_a_cancellation(world: World) -> None:
    world.ends, world.stop_at_pause = [End(FAILED, failure=FAILURE)], 1
    end, _ = world.run(DEVBRIDGE_ATTEMPTS="2", DEVBRIDGE_INLINE="1")
    assert end == End(CANCELLED)
    assert len(world.attempts) == 1
    assert not [line for line in world.lines if "attempt 2 of 2" in line]
    error = {"type": "Terminated", "message": "the run was told to stop by SIGTERM"}
    assert world.told == {"state": "CANCELLED", "attempt": 2, "error": error}
    assert json.loads(world.exports["DEVBRIDGE_ERROR"]) == error


# --- places that are taken away -----------------------------------------------------------------


class Place:
    """A host that tells in memory; as its machine is taken away, or its time is over, in a test."""

    packages, arn, grace = "", "arn:place", 7.0
    cancelled = False

    def __init__(self, world: World, *, interruptible: bool = True) -> None:
        self.world = world
        self.root = str(world.root)
        self.interruptible = interruptible
        self.before: Told | None = None
        self.told: list[Told] = []
        self.handed: list[tuple[Told, bool | None]] = []
        self.refuses: End | None = None
        self.unreachable = False
        self.claimed = False
        """Because the next place has it."""
        self.here = True
        self.cut = False

    def variables(self) -> dict[str, str]:
        return {}

    def logs(self) -> tuple[str, str]:
        return "group", "stream"

    def earlier(self) -> Told | None:
        return self.before

    def window(self, timeout: float, spent: float) -> Window:
        return Window(timeout - spent, 99.0, self.cut)

    def pause(self, timeout: float, delay: float) -> Pause:
        return Pause(delay, self.here)

    def tell(self, told: Told) -> None:
        if self.unreachable:
            raise Conflict("no answer") if self.claimed else AwsError("no answer")
        self.told.append(told)

    def hand_over(self, told: Told, *, progress: bool | None) -> End | None:
        if self.unreachable:
            raise AwsError("no answer")
        self.handed.append((told, progress))
        return self.refuses

    def run(self, **more: str) -> End:
        environment = self.world.environment | {"DEVBRIDGE_INLINE": "1"} | more
        settings = Settings.read(environment)
        lines = Lines(self.world.output, settings.run_id)
        return self.world.run_at(self, settings, environment, lines)[0]


CHECKPOINT = "checkpoints/demo/prod/factorial/1.json"


def test_a_run_is_told_when_an_attempt_begins_and_when_it_has_ended(world: World) -> None:
    place = Place(world)
    world.ends = [End(FAILED, failure=FAILURE, took=1.0), End(SUCCEEDED, b"1", took=2.0)]
    place.run(DEVBRIDGE_ATTEMPTS="2")
    assert [(told.state, told.attempt) for told in place.told] == [
        ("RUNNING", 1),
        ("RUNNING", 2),
        ("SUCCEEDED", 2),
    ]
    assert {told.started_at for told in place.told} == {1_800_000_000.0}
    last = place.told[-1]
    assert (last.ended_at, last.result, last.logs) == (world.now, "1", (("group", "stream"),))
    assert world.code == 0
    options = world.attempts[0][1]
    assert (options["grace"], options["stop_at"], options["interruptible"]) == (7.0, 99.0, True)


def test_an_interrupted_run_is_handed_over_with_its_checkpoint(world: World) -> None:
    place = Place(world)
    world.checkpoints = [b"3"]
    world.ends = [End(INTERRUPTED, took=1.5)]
    assert place.run(DEVBRIDGE_ATTEMPTS="2").state == INTERRUPTED
    assert world.code == 75
    ((told, _),) = place.handed
    assert (told.state, told.attempt, told.interruptions, told.handed) == ("RUNNING", 1, 1, True)
    assert told.mark == mark(b"3")
    assert world.objects[CHECKPOINT] == b"3"
    assert world.lines[-1] == (
        "|  Again   demo_prod_factorial:1 INTERRUPTED after 1.50s, goes on elsewhere"
    )


def test_the_next_machine_goes_on_with_the_same_attempt_at_the_checkpoint(world: World) -> None:
    place = Place(world)
    place.before = Told("RUNNING", 2, 5.0, interruptions=1, handed=True)
    world.objects[CHECKPOINT] = b"3"
    place.run(DEVBRIDGE_ATTEMPTS="3")
    ((invocation, options),) = world.attempts
    assert invocation.context["attempt"] == "2"
    assert options["checkpoint"] == b"3"
    assert world.lines[:2] == [
        "|  Invoke factorial demo_prod_factorial:1 (attempt 2 of 3)",
        "|  Goes on demo_prod_factorial:1 at its checkpoint",
    ]
    assert (place.told[0].started_at, place.told[0].interruptions) == (5.0, 1)


def test_a_machine_that_said_nothing_has_died(world: World) -> None:
    place = Place(world)
    place.before = Told("RUNNING", 1, 5.0)
    place.run()
    assert place.told[0].interruptions == 1


def test_a_run_that_dies_wherever_it_goes_on_is_not_begun_again(world: World) -> None:
    place = Place(world)
    place.before = Told("RUNNING", 1, 5.0, interruptions=2, idle=2)
    assert place.run().state == CRASHED
    assert world.attempts == []
    assert (world.told["error"]["type"], world.code) == ("Interrupted", 1)
    assert place.told[-1].failure == Failure(
        "Interrupted", "interrupted 3 times without progress, before its first checkpoint"
    )


def test_who_waits_for_the_next_attempt_is_interrupted_too(world: World) -> None:
    place = Place(world)
    world.ends, world.stop_at_pause = [End(FAILED, failure=FAILURE)], 1
    assert place.run(DEVBRIDGE_ATTEMPTS="2").state == INTERRUPTED
    ((told, _),) = place.handed
    assert (told.attempt, told.not_before) == (2, 0.0), "the delay has been long enough"


def test_who_is_stopped_before_it_began_has_nothing_to_say(world: World) -> None:
    place, world.inbox.terminated = Place(world), True
    assert place.run().state == INTERRUPTED
    assert (world.attempts, world.code) == ([], 75)


def test_an_interruption_that_nobody_can_be_told_is_one_all_the_same(world: World) -> None:
    place = Place(world)
    world.ends, world.now_unreachable = [End(INTERRUPTED)], place
    assert place.run().state == INTERRUPTED
    assert any("how far the run has come is not stored: no answer" in x for x in world.lines)


def test_a_checkpoint_that_was_not_stored_is_stored_when_it_is_handed_over(world: World) -> None:
    place = Place(world)
    world.checkpoints, world.lose_checkpoints = [b"3"], True
    world.ends = [End(INTERRUPTED)]
    place.run()
    assert world.objects[CHECKPOINT] == b"3"


def test_an_end_that_nobody_can_be_told_is_in_the_log(world: World) -> None:
    place = Place(world)
    world.now_unreachable = place
    place.run()
    assert any("how the run has ended is only in this log: no answer" in x for x in world.lines)
    assert world.told["state"] == "SUCCEEDED"


@pytest.mark.parametrize("claimed", [True, False])
def test_the_payload_of_a_run_that_the_next_place_has_is_left_to_it(
    world: World, claimed: bool
) -> None:
    place = Place(world)
    world.now_unreachable, place.claimed = place, claimed
    world.objects["k"] = b"[1]"
    place.run(DEVBRIDGE_PAYLOAD_KEY="k")
    assert ("k" in world.objects) == claimed


def test_a_run_that_has_ended_before_is_left_alone(world: World) -> None:
    place = Place(world)
    place.before = Told("SUCCEEDED", 2, result="1")
    place.run(DEVBRIDGE_PAYLOAD_KEY="k")
    assert (world.attempts, place.told, world.code) == ([], [], 0)
    assert world.lines[-1].endswith("nothing is left to do: it was SUCCEEDED before")


# --- places whose time is over ------------------------------------------------------------------


@pytest.mark.parametrize(("checkpoint", "progress"), [(b"4", True), (b"3", False)])
def test_it_is_told_whether_a_run_has_come_further(
    world: World, checkpoint: bytes, progress: bool
) -> None:
    place = Place(world, interruptible=False)
    world.objects[CHECKPOINT], world.checkpoints = b"3", [checkpoint]
    world.ends = [End(INTERRUPTED, took=1.0)]
    place.run()
    ((told, came_further),) = place.handed
    assert came_further is progress
    assert (told.interruptions, told.spent) == (0, 1.0)


def test_attempts_that_began_in_between_need_not_have_come_further(world: World) -> None:
    place = Place(world, interruptible=False)
    world.ends = [End(FAILED, failure=FAILURE, took=1.0), End(INTERRUPTED, took=1.0)]
    place.run(DEVBRIDGE_ATTEMPTS="2")
    ((told, came_further),) = place.handed
    assert (came_further, told.attempt, told.spent) == (None, 2, 1.0)


def test_a_run_that_must_not_go_on_ends_as_its_place_says(world: World) -> None:
    place = Place(world, interruptible=False)
    place.refuses = End(FAILED, failure=Failure("NoProgress", "no"), final=True)
    world.ends = [End(INTERRUPTED, took=1.0)]
    assert place.run().state == FAILED
    assert (world.told["error"]["type"], world.code) == ("NoProgress", 1)


def test_a_run_that_cannot_be_handed_over_has_failed(world: World) -> None:
    place = Place(world, interruptible=False)
    world.ends, world.now_unreachable = [End(INTERRUPTED, took=1.0)], place
    end = place.run()
    assert end.failure == Failure("AwsError", "no answer")


def test_an_attempt_that_has_no_room_here_is_handed_over(world: World) -> None:
    place = Place(world, interruptible=False)
    place.here = False
    world.ends = [End(FAILED, failure=FAILURE, took=1.0)]
    assert place.run(DEVBRIDGE_ATTEMPTS="2", DEVBRIDGE_RETRY_DELAY="7").state == INTERRUPTED
    ((told, came_further),) = place.handed
    assert (told.attempt, told.not_before, told.spent) == (2, world.now + 7, 0.0)
    assert came_further is None


def test_who_comes_before_the_time_of_the_next_attempt_waits(world: World) -> None:
    place = Place(world)
    place.before = Told("RUNNING", 2, 5.0, handed=True, not_before=world.now + 5)
    place.run(DEVBRIDGE_ATTEMPTS="2")
    assert world.pauses == [5.0]
    assert len(world.attempts) == 1


def test_an_attempt_that_the_place_cuts_says_so(world: World) -> None:
    place = Place(world, interruptible=False)
    place.cut, world.ends = True, [End(TIMED_OUT, took=1.0)]
    end = place.run()
    assert end.failure is not None
    assert (end.state, end.failure.type) == (TIMED_OUT, "OutOfTime")


def test_a_cancellation_that_is_no_signal_says_so(world: World) -> None:
    place = Place(world, interruptible=False)
    place.cancelled, world.ends = True, [End(CANCELLED)]
    place.run()
    assert world.told["error"] == {"type": "Cancelled", "message": "the run was cancelled"}


# --- secrets ------------------------------------------------------------------------------------


def test_secrets_are_variables_of_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "call", lambda *_, **__: {"Parameter": {"Value": "hunter2"}})
    world.run(DEVBRIDGE_SECRETS='{"KEY": "/key"}', KEY="another")
    environment = world.attempts[0][1]["environment"]
    assert environment["KEY"] == "hunter2"
    assert "DEVBRIDGE_SECRETS" not in environment


def test_a_secret_that_is_missing_is_a_failure_before_the_first_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: str, **__: object) -> None:
        raise AwsError("not you")

    monkeypatch.setattr(aws, "call", call)
    end, _ = world.run(DEVBRIDGE_SECRETS='{"KEY": "/key"}')
    assert (end.state, world.attempts) == (FAILED, [])
    assert "KEY: the parameter /key cannot be read: not you" in world.exports["DEVBRIDGE_ERROR"]


# --- the process --------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "code"), [(End(SUCCEEDED, b"null"), 0), (End(FAILED), 1)])
def test_the_exit_code_says_whether_it_succeeded_and_nobody_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch, end: End, code: int
) -> None:
    done: list[str] = []
    monkeypatch.setattr(host_main, "Inbox", lambda: world.inbox)
    monkeypatch.setattr(host_main, "Output", lambda: world.output)
    monkeypatch.setattr(world.inbox, "listen", lambda: done.append("listens"))
    for name in ("adopt_orphans", "kill_children"):
        monkeypatch.setattr(process, name, lambda name=name: done.append(name))
    monkeypatch.setattr(sys, "platform", "linux")
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    world.ends = [end]
    assert host_main.main() == code
    assert done == ["listens", "adopt_orphans", "kill_children"]
    assert (world.root / EXPORTS).exists()


@pytest.mark.parametrize("module", ["host.main", "worker", "command", "zygote"])
def test_the_runner_imports_nothing_but_the_standard_library(module: str) -> None:
    assert imported(module) - sys.stdlib_module_names - {"__main__"} == {"runner"}


def test_a_worker_imports_nothing_that_only_a_build_needs() -> None:
    heavy = {"http", "urllib", "ssl", "dataclasses", "inspect", "subprocess", "threading", "email"}
    assert not imported("worker") & heavy
    assert not {"runner.host", "runner.aws"} & imported("worker", whole=True)


def imported(module: str, *, whole: bool = False) -> set[str]:
    """The modules that an interpreter has which imported one of the runner."""
    root = Path(__file__).parents[4]
    code = f"import sys; sys.path.append({str(root)!r})\nimport runner.{module}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{code}print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.split()
    return set(names) if whole else {name.partition(".")[0] for name in names}
