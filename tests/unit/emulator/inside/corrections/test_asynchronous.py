from __future__ import annotations

import pytest

from devbridge.emulator.inside.corrections.asynchronous import Rules, rules

QUEUE = "arn:aws:sqs:us-east-1:000000000000:dead"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:told"
CONFIG = {
    "MaximumRetryAttempts": 0,
    "MaximumEventAgeInSeconds": 60,
    "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": FUNCTION}},
}
OWN = Rules(0, 60.0, "", FUNCTION)


def test_without_a_configuration_an_event_comes_twice_more_within_six_hours() -> None:
    assert rules({"config": {}}, "") == Rules(2, 21600.0, "", "", "")
    letters = {"config": {"DeadLetterConfig": {"TargetArn": QUEUE}}}
    assert rules(letters, "").dead_letters == QUEUE


@pytest.mark.parametrize(
    ("function", "qualifier", "found"),
    [
        ({"event_invoke_configs": {"$LATEST": CONFIG}}, "", OWN),
        ({"event_invoke_configs": {"": CONFIG}}, "$LATEST", OWN),
        ({"event_invoke_config": CONFIG}, "", OWN),
        ({"event_invoke_configs": {"live": CONFIG}}, "live", OWN),
        ({"event_invoke_configs": {"live": CONFIG}}, "", Rules()),
        ({"event_invoke_configs": {"$LATEST": CONFIG}}, "live", Rules()),
    ],
)
def test_each_qualifier_has_its_own(
    function: dict[str, object], qualifier: str, found: Rules
) -> None:
    assert rules(function, qualifier) == found
