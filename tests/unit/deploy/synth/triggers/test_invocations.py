"""Events that nobody waits for the answer of."""

from __future__ import annotations

from devbridge.constructs import OnEvent, OnQueue
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import of_type, properties


def test_they_are_tried_again_as_the_function_says_and_then_are_dead_letters(
    calling: Triggered,
) -> None:
    found = calling(
        lambda _: [OnEvent({"source": ["shop"]}, name="sold")],
        lambda _: {"retries": 1, "max_age": "1 hour"},
    )
    dead = {"Fn::GetAtt": ["SeeFunctionDeadLetters", "Arn"]}
    assert properties(found, "SeeFunctionTried") == {
        "FunctionName": {"Ref": "SeeFunction"},
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 1,
        "MaximumEventAgeInSeconds": 3600,
        "DestinationConfig": {"OnFailure": {"Destination": dead}},
    }


def test_what_a_queue_keeps_is_not_lambdas(calling: Triggered) -> None:
    found = calling(lambda to: [OnQueue(to.queue)])
    assert not of_type(found, "AWS::Lambda::EventInvokeConfig")
