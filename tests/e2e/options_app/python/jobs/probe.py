"""Does what the payload says, and tells what it finds."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from devbridge.errors import PayloadInvalid
from devbridge.job import Job, job_handler
from devbridge.resources import Bucket, Config, Function, Queue, Secret, Table, Topic

AT_START = Secret.api_token.value


@job_handler("probe")
def handler(payload, context):
    if not isinstance(payload, dict) or "do" not in payload:
        return payload
    return globals()[payload["do"].replace("-", "_")](payload, context)


def table(payload, context):
    notes = boto3.resource("dynamodb").Table(Table.notes.table_name)
    notes.put_item(Item={"id": "t", "text": "ö"})
    return [notes.get_item(Key={"id": "t"})["Item"], refused(lambda: drop(Table.notes.table_name))]


def drop(name):
    boto3.client("dynamodb").delete_table(TableName=name)


def other_table(payload, context):
    client = boto3.client("dynamodb")
    return refused(lambda: client.get_item(TableName=payload["name"], Key={"id": {"S": "1"}}))


def bucket(payload, context):
    s3, name = boto3.client("s3"), Bucket.files.bucket_name
    s3.put_object(Bucket=name, Key="a/b", Body=b"\x00\xff")
    return [
        list(s3.get_object(Bucket=name, Key="a/b")["Body"].read()),
        [found["Key"] for found in s3.list_objects_v2(Bucket=name)["Contents"]],
        refused(lambda: s3.delete_bucket(Bucket=name)),
    ]


def queue(payload, context):
    sqs, url = boto3.client("sqs"), Queue.work.queue_url
    sqs.send_message(QueueUrl=url, MessageBody="to do")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"], refused(lambda: sqs.purge_queue(QueueUrl=url))]


def topic(payload, context):
    sns, arn = boto3.client("sns"), Topic.news.topic_arn
    sns.publish(TopicArn=arn, Message="read all about it")
    return refused(lambda: sns.delete_topic(TopicArn=arn))


def secret(payload, context):
    inside = [key for key, value in os.environ.items() if Secret.api_token.value in value]
    return [AT_START, Secret.api_token.value, inside]


def config(payload, context):
    return Config.greeting.value


def function(payload, context):
    answer = boto3.client("lambda").invoke(
        FunctionName=Function.echo.function_name, Payload=b'{"x": 1}'
    )
    return json.loads(answer["Payload"].read())


def job(payload, context):
    run = Job.second.run(payload={"id": "from-probe"})
    return Job.second.wait(run.job_id, poll=0.2).state


def wrong_payload(payload, context):
    try:
        return Job.typed.run(payload={"lines": [], "kind": "slow"}).state
    except PayloadInvalid as error:
        return error.where


def permissions(payload, context):
    sqs = boto3.client("sqs")
    return ["QueueUrls" in sqs.list_queues(), refused(lambda: sqs.create_queue(QueueName="x"))]


def environment(payload, context):
    developer = [key for key in os.environ if key in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE")]
    return [os.environ["COLOUR"], os.environ["EMPTY"], os.environ["DEVBRIDGE_APP"], developer]


def who(payload, context):
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    return "ProbeJobRole" in arn


def copied(payload, context):
    return Path("data/words.txt").read_text()


def installed(payload, context):
    import cowsay

    return cowsay.get_output_string("cow", "moo").count("moo")


def about(payload, context):
    remaining = context.get_remaining_time_in_millis()
    return [
        context.job_name,
        context.function_name,
        context.attempt,
        context.max_attempts,
        context.memory_limit_in_mb,
        14 * 60_000 < remaining <= 15 * 60_000,
        list(sys.version_info[:2]),
    ]


def request_id(payload, context):
    return context.aws_request_id


def output(payload, context):
    print("to stdout: ü \u2028 end")
    print("to stderr", file=sys.stderr)
    os.system("echo from a child")
    sys.stdout.buffer.write(b"not utf-8: \xff, and no newline")


def caused(payload, context):
    try:
        {}["the real reason"]
    except KeyError as reason:
        reason.add_note("in row 7")
        raise RuntimeError("cannot load") from reason


def task_group(payload, context):
    asyncio.run(_two())


async def _two():
    async with asyncio.TaskGroup() as group:
        group.create_task(_fails())


async def _fails():
    raise ValueError("in a task")


def lingers(payload, context):
    threading.Thread(target=_upload, name="uploader").start()
    return "answered"


def _upload():
    threading.Event().wait(1.5)
    print("uploaded")


def big(payload, context):
    return "x" * payload["size"]


def size(payload, context):
    return len(payload["text"])


def wait(payload, context):
    print("waiting", flush=True)
    Path(payload["started"]).touch()
    time.sleep(600)


def error(payload, context):
    raise ValueError("a 'quoted' \"message\" with $HOME, ü, and\na second line")


def leave(payload, context):
    sys.exit(payload["code"])


def crash(payload, context):
    os._exit(payload["code"])


def kill(payload, context):
    os.kill(os.getpid(), signal.SIGKILL)


def not_json(payload, context):
    return {"a": [1, object()]}


def refused(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"].removesuffix("Exception")
    return "allowed"
