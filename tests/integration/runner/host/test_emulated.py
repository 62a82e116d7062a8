"""The runner on the embedded cloud, with roles that may no more than a job's: in a task that is
taken away, and in a function that calls itself."""

from __future__ import annotations

import io
import json
import textwrap
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runner
from devbridge.emulator.state import Running
from runner.host import fetch
from runner.places import Places
from tests.clients import reset
from tests.integration.machines import (
    NETWORK,
    WRITES_LOGS,
    Stack,
    allow,
    arn,
    role,
    task_definition,
)
from tests.waiting import eventually

BUCKET, OWN = "assets-of-runs", "demo/prod/count"
PLACES = Places(OWN)
GROUP = "/own/runs"
FUNCTION = "demo_prod_count"
RUNNER = Path(runner.__file__).parent
COUNT = """\
    import time
    def handler(payload, context):
        print("begins at", context.checkpoint, flush=True)
        for number in range(context.checkpoint or 0, payload["until"]):
            time.sleep(payload["pause"])
            yield number + 1
        return [context.attempt, payload["until"]]
    """


def s3(*keys: str) -> list[str]:
    return [f"arn:aws:s3:::{BUCKET}/{key}" for key in keys]


KEEPS_RUNS = [
    allow("s3:GetObject", resource=s3("code.zip", f"runs/{OWN}/*.end.json")),
    allow("s3:GetObject", "s3:DeleteObject", resource=s3(f"payloads/{OWN}/*")),
    allow("s3:GetObject", "s3:PutObject", resource=s3(f"told/{OWN}/*", f"checkpoints/{OWN}/*")),
    allow("s3:PutObject", resource=s3(f"results/{OWN}/*")),
]
VARIABLES = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_JOB_NAME": "count",
    "DEVBRIDGE_HANDLER": "jobs/count.handler",
    "DEVBRIDGE_TIMEOUT": "3600",
    "DEVBRIDGE_BUCKET": BUCKET,
    "DEVBRIDGE_INLINE": "1",
    "DEVBRIDGE_CHECKPOINT_SECONDS": "0",
    "AWS_REGION": "us-east-1",
}


def template() -> dict[str, Any]:
    variables = {
        **VARIABLES,
        "DEVBRIDGE_COMPUTE": "fargate",
        "DEVBRIDGE_CODE": "code.zip",
        "DEVBRIDGE_GRACE": "20",
    }
    container = {
        "Command": ["python3", "-c", fetch.script()],
        "Environment": [{"Name": name, "Value": value} for name, value in variables.items()],
        "StopTimeout": "20",
    }
    given = {name: value for name, value in VARIABLES.items() if name != "AWS_REGION"}
    function = {
        "FunctionName": FUNCTION,
        "Runtime": "python3.12",
        "Handler": "runner/host/function.handler",
        "Code": {"S3Bucket": BUCKET, "S3Key": "code.zip"},
        "Role": arn("FunctionRole"),
        "Timeout": 15,
        "RecursiveLoop": "Allow",
        "Environment": {
            "Variables": {**given, "DEVBRIDGE_COMPUTE": "lambda", "DEVBRIDGE_MARGIN": "14"}
        },
    }
    itself = f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}"
    invokes = allow("lambda:InvokeFunction", resource=itself)
    cluster = {"CapacityProviders": ["FARGATE"]}
    return {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
        "TaskRole": role("ecs-tasks", *KEEPS_RUNS),
        "ExecutionRole": role("ecs-tasks", WRITES_LOGS),
        "FunctionRole": role("lambda", *KEEPS_RUNS, invokes, allow("logs:*")),
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": cluster},
        "Task": task_definition("count", container),
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
    }


def code() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path in RUNNER.rglob("*.py"):
            archive.write(path, f"runner/{path.relative_to(RUNNER)}")
        archive.writestr("jobs/count.py", textwrap.dedent(COUNT))
    return body.getvalue()


