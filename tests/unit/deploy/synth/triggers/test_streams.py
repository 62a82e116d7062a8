"""Streams that start a job."""

from __future__ import annotations

from devbridge.constructs import OnStream, OnTable, Table
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered
from tests.unit.deploy.templates import properties, resources

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/notes"
GIVEN_UP = {"OnFailure": {"Destination": {"Fn::GetAtt": ["SeeJobDeadLetters", "Arn"]}}}


def test_changes_of_a_table_are_read_and_given_up_some_time(triggered: Triggered) -> None:
    template = triggered(lambda to: [OnTable(to.table, ["INSERT"], window="2 seconds", batch=50)])
    assert properties(template, "NTable")["StreamSpecification"] == {
        "StreamViewType": "NEW_AND_OLD_IMAGES"
    }
    assert properties(template, "SeeJobOnTableN") == {
        "FunctionName": {"Ref": "SeeJobInvoker"},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Enabled": True,
        "EventSourceArn": {"Fn::GetAtt": ["NTable", "StreamArn"]},
        "BatchSize": 50,
        "MaximumBatchingWindowInSeconds": 2,
        "StartingPosition": "LATEST",
        "MaximumRetryAttempts": 5,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": GIVEN_UP,
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
    }


def test_a_table_that_exists_has_its_stream(triggered: Triggered) -> None:
    stream = f"{TABLE}/stream/2026-01-31T12:00:00.000"

    def listen(to: Listened) -> list[OnTable]:
        table = Table.existing(to.table.app, "old", arn=TABLE, stream_arn=stream)
        return [OnTable(table)]

    assert properties(triggered(listen), "SeeJobOnTableOld")["EventSourceArn"] == stream


def test_a_consumer_reads_a_stream_for_itself(triggered: Triggered) -> None:
    template = triggered(
        lambda to: [
            OnStream(to.stream, starting="trim_horizon", retries=0),
            OnStream(to.stream, consumer=True, name="own"),
        ]
    )
    shared = properties(template, "SeeJobOnStreamS")
    assert shared["EventSourceArn"] == {"Fn::GetAtt": ["SStream", "Arn"]}
    assert (shared["StartingPosition"], shared["MaximumRetryAttempts"]) == ("TRIM_HORIZON", 0)
    own = properties(template, "SeeJobOnStreamOwn")["EventSourceArn"]
    assert own == {"Ref": "SeeJobOnStreamOwnConsumer"}
    assert resources(template)["SeeJobOnStreamOwnConsumer"]["Properties"] == {
        "ConsumerName": "demo_dev_see_SeeJobOnStreamOwn",
        "StreamARN": {"Fn::GetAtt": ["SStream", "Arn"]},
    }


def test_what_a_function_has_failed_at_is_told_to_its_dead_letter_queue(
    calling: Triggered,
) -> None:
    found = calling(lambda to: [OnStream(to.stream, consumer=True, retries=3)])
    mapping = properties(found, "SeeFunctionOnStreamS")
    assert mapping["FunctionName"] == {"Ref": "SeeFunction"}
    assert mapping["MaximumRetryAttempts"] == 3
    told = {"Fn::GetAtt": ["SeeFunctionDeadLetters", "Arn"]}
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": told}}
    consumer = properties(found, "SeeFunctionOnStreamSConsumer")
    assert consumer["ConsumerName"].startswith("demo_dev_see-fn_")
