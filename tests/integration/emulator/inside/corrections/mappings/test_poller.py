"""Mappings of queues on the embedded cloud: when a function gets messages, which, and how often."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import NOTES, Stack, allow, arn, role, wait_for

MAPPING: Final = "AWS::Lambda::EventSourceMapping"
READS: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
CODE: Final = f"""{NOTES}
    import time
    event["at"] = time.time()
    bodies = [each["body"] for each in event["Records"]]
    if any(each.startswith("boom") for each in bodies):
        raise ValueError("boom")
    if any(each == "slow" for each in bodies):
        time.sleep(1.5)
    failed = [e["messageId"] for e in event["Records"] if e["body"].startswith("bad")]
    return {{"batchItemFailures": [{{"itemIdentifier": each}} for each in failed]}}
"""


def queue(visibility: int = 20, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": visibility, **more}}


def mapping(source: str, **more: Any) -> dict[str, Any]:
    given = {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn(source)}
    return {"Type": MAPPING, "Properties": {**given, **more}}


def resources(made: Stack, **more: Any) -> dict[str, Any]:
    return {
        "Role": role(allow(*READS)),
        "Function": made.noting(CODE, Timeout=10),
        **{name: queue() for name in ("Plain", "Windowed", "Idle")},
        "Filtered": queue(10),
        "Again": queue(10),
        "Groups": queue(10, FifoQueue=True, ContentBasedDeduplication=True),
        "Busy": queue(3),
        "Limited": made.noting(CODE, Timeout=3, ReservedConcurrentExecutions=1),
        "OfBusy": mapping("Busy", FunctionName={"Ref": "Limited"}),
        "OfPlain": mapping("Plain"),
        "OfAgain": mapping("Again", FunctionResponseTypes=["ReportBatchItemFailures"]),
        "OfWindowed": mapping("Windowed", BatchSize=40, MaximumBatchingWindowInSeconds=2),
        "OfFiltered": mapping(
            "Filtered", FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]}
        ),
        "OfGroups": mapping("Groups", BatchSize=1),
        "OfIdle": mapping("Idle", Enabled="false"),
        **more,
    }


@pytest.fixture(scope="module")
def stack(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "queues", tmp_path_factory.mktemp("notes"))
    assert made.deploy(resources(made)) == ("CREATE_COMPLETE", "")
    yield made
    made.delete()
    assert made.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []


def send(stack: Stack, title: str, *bodies: str, **more: Any) -> None:
    sqs, url = stack.client("sqs"), stack.resource(title)
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body, **more)


def bodies(event: Any) -> list[str]:
    return [each["body"] for each in event["Records"]]


def has(*wanted: str) -> Any:
    return lambda event: any(body in bodies(event) for body in wanted)


def left(stack: Stack, title: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = stack.resource(title)
    found = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(each) for each in found["Attributes"].values())


def gone(stack: Stack, title: str) -> bool | None:
    return left(stack, title) == 0 or None


def test_a_message_starts_the_function_at_once_and_is_deleted(stack: Stack) -> None:
    send(stack, "Plain", "warm")
    stack.told(has("warm"))
    time.sleep(0.2)  # idle
    since = time.time()
    send(stack, "Plain", "now")
    stack.told(has("now"))
    assert time.time() - since < 1
    assert wait_for(lambda: gone(stack, "Plain"))


def test_a_batch_may_have_more_than_ten_and_is_waited_for(stack: Stack) -> None:
    sent = [f"many{number}" for number in range(25)]
    send(stack, "Windowed", *sent)
    (event,) = stack.told(lambda event: bodies(event)[0].startswith("many"))
    assert sorted(bodies(event)) == sorted(sent)


def test_only_what_failed_comes_again_after_its_visibility(stack: Stack) -> None:
    for body in ("bad", "good1", "good2"):
        send(stack, "Again", body)
    stack.told(has("bad"))
    assert wait_for(lambda: left(stack, "Again") == 1 or None)
    found = wait_for(lambda: stack._told(has("bad"), 2), 15)
    counts = [
        each["attributes"]["ApproximateReceiveCount"]
        for event in found
        for each in event["Records"]
        if each["body"] == "bad"
    ]
    assert sorted(counts)[:2] == ["1", "2"]
    stack.client("sqs").purge_queue(QueueUrl=stack.resource("Again"))


def test_what_a_filter_holds_back_is_deleted_though_the_others_fail(stack: Stack) -> None:
    send(stack, "Filtered", json.dumps({"kind": "b"}), json.dumps({"kind": "a"}))
    stack.told(has(json.dumps({"kind": "a"})))
    assert wait_for(lambda: gone(stack, "Filtered"))
    assert stack.told(has(json.dumps({"kind": "b"})), 0) == []


def test_a_group_keeps_its_order_and_others_go_on_meanwhile(stack: Stack) -> None:
    send(stack, "Groups", "slow", "a2", MessageGroupId="a")
    send(stack, "Groups", "b1", MessageGroupId="b")
    events = stack.told(has("slow", "a2", "b1"), 3)
    at = {bodies(event)[0]: event["Records"][0]["attributes"] for event in events}
    received = {name: int(each["ApproximateFirstReceiveTimestamp"]) for name, each in at.items()}
    assert received["b1"] < received["a2"]
    assert received["a2"] - received["slow"] > 1400


def test_a_mapping_that_is_disabled_reads_nothing_until_it_is_enabled(stack: Stack) -> None:
    functions, mapping_id = stack.client("lambda"), stack.resource("OfIdle")
    assert functions.get_event_source_mapping(UUID=mapping_id)["State"] == "Disabled"
    send(stack, "Idle", "idle")
    answer = functions.update_event_source_mapping(UUID=mapping_id, Enabled=True)
    assert answer["State"] == "Enabling"
    (event,) = stack.told(has("idle"))
    assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1"
    answer = functions.update_event_source_mapping(UUID=mapping_id, Enabled=False)
    assert answer["State"] == "Disabling"
    send(stack, "Idle", "later")
    send(stack, "Plain", "after")
    stack.told(has("after"))
    assert stack.told(has("later"), 0) == []


def test_an_update_changes_what_changed_and_enables_nothing(stack: Stack) -> None:
    functions, mapping_id = stack.client("lambda"), stack.resource("OfPlain")
    functions.update_event_source_mapping(UUID=mapping_id, Enabled=False)
    filters = {"Filters": [{"Pattern": '{"body": ["chosen"]}'}]}
    changed = mapping(
        "Plain",
        BatchSize=3,
        FilterCriteria=filters,
        ScalingConfig={"MaximumConcurrency": 2},
    )
    new = resources(stack, OfPlain=changed)
    del new["OfIdle"]
    stopped = stack.resource("OfIdle")
    assert stack.deploy(new, update=True) == ("UPDATE_COMPLETE", "")
    found = functions.get_event_source_mapping(UUID=mapping_id)
    assert (found["State"], found["BatchSize"]) == ("Disabled", 3)
    assert found["FilterCriteria"] == filters
    assert found["ScalingConfig"] == {"MaximumConcurrency": 2}
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert stopped not in [each["UUID"] for each in mappings]
    send(stack, "Idle", "unread")
    functions.update_event_source_mapping(UUID=mapping_id, Enabled=True)
    send(stack, "Plain", "chosen")
    stack.told(has("chosen"))
    assert stack.told(has("unread"), 0) == []


def test_what_the_limit_of_a_function_keeps_back_is_not_lost(stack: Stack) -> None:
    functions, name = stack.client("lambda"), stack.resource("Function")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    sent = [f"limited{number}" for number in range(5)]
    send(stack, "Filtered", *[json.dumps({"kind": "a", "n": each}) for each in sent])
    wait_for(lambda: gone(stack, "Filtered"), 60)  # what is kept back comes after its visibility
    functions.delete_function_concurrency(FunctionName=name)
    events = stack.told(lambda event: "limited" in bodies(event)[0])
    assert sum(len(bodies(event)) for event in events) == 5


def test_a_message_for_a_function_at_its_limit_comes_again_after_its_visibility(
    stack: Stack,
) -> None:
    functions, name = stack.client("lambda"), stack.resource("Limited")
    event = {"Records": [{"body": "slow", "messageId": "direct"}]}
    payload = json.dumps(event)
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
    stack.told(lambda event: event["Records"][0]["messageId"] == "direct")
    send(stack, "Busy", "after the limit")
    (event,) = stack.told(has("after the limit"))
    assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"
    assert wait_for(lambda: gone(stack, "Busy"))
