"""Streams, buses, load balancers, streams of tables, and what exists: made, used by real calls with
what `bind` gives, and left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from devbridge import deploy as deployment
from devbridge.cloud.session import Clients, Cloud, local_session
from devbridge.deploy import Request, environment
from devbridge.deploy.plan import Plan
from devbridge.deploy.plan_text import lines
from devbridge.deploy.remove import inventory, remove
from devbridge.names import BIND_ROLE
from devbridge.transport.base import AwsCredentials
from tests.apps import IMPORTS, load
from tests.integration.test_any_app_deploys import fast

OWN = f"""{IMPORTS}
app = App("shop")
clicks = Stream(app, "clicks", shards=1)
views = Stream(app, "views")
bus = EventBus(app, "events")
notes = Table(app, "notes", partition_key="id", stream="new_image")
net = Vpc(
    "vpc-00000001", subnets=["subnet-00000001", "subnet-00000002"], security_groups=["sg-00000001"]
)
balancer = LoadBalancer(app, "web", vpc=net)
"""
WORK = 'Job(app, "work", handler="jobs/work.handler", bind=[clicks, bus, notes])\n'
HERE = "us-east-1:000000000000"


@pytest.fixture
def make(tmp_path: Path, local_cloud: Cloud) -> Callable[..., dict[str, str]]:
    """Deploys an app, and gives the stack's values."""

    def deployed(text: str) -> dict[str, str]:
        app = load(tmp_path, text, "test")
        deployment.deploy(Request(app, local_cloud, stage="test", mode="dev", pace=fast))
        return dict(deployment.stack_values(local_cloud, "shop", "test"))

    return deployed


def as_bound(cloud: Cloud, values: dict[str, str]) -> Cloud:
    """What `devbridge bind` may do, and nothing else."""
    sts = cloud.client("sts")
    given = sts.assume_role(RoleArn=values[BIND_ROLE], RoleSessionName="bound")["Credentials"]

    def session() -> Session:
        key = AwsCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return local_session(key)

    return replace(cloud, clients=Clients(session, cloud.endpoint_url, cloud.region))


def test_records_and_events_go_through_what_the_app_makes(
    make: Callable[..., dict[str, str]], local_cloud: Cloud, tmp_path: Path
) -> None:
    values = make(OWN + WORK)
    given = environment(load(tmp_path, OWN, "test"), "test", values)
    mine = as_bound(local_cloud, values)
    kinesis = mine.client("kinesis")
    name = given["DEVBRIDGE_Stream_streamName_clicks"]
    kinesis.put_record(StreamName=name, Data=b"a", PartitionKey="p")
    (shard,) = kinesis.list_shards(StreamName=name)["Shards"]
    start = kinesis.get_shard_iterator(
        StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=start)["Records"]
    assert record["Data"] == b"a"
    with pytest.raises(ClientError, match="AccessDenied"):
        kinesis.delete_stream(StreamName=name)
    views = given["DEVBRIDGE_Stream_streamName_views"]
    seen = local_cloud.client("kinesis").describe_stream_summary(StreamName=views)
    assert seen["StreamDescriptionSummary"]["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    bus = given["DEVBRIDGE_EventBus_busName_events"]
    assert bus == values["EventsEventBus"] == "shop_test_events"
    event = {"Source": "shop", "DetailType": "order", "Detail": "{}", "EventBusName": bus}
    assert mine.client("events").put_events(Entries=[event])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="AccessDenied"):
        mine.client("events").put_events(Entries=[{**event, "EventBusName": "default"}])


def test_a_stream_that_was_left_is_found_and_deleted_with_the_data(
    make: Callable[..., dict[str, str]], local_cloud: Cloud
) -> None:
    kept = OWN.replace("shards=1", 'removal="retain"')
    name = make(kept)["ClicksStream"]
    make(re.sub(r"(?m)^clicks = .*$", "", kept))
    kinesis = local_cloud.client("kinesis")
    assert name in kinesis.list_streams()["StreamNames"]
    resources = inventory(local_cloud, "shop", "test", left=True).resources
    assert ("AWS::Kinesis::Stream", name, True) in [(r.type, r.name, r.kept) for r in resources]
    remove(local_cloud, "shop", "test", lambda _: None, fast, delete_data=True)
    assert kinesis.list_streams()["StreamNames"] == []


def test_a_tables_stream_and_a_listener_are_there_for_what_refers_to_them(
    make: Callable[..., dict[str, str]], local_cloud: Cloud
) -> None:
    values = make(OWN + 'app.output("Door", balancer.listener_arn)\n')
    arn = values["NotesTableStream"]
    streams = local_cloud.client("dynamodbstreams")
    assert streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamViewType"] == (
        "NEW_IMAGE"
    )
    elb = local_cloud.client("elbv2")
    (listener,) = elb.describe_listeners(ListenerArns=[values["Door"]])["Listeners"]
    assert listener["LoadBalancerArn"] == values["WebLoadBalancer"]
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internal"
    assert values["WebUrl"] == f"http://{balancer['DNSName']}"


