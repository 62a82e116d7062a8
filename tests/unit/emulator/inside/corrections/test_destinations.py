from __future__ import annotations

import pytest

from devbridge.emulator.inside.corrections.destinations import action_on, record

QUEUE = "arn:aws:sqs:us-east-1:000000000000:dead"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:told"


def test_what_was_never_invoked_has_no_response() -> None:
    told = record(FUNCTION, "id", [1], "EventAgeExceeded", count=0, result=None, now=0.0015)
    assert told == {
        "version": "1.0",
        "timestamp": "1970-01-01T00:00:00.001Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": FUNCTION,
            "condition": "EventAgeExceeded",
            "approximateInvokeCount": 0,
        },
        "requestPayload": [1],
    }


@pytest.mark.parametrize(
    ("destination", "action"),
    [
        (FUNCTION, "lambda:InvokeFunction"),
        (QUEUE, "sqs:SendMessage"),
        ("arn:aws:sns:us-east-1:000000000000:topic", "sns:Publish"),
        ("arn:aws:events:us-east-1:000000000000:event-bus/default", "events:PutEvents"),
        ("arn:aws:s3:::bucket", ""),
        ("", ""),
    ],
)
def test_a_destination_needs_a_permission_of_the_functions_role(
    destination: str, action: str
) -> None:
    assert action_on(destination) == action