class Cloud:
    """What was deployed, and one run after the other of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.s3 = stack.client("s3")
        self.ecs = stack.client("ecs")
        self.uuid = ""
        self.run_id = ""

    def ask(self, **payload: Any) -> None:
        """A new run is asked for."""
        self.uuid = str(uuid.uuid4())
        self.run_id = f"demo_prod_count:{self.uuid}"
        body = json.dumps(payload).encode()
        self.s3.put_object(Bucket=BUCKET, Key=PLACES.payload(self.uuid), Body=body)

    def task(self) -> str:
        """Start one for the run; its ARN."""
        given = {
            "DEVBRIDGE_RUN_ID": self.run_id,
            "DEVBRIDGE_PAYLOAD_KEY": PLACES.payload(self.uuid),
        }
        environment = [{"name": name, "value": value} for name, value in given.items()]
        answer = self.ecs.run_task(
            cluster=self.stack.outputs["Cluster"],
            taskDefinition=self.stack.outputs["Task"],
            networkConfiguration=NETWORK,
            launchType="FARGATE",
            overrides={"containerOverrides": [{"name": "job", "environment": environment}]},
        )
        assert answer["failures"] == []
        return str(answer["tasks"][0]["taskArn"])

    def exit_code(self, task: str) -> int | None:
        """Of a task's container, once it has ended."""

        def ended() -> Any:
            request = {"cluster": self.stack.outputs["Cluster"], "tasks": [task]}
            (found,) = self.ecs.describe_tasks(**request)["tasks"]
            return found if found["lastStatus"] == "STOPPED" else None

        found: int | None = eventually(ended)["containers"][0].get("exitCode")
        return found

    def has(self, key: str) -> Any:
        """What is stored there, if anything is."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents")
        return json.load(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"]) if listed else None

    def told(self) -> Any:
        return self.has(PLACES.told(self.uuid)) or {"state": "QUEUED"}


@pytest.fixture(scope="module")
def cloud(shared_cloud: Running) -> Iterator[Cloud]:
    reset(shared_cloud.endpoint_url)
    stack = Stack(shared_cloud.endpoint_url, "runs")
    assets = stack.client("s3")
    assets.create_bucket(Bucket=BUCKET)
    assets.put_object(Bucket=BUCKET, Key="code.zip", Body=code())
    outputs = {name: {"Ref": name} for name in ("Cluster", "Task")}
    stack.deploy(template(), outputs)
    yield Cloud(stack)
    reset(shared_cloud.endpoint_url)


def test_a_task_that_is_stopped_goes_on_in_another(cloud: Cloud) -> None:
    cloud.ask(until=40, pause=0.05)
    first = cloud.task()
    eventually(lambda: (cloud.has(PLACES.checkpoint(cloud.uuid)) or 0) >= 3)
    cloud.ecs.stop_task(cluster=cloud.stack.outputs["Cluster"], task=first)
    assert cloud.exit_code(first) == 75
    reached = cloud.has(PLACES.checkpoint(cloud.uuid))
    told = cloud.told()
    assert (told["state"], told["interruptions"]) == ("RUNNING", 1)
    second = cloud.task()
    assert cloud.exit_code(second) == 0
    told = cloud.told()
    assert (told["state"], told["attempt"], told["result"]) == ("SUCCEEDED", 1, "[1,40]")
    streams = [[GROUP, f"job/job/{task.rpartition('/')[2]}"] for task in (first, second)]
    assert told["logs"] == streams
    lines = "".join(cloud.stack.lines(*streams[1]))
    assert f"begins at {reached}" in lines
    assert cloud.has(PLACES.payload(cloud.uuid)) is None


def test_a_function_continues_itself(cloud: Cloud) -> None:
    cloud.ask(until=40, pause=0.05)
    event = {
        "devbridge": 1,
        "run": cloud.run_id,
        "payloadKey": PLACES.payload(cloud.uuid),
        "hop": 0,
    }
    functions = cloud.stack.client("lambda")
    functions.invoke(
        FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps(event).encode()
    )
    eventually(lambda: cloud.told()["state"] not in ("QUEUED", "STARTING", "RUNNING"))
    told = cloud.told()
    assert (told["state"], told.get("result")) == ("SUCCEEDED", "[1,40]"), told
    assert told["hop"] >= 1
    group, stream = told["logs"][-1]
    assert "begins at " in "".join(cloud.stack.lines(group, stream))
    assert cloud.has(PLACES.payload(cloud.uuid)) is None
