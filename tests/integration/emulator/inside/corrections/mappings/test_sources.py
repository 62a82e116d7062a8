"""Where a mapping goes on in its stream when the embedded cloud was stopped meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from devbridge.config import Config
from devbridge.emulator.embedded import EmbeddedCloud, open_cloud
from tests.integration.emulator.inside.corrections.mappings.test_streams import (
    mapping,
    put,
    stream,
    texts,
)
from tests.integration.emulator.inside.stacks import NOTES, Stack, allow, arn, role, wait_for


def resources(made: Stack) -> dict[str, Any]:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
    of_queue = {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn("Queue")}
    return {
        "Role": role(allow("kinesis:*", "sqs:*")),
        "Function": made.noting(NOTES),
        "Stream": stream(2),
        "Queue": queue,
        "Dead": queue,
        "OfStream": mapping(arn("Stream"), StartingPosition="TRIM_HORIZON"),
        "OfQueue": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {**of_queue, "Enabled": False},
        },
    }


def test_no_record_comes_twice_and_none_is_left_out_after_a_restart(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()

    def started() -> tuple[EmbeddedCloud, Stack]:
        cloud = open_cloud(make_config(), lambda _line: None)
        return cloud, Stack(cloud.running.endpoint_url, "kept", notes)

    def records(made: Stack) -> list[str]:
        events = made.told(lambda event: "kinesis" in event["Records"][0], 0)
        return sorted(text for event in events for text in texts(event))

    cloud, made = started()
    try:
        assert made.deploy(resources(made)) == ("CREATE_COMPLETE", "")
        put(made, "Stream", "a-1", "b-1", "c-1")
        wait_for(lambda: len(records(made)) == 3 or None)
        url = made.resource("Queue")
        made.client("sqs").send_message(QueueUrl=url, MessageBody="waits")
        assert cloud.stop()
        cloud, made = started()
        put(made, "Stream", "a-2")
        wait_for(lambda: "a-2" in records(made) or None)
        functions, mapping_id = made.client("lambda"), made.resource("OfQueue")
        assert functions.get_event_source_mapping(UUID=mapping_id)["State"] == "Disabled"
        functions.update_event_source_mapping(UUID=mapping_id, Enabled=True)
        made.told(lambda event: event["Records"][0].get("body") == "waits")
        assert records(made) == ["a-1", "a-2", "b-1", "c-1"]
    finally:
        cloud.stop()
