"""Mappings of streams on the embedded cloud: order, retries, and what becomes of bad records."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import NOTES, Stack, allow, arn, role, wait_for

MAPPING: Final = "AWS::Lambda::EventSourceMapping"
REPORTS: Final = ["ReportBatchItemFailures"]
CODE: Final = f"""{NOTES}
    import base64
    def data(each):
        if "kinesis" in each:
            return base64.b64decode(each["kinesis"]["data"]).decode()
        return each["dynamodb"]["Keys"]["pk"]["S"]
    for each in event["Records"]:
        if data(each).startswith("boom"):
            raise ValueError("boom")
        if data(each).startswith("bad"):
            record = each.get("kinesis") or each["dynamodb"]
            number = record.get("sequenceNumber") or record["SequenceNumber"]
            return {{"batchItemFailures": [{{"itemIdentifier": number}}]}}
"""


def mapping(source: Any, **more: Any) -> dict[str, Any]:
    given = {
        "FunctionName": {"Ref": "Function"},
        "EventSourceArn": source,
        "StartingPosition": "LATEST",
        "DestinationConfig": {"OnFailure": {"Destination": arn("Dead")}},
    }
    return {"Type": MAPPING, "Properties": {**given, **more}}


def stream(shards: int = 1) -> dict[str, Any]:
    return {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": shards}}


def resources(made: Stack) -> dict[str, Any]:
    table = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    consumer = {"ConsumerName": "fast", "StreamARN": arn("Fanned")}
    return {
        "Role": role(allow("kinesis:*", "dynamodb:*", "sqs:SendMessage")),
        "Function": made.noting(CODE),
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Stream": stream(),
        "Shards": stream(4),
        "Windowed": stream(),
        "Fanned": stream(),
        "Consumer": {"Type": "AWS::Kinesis::StreamConsumer", "Properties": consumer},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "OfStream": mapping(
            arn("Stream"), MaximumRetryAttempts=1, BisectBatchOnFunctionError="true"
        ),
        "OfShards": mapping(arn("Shards"), MaximumRetryAttempts=3, BatchSize=1),
        "OfWindowed": mapping(arn("Windowed"), MaximumBatchingWindowInSeconds=2, BatchSize=50),
        "OfConsumer": mapping({"Ref": "Consumer"}, StartingPosition="TRIM_HORIZON"),
        "OfTable": mapping(
            {"Fn::GetAtt": ["Table", "StreamArn"]},
            MaximumRetryAttempts=1,
            FunctionResponseTypes=REPORTS,
            FilterCriteria={"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        ),
    }


@pytest.fixture(scope="module")
def stack(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "streams", tmp_path_factory.mktemp("notes"))
    assert made.deploy(resources(made)) == ("CREATE_COMPLETE", "")
    yield made
    made.delete()


def put(stack: Stack, title: str, *texts: str) -> None:
    records = [{"Data": each.encode(), "PartitionKey": each.partition("-")[0]} for each in texts]
    stack.client("kinesis").put_records(StreamName=stack.resource(title), Records=records)


def texts(event: Any) -> list[str]:
    return [
        base64.b64decode(each["kinesis"]["data"]).decode()
        if "kinesis" in each
        else each["dynamodb"]["Keys"]["pk"]["S"]
        for each in event["Records"]
    ]


def having(*wanted: str) -> Any:
    return lambda event: not set(wanted).isdisjoint(texts(event))


def dead(stack: Stack, kind: str) -> dict[str, Any]:
    """What the destination is told next of a stream of that kind."""
    sqs, url = stack.client("sqs"), stack.resource("Dead")

    def receive() -> dict[str, Any] | None:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return dict(json.loads(message["Body"]))
        return None

    found = wait_for(receive)
    assert kind in found
    return found


def test_a_bad_record_is_found_by_halves_and_given_up_and_the_others_get_through(
    stack: Stack,
) -> None:
    put(stack, "Stream", "s-1", "s-2", "boom-3", "s-4")
    stack.told(lambda event: texts(event) == ["s-4"])
    assert len(stack.told(lambda event: texts(event) == ["boom-3"], 2)) == 2
    found = dead(stack, "KinesisBatchInfo")
    context, info = found["requestContext"], found["KinesisBatchInfo"]
    assert (context["condition"], context["approximateInvokeCount"]) == (
        "RetryAttemptsExhausted",
        2,
    )
    assert (info["batchSize"], info["shardId"]) == (1, "shardId-000000000000")
    assert info["streamArn"].endswith(stack.resource("Stream"))


def test_a_shard_that_fails_keeps_its_order_and_holds_up_no_other(stack: Stack) -> None:
    keys = ["a", "b", "c", "d", "e", "f", "g", "h"]  # of all four shards
    put(stack, "Shards", "boom-0", *[f"{key}-{number}" for number in (1, 2) for key in keys])
    events = wait_for(lambda: stack._told(having(*[f"{key}-2" for key in keys]), 8))
    assert len(events) == 8
    by_shard: dict[str, list[int]] = {}
    for event in stack.told(having(*[f"{key}-{n}" for key in keys for n in (1, 2)]), 16):
        (record,) = event["Records"]
        by_shard.setdefault(record["eventID"].partition(":")[0], []).append(
            int(record["kinesis"]["sequenceNumber"])
        )
    assert len(by_shard) > 1
    assert len(stack.told(having("boom-0"), 4)) == 4
    assert dead(stack, "KinesisBatchInfo")["requestContext"]["approximateInvokeCount"] == 4


def test_records_wait_for_others_as_long_as_the_window(stack: Stack) -> None:
    put(stack, "Windowed", "w-1")
    put(stack, "Windowed", "w-2")
    (event,) = stack.told(having("w-1"))
    assert texts(event) == ["w-1", "w-2"]


def test_a_consumer_is_made_by_a_template_and_its_mapping_reads(stack: Stack) -> None:
    put(stack, "Fanned", "fanned")
    (event,) = stack.told(having("fanned"))
    assert "/consumer/fast:" in event["Records"][0]["eventSourceARN"]
    found = stack.client("kinesis").describe_stream_consumer(
        ConsumerARN=stack.resource("Consumer")
    )["ConsumerDescription"]
    assert (found["ConsumerName"], found["ConsumerStatus"]) == ("fast", "ACTIVE")


def test_a_table_goes_on_from_the_record_that_the_function_names(stack: Stack) -> None:
    rows = stack.client("dynamodb")

    def write(name: str) -> None:
        key = {"pk": {"S": name}}
        rows.put_item(TableName=stack.resource("Table"), Item=key)
        rows.delete_item(TableName=stack.resource("Table"), Key=key)

    for name in ("t1", "bad", "t2"):
        write(name)
    found = dead(stack, "DDBStreamBatchInfo")["DDBStreamBatchInfo"]
    assert found["batchSize"] >= 1
    write("last")
    stack.told(having("last"))
    names = {each["eventName"] for event in stack.told(having("t1")) for each in event["Records"]}
    assert names == {"INSERT"}


def test_a_mapping_of_a_stream_says_where_it_starts(stack: Stack) -> None:
    source = stack.client("kinesis").describe_stream(StreamName=stack.resource("Stream"))
    with pytest.raises(ClientError, match="startingPosition"):
        stack.client("lambda").create_event_source_mapping(
            FunctionName=stack.resource("Function"),
            EventSourceArn=source["StreamDescription"]["StreamARN"],
        )
