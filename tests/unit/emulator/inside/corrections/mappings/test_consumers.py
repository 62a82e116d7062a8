from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.mappings import consumers
from tests.unit.emulator.inside.conftest import MakeModule

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


@pytest.fixture
def handlers(ministack: MakeModule) -> Any:
    """CloudFormation's for consumers, of a stream that has one of the name taken."""
    kept: dict[str, Any] = {}

    def register(asked: Any) -> Any:
        if asked["ConsumerName"] == "taken":
            return 400, {}, json.dumps({"__type": "ResourceInUseException", "message": "no"})
        arn = f"{STREAM}/consumer/{asked['ConsumerName']}:1"
        kept[arn] = {"ConsumerARN": arn, "ConsumerName": asked["ConsumerName"]}
        return 200, {}, json.dumps({"Consumer": kept[arn]})

    ministack(
        "services.kinesis",
        _register_consumer=register,
        _deregister_consumer=lambda asked: kept.pop(asked["ConsumerARN"]),
        _consumers=kept,
    )
    provisioners = SimpleNamespace(_RESOURCE_HANDLERS={})
    consumers.keep(provisioners)
    return provisioners._RESOURCE_HANDLERS["AWS::Kinesis::StreamConsumer"], kept


def test_a_consumer_is_known_by_its_arn_and_replaced_when_its_name_changes(handlers: Any) -> None:
    handle, kept = handlers
    asked = {"ConsumerName": "a", "StreamARN": STREAM}
    arn, attributes = handle["create"]("C", asked, "stack")
    assert (arn, attributes["StreamARN"]) == (f"{STREAM}/consumer/a:1", STREAM)
    assert handle["update"](arn, asked, {**asked, "Tags": []}, "stack")[0] == arn
    other = handle["update"](arn, asked, {**asked, "ConsumerName": "b"}, "stack")[0]
    assert kept.keys() == {other}
    handle["delete"](other, asked)
    assert kept == {}


def test_a_name_that_is_taken_is_refused(handlers: Any) -> None:
    with pytest.raises(ValueError, match="ResourceInUseException"):
        handlers[0]["create"]("C", {"ConsumerName": "taken", "StreamARN": STREAM}, "stack")
