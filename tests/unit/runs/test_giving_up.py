"""The messages of deployed runs whose end nobody else has told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from devbridge.runs.base import RunRecord
from devbridge.runs.deciding import Decided, Known
from devbridge.runs.giving_up import giver, keep
from devbridge.runs.model import State
from devbridge.runs.providers.base import Look
from devbridge.runs.records import End, Told
from runner.claims import Claim
from runner.outcome import Failure
from runner.triggered import Triggered

DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
MESSAGE = Triggered("queue", "q", b"1", b'{"messageId":"m","body":"1"}', DEAD, "arn:q").text()


class Sqs:
    """Stands for SQS."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def get_queue_url(self, **asked: str) -> dict[str, str]:
        return {"QueueUrl": f"https://{asked['QueueOwnerAWSAccountId']}/{asked['QueueName']}"}

    def send_message(self, **given: Any) -> None:
        self.sent.append(given)


class Kept:
    """Stands for S3, where a payload is."""

    def read(self, key: str) -> bytes | None:
        return MESSAGE if key == "there" else None


def known(**more: Any) -> Known:
    claim = Claim(1.0, 1, "fargate", payload=MESSAGE.decode())
    return replace(Known("demo_dev_a:r", "a", claim), **more)


def ended(state: State = State.CRASHED) -> Decided:
    return Decided(
        RunRecord(job_id="demo_dev_a:r", job="a", state=state, failure=Failure("E", "w"))
    )


def sent(known: Known, decided: Decided) -> list[dict[str, Any]]:
    sqs, kept = Sqs(), Kept()
    giver(kept, lambda: sqs)(known, decided)  # type: ignore[arg-type]
    return sqs.sent


def test_the_message_of_a_run_that_has_died_is_sent() -> None:
    (message,) = sent(known(), ended())
    assert (message["QueueUrl"], message["MessageBody"]) == ("https://123456789012/dead", "1")
    at = replace(known().claim, payload=None, payload_at="there")
    assert sent(known(claim=at), ended())


@pytest.mark.parametrize(
    "told",
    [
        {"told": Told(state=State.FAILED)},
        {"end": End(State.CANCELLED, 1.0)},
        {"look": Look(state=State.FAILED, told=True)},
        {"claim": Claim(1.0, 1, "fargate", payload="1")},
        {"claim": Claim(1.0, 1, "fargate", payload_at="gone")},
    ],
)
def test_what_somebody_else_has_sent_or_what_was_no_message_is_not(told: dict[str, Any]) -> None:
    assert sent(known(**told), ended()) == []


def test_a_containers_command_tells_nobody() -> None:
    assert sent(known(container=True, look=Look(state=State.FAILED, told=True)), ended())


def test_a_run_that_has_succeeded_is_not_given_up() -> None:
    assert sent(known(), ended(State.SUCCEEDED)) == []
    keep(known(), ended())