def test_a_plan_says_that_a_stream_ends_and_its_table_stays(
    make: Callable[..., dict[str, str]], local_cloud: Cloud, tmp_path: Path
) -> None:
    values = make(OWN)
    dynamodb = local_cloud.client("dynamodb")
    dynamodb.put_item(TableName=values["NotesTable"], Item={"id": {"S": "1"}})
    plans: list[Plan] = []
    changed = OWN.replace('"new_image"', '"keys_only"')

    app = load(tmp_path, changed, "test")
    request = Request(app, local_cloud, stage="test", mode="dev", pace=fast)
    deployment.deploy(request, approve=plans.append)
    (text,) = (line for line in lines(plans[0]) if "AWS::DynamoDB::Table" in line)
    assert text.startswith("~ Table 'notes'")
    assert text.endswith(
        "StreamSpecification  its stream ends: what has not been read of it goes to no trigger"
    )
    assert not plans[0].dangerous
    table = dynamodb.describe_table(TableName=values["NotesTable"])["Table"]
    assert table["StreamSpecification"]["StreamViewType"] == "KEYS_ONLY"
    assert dynamodb.scan(TableName=values["NotesTable"])["Count"] == 1


THEIRS = f"""{IMPORTS}
app = App("shop")
orders = Queue.existing(app, "orders", arn="arn:aws:sqs:{HERE}:their-orders")
news = Topic.existing(app, "news", arn="arn:aws:sns:{HERE}:their-news")
files = Bucket.existing(app, "files", arn="arn:aws:s3:::their-files")
notes = Table.existing(app, "notes", arn="arn:aws:dynamodb:{HERE}:table/their-notes")
clicks = Stream.existing(app, "clicks", arn="arn:aws:kinesis:{HERE}:stream/their-clicks")
bus = EventBus.existing(app, "bus", arn="arn:aws:events:{HERE}:event-bus/default")
Queue(app, "work", dead_letter=orders)
Job(app, "job", handler="jobs/work.handler", bind=[orders, news, files, notes, clicks, bus])
"""


@pytest.fixture
def theirs(local_cloud: Cloud) -> Callable[[str], Any]:
    """What somebody else has made; gives clients."""
    client = local_cloud.client
    client("sqs").create_queue(QueueName="their-orders")
    client("sns").create_topic(Name="their-news")
    client("s3").create_bucket(Bucket="their-files")
    client("dynamodb").create_table(
        TableName="their-notes",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("kinesis").create_stream(StreamName="their-clicks", ShardCount=1)
    return client


def uses(cloud: Cloud, given: dict[str, str]) -> Iterator[object]:
    """Each thing that binding allows, done with what the variables say."""
    sqs, url = cloud.client("sqs"), given["DEVBRIDGE_Queue_queueUrl_orders"]
    yield sqs.send_message(QueueUrl=url, MessageBody="a")
    yield sqs.receive_message(QueueUrl=url)["Messages"]
    topic = given["DEVBRIDGE_Topic_topicArn_news"]
    yield cloud.client("sns").publish(TopicArn=topic, Message="a")
    bucket = given["DEVBRIDGE_Bucket_bucketName_files"]
    yield cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
    table = given["DEVBRIDGE_Table_tableName_notes"]
    yield cloud.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "1"}})
    stream = given["DEVBRIDGE_Stream_streamName_clicks"]
    yield cloud.client("kinesis").put_record(StreamName=stream, Data=b"a", PartitionKey="p")
    event = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
    bus = given["DEVBRIDGE_EventBus_busName_bus"]
    sent = cloud.client("events").put_events(Entries=[{**event, "EventBusName": bus}])
    yield sent["FailedEntryCount"] == 0


def test_what_exists_is_used_and_outlives_the_stage(
    make: Callable[..., dict[str, str]],
    theirs: Callable[[str], Any],
    local_cloud: Cloud,
    tmp_path: Path,
) -> None:
    values = make(THEIRS)
    assert {key for key in values if not key.startswith("Devbridge")} == {"JobRole", "WorkQueue"}
    given = environment(load(tmp_path, THEIRS, "test"), "test", values)
    assert all(uses(as_bound(local_cloud, values), given))
    redrive = theirs("sqs").get_queue_attributes(
        QueueUrl=values["WorkQueue"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]["RedrivePolicy"]
    assert json.loads(redrive)["deadLetterTargetArn"] == f"arn:aws:sqs:{HERE}:their-orders"
    held = {each.label for each in inventory(local_cloud, "shop", "test").resources}
    assert not held & {"Queue 'orders'", "Topic 'news'", "Bucket 'files'", "Table 'notes'"}
    remove(local_cloud, "shop", "test", lambda _: None, fast, delete_data=True)
    assert all(uses(local_cloud, given))
