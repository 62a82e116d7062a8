from __future__ import annotations

import json

import pytest

from devbridge.runs.model import State
from devbridge.runs.records import End, Told, told
from runner.claims import Claim, Place
from runner.outcome import Failure
from runner.triggered import Triggered

FAILURE = Failure("KeyError", "'ü'", frames=("a",))


@pytest.mark.parametrize(
    "claim",
    [
        Claim(1.5, 3, "batch", payload="null"),
        Claim(1.5, 1, "codebuild", payload_at="payloads/x"),
        Claim(1.5, 1, "lambda"),
    ],
)
def test_a_claim_is_read_as_it_was_written(claim: Claim) -> None:
    assert Claim.of(claim.body()) == claim
    assert json.loads(claim.body())["restarts"] == 0


@pytest.mark.parametrize(
    "place", [Place("id", "batch", 2.5), Place("id", "fargate", 2.5, 2, ("a", "b"))]
)
def test_a_place_is_read_as_it_was_written(place: Place) -> None:
    assert Place.of(place.body()) == place


@pytest.mark.parametrize(
    "end",
    [
        End(State.CANCELLED, 3.5),
        End(State.CRASHED, 3.5, FAILURE, 1.0, (("g", "s"), ("", "t")), 4.0),
    ],
)
def test_an_end_is_read_as_it_was_written(end: End) -> None:
    assert End.of(end.body(), end.written_at) == end


def test_what_a_runner_tells_is_read() -> None:
    told = {
        "state": "FAILED",
        "attempt": 2,
        "startedAt": 1.0,
        "endedAt": 2.0,
        "error": {"type": "KeyError", "message": "'ü'", "frames": ["a"]},
        "logs": [["g", "s"]],
        "interruptions": 1,
        "hop": 3,
    }
    assert Told.of(json.dumps(told).encode(), 9.0) == Told(
        state=State.FAILED,
        attempt=2,
        started_at=1.0,
        ended_at=2.0,
        failure=FAILURE,
        logs=(("g", "s"),),
        interruptions=1,
        hop=3,
        written_at=9.0,
    )


@pytest.mark.parametrize("text", ['"ü"', "1e400", "[0.10]", '"half \\ud800"'])
def test_a_result_is_the_text_that_it_was(text: str) -> None:
    body = json.dumps({"state": "SUCCEEDED", "result": text}).encode()
    assert Told.of(body).result == text.encode("utf-8", "surrogatepass")
    elsewhere = json.dumps({"state": "SUCCEEDED", "resultAt": "results/x"}).encode()
    assert (Told.of(elsewhere).result, Told.of(elsewhere).result_at) == (None, "results/x")


def test_an_attempt_that_was_interrupted_is_no_end_of_the_run() -> None:
    told = Told.of(b'{"state": "INTERRUPTED", "interruptions": 2}')
    assert (told.state, told.interruptions) == (State.RUNNING, 2)


def test_a_containers_command_is_told_the_payload_and_the_event_of_a_trigger() -> None:
    whole = Triggered("queue", "q", b'{"num":5}', b'{"messageId":"m"}').text().decode()
    claim = Claim(1.0, 1, "fargate", payload=whole)
    assert told(claim, container=False) == {"DEVBRIDGE_PAYLOAD": whole}
    assert told(claim, container=True) == {
        "DEVBRIDGE_PAYLOAD": '{"num":5}',
        "DEVBRIDGE_EVENT": '{"messageId":"m"}',
    }
    assert told(Claim(1.0, 1, "batch"), container=True) == {"DEVBRIDGE_PAYLOAD": "null"}
    assert told(Claim(1.0, 1, "batch", payload_at="k"), container=False) == {
        "DEVBRIDGE_PAYLOAD_KEY": "k"
    }
