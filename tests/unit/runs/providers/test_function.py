from __future__ import annotations

from typing import Any

import pytest

from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked, Ended, Look
from devbridge.runs.providers.function import Function, ended
from runner.outcome import Failure
from tests.unit.aws import FakeLambda

UUID = "0b1c2d3e-0000-4000-8000-000000000001"


def door(fake: FakeLambda) -> Function:
    return Function({"lambda": fake.client}.__getitem__, {"function": "demo_prod_x-job"})


@pytest.mark.parametrize(
    ("given", "payload"),
    [
        ({"DEVBRIDGE_PAYLOAD": "1"}, {"payload": "1"}),
        ({"DEVBRIDGE_PAYLOAD_KEY": "payloads/x"}, {"payloadKey": "payloads/x"}),
    ],
)
def test_an_event_is_sent_to_the_function(given: dict[str, str], payload: Any) -> None:
    fake = FakeLambda()
    assert door(fake).start(Asked(f"p:{UUID}", UUID, given))
    assert fake.events == [
        {"function": "demo_prod_x-job", "devbridge": 1, "run": f"p:{UUID}", "hop": 0, **payload}
    ]


def test_nothing_stops_an_invocation_and_nothing_is_seen_of_it() -> None:
    fake = FakeLambda()
    door(fake).stop("request")
    look = door(fake).look(["request"])["request"]
    assert (look.state, look.silence) == (State.QUEUED, 6 * 3600 + 900)
    assert fake.calls == []


def record(condition: str, answer: Any = None, error: str | None = None) -> dict[str, Any]:
    more = {"responseContext": {"statusCode": 200, "functionError": error}} if error else {}
    return {
        "version": "1.0",
        "requestContext": {"requestId": "r", "condition": condition},
        "requestPayload": {"devbridge": 1, "run": f"p:{UUID}", "hop": 2},
        "responsePayload": answer,
        **more,
    }


def crashed(kind: str, message: str) -> Look:
    return Look(state=State.CRASHED, failure=Failure(kind, message))


@pytest.mark.parametrize(
    ("event", "look"),
    [
        (record("Success", {}), Look(state=State.RUNNING)),
        (
            record("RetriesExhausted", {"errorType": "E", "errorMessage": "no"}, "Unhandled"),
            crashed("E", "no"),
        ),
        (
            record("RetriesExhausted", {"errorMessage": "x Task timed out after 900.00 s"}, "U"),
            Look(state=State.TIMED_OUT),
        ),
        (
            record(
                "RetriesExhausted",
                {
                    "errorType": "Runtime.ExitError",
                    "errorMessage": "RequestId: r Error: Runtime exited with error: signal: killed",
                },
                "Unhandled",
            ),
            crashed(
                "Killed",
                "the function was ended by SIGKILL (Lambda does that when memory runs out: its"
                " REPORT in `devbridge logs --all` says how much was used)",
            ),
        ),
        (
            record("EventAgeExceeded"),
            crashed("FunctionFailed", "Lambda had no room for it in six hours"),
        ),
        (
            record("RetriesExhausted", None, "U"),
            crashed("FunctionFailed", "the function has failed"),
        ),
    ],
)
def test_a_record_of_an_invocation_tells_how_it_has_ended(
    event: dict[str, Any], look: Look
) -> None:
    assert ended(event) == Ended(UUID, "", look, 2)


def test_who_names_no_hop_tells_of_none() -> None:
    event = {**record("Success"), "requestPayload": {"run": f"p:{UUID}"}}
    assert ended(event) == Ended(UUID, "", Look(state=State.RUNNING))


@pytest.mark.parametrize(
    "event", [{}, {"requestPayload": None}, {"requestPayload": {"run": 5}}, {"source": "aws.ecs"}]
)
def test_what_is_no_end_of_a_run_is_nothing(event: dict[str, Any]) -> None:
    assert ended(event) is None
