"""ECS on the embedded cloud: tasks on Fargate run, and everything about them is as on AWS."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.machines import (
    NETWORK,
    NODE,
    PYTHON,
    READS_PARAMETERS,
    WRITES_LOGS,
    Stack,
    allow,
    bus,
    role,
    task_definition,
)
from tests.waiting import eventually, gone, text_of

GROUP = "/own/tasks"


def definition(**more: Any) -> dict[str, Any]:
    container = {
        "Command": ["python3", "-c", "print('from the definition')"],
        "Environment": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "1"}],
        "StopTimeout": "2",
        **more.pop("container", {}),
    }
    properties = {
        "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
        "EphemeralStorage": {"SizeInGiB": 30},
        **more,
    }
    return task_definition("own", container, **properties)


def template(**definitions: Any) -> dict[str, Any]:
    providers = ["FARGATE", "FARGATE_SPOT"]
    return {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "TaskRole": role("ecs-tasks", allow("s3:PutObject"), allow("sts:GetCallerIdentity")),
        "ExecutionRole": role("ecs-tasks", WRITES_LOGS, READS_PARAMETERS),
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"CapacityProviders": providers}},
        **bus("aws.ecs"),
        **definitions,
    }


OUTPUTS = {
    "Cluster": {"Ref": "Cluster"},
    "Bucket": {"Ref": "Bucket"},
    "TaskRole": {"Ref": "TaskRole"},
    "Own": {"Ref": "Own"},
    "Events": {"Ref": "Queue"},
}


class Ecs:
    """A cluster, a definition, and what is asked of them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = stack.client("ecs")
        self.cluster = stack.outputs["Cluster"]

    def run(self, *command: str, **more: Any) -> Any:
        override = {"name": "job", **more.pop("override", {})}
        if command:
            override["command"] = list(command)
        request = {
            "cluster": self.cluster,
            "taskDefinition": self.stack.outputs["Own"],
            "networkConfiguration": NETWORK,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            "overrides": {"containerOverrides": [override]},
            **more,
        }
        answer = self.client.run_task(**request)
        assert answer["failures"] == []
        (task,) = answer["tasks"]
        return task

    def get(self, task: Any) -> Any:
        (found,) = self.client.describe_tasks(cluster=self.cluster, tasks=[task["taskArn"]])[
            "tasks"
        ]
        return found

    def ended(self, task: Any) -> Any:
        eventually(lambda: self.get(task)["lastStatus"] == "STOPPED")
        return self.get(task)

    def lines(self, task: Any, container: str = "job") -> list[str]:
        task_id = task["taskArn"].rpartition("/")[2]
        return self.stack.lines(GROUP, f"job/{container}/{task_id}")


@pytest.fixture(scope="module")
def ecs(shared_cloud: Running) -> Iterator[Ecs]:
    reset(shared_cloud.endpoint_url)
    stack = Stack(shared_cloud.endpoint_url, "tasks")
    stack.deploy(template(Own=definition()), OUTPUTS)
    yield Ecs(stack)
    reset(shared_cloud.endpoint_url)


def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def python(script: str) -> tuple[str, ...]:
    return ("python3", "-c", script)


def test_a_task_runs_to_its_end_with_what_the_definition_and_the_request_say(ecs: Ecs) -> None:
    script = "import os, sys; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')"
    environment = [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]
    started = ecs.run(*python(script), override={"environment": environment}, startedBy="me")
    assert (started["lastStatus"], started["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    assert started["startedBy"] == "me"
    task = ecs.ended(started)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert [each["exitCode"] for each in task["containers"]] == [0]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert task["ephemeralStorage"] == {"sizeInGiB": 30}
    assert task["attributes"] == [{"name": "ecs.cpu-architecture", "value": "arm64"}]
    moments = [task[key] for key in ("createdAt", "pullStartedAt", "startedAt", "stoppedAt")]
    assert moments == sorted(moments)
    seen = dict(line.split("=", 1) for line in ecs.lines(task))
    assert (seen["A"], seen["B"], seen["C"]) == ("1", "2", "3")
    assert seen["AWS_REGION"] == "us-east-1"
    assert seen["AWS_ENDPOINT_URL"] == ecs.stack.endpoint
    assert seen["HOME"] != os.environ.get("HOME")
    assert "AWS_ACCESS_KEY_ID" not in seen
    assert not Path(seen["HOME"]).exists(), "nothing of it is left"


def test_a_task_has_the_role_s_rights_and_no_others(ecs: Ecs) -> None:
    # The image has no boto3: what runs signs with what it packs. Here the tests' own serves.
    script = f"""
import sys; sys.path += {[each for each in sys.path if each]!r}
import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
boto3.client("s3").put_object(Bucket="{ecs.stack.outputs["Bucket"]}", Key="k", Body=b"x")
try:
    boto3.client("s3").get_object(Bucket="{ecs.stack.outputs["Bucket"]}", Key="k")
except Exception as error:
    print(error.response["Error"]["Code"])
"""
    task = ecs.ended(ecs.run(*python(script)))
    name, code = ecs.lines(task)
    role_name, task_id = ecs.stack.outputs["TaskRole"], task["taskArn"].rpartition("/")[2]
    assert name == f"arn:aws:sts::000000000000:assumed-role/{role_name}/{task_id}"
    assert code == "AccessDenied"


def test_an_image_has_its_own_programs_and_no_packages(ecs: Ecs) -> None:
    script = "import importlib.util as u, sys; print(u.find_spec('boto3'), sys.version_info[:2])"
    assert ecs.lines(ecs.ended(ecs.run(*python(script)))) == ["None (3, 11)"]


def test_the_metadata_endpoint_tells_a_task_of_itself(ecs: Ecs) -> None:
    script = """
import json, os, urllib.request
def get(path):
    return json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + path))
print(json.dumps([get(""), get("/task")]))
"""
    task = ecs.ended(ecs.run(*python(script)))
    own, whole = json.loads(ecs.lines(task)[0])
    task_id = task["taskArn"].rpartition("/")[2]
    assert own["LogOptions"] == {
        "awslogs-group": GROUP,
        "awslogs-region": "us-east-1",
        "awslogs-stream": f"job/job/{task_id}",
    }
    assert (own["Name"], own["KnownStatus"]) == ("job", "RUNNING")
    assert own["Labels"]["com.amazonaws.ecs.task-arn"] == task["taskArn"]
    assert whole["TaskARN"] == task["taskArn"]
    assert (whole["Family"], whole["LaunchType"]) == ("own", "FARGATE")
    assert whole["Limits"] == {"CPU": 0.5, "Memory": 1024}
    assert [each["Name"] for each in whole["Containers"]] == ["job"]


WAITS = """
import os, pathlib, signal, sys, time
def stop(number, frame):
    print("noticed", flush=True)
    sys.exit({code})
signal.signal(signal.SIGTERM, {handler})
pathlib.Path({mark!r}).write_text(str(os.getpid()))
time.sleep(1000)
"""


def waiting(ecs: Ecs, mark: Path, handler: str = "stop", code: int = 3, **more: Any) -> Any:
    """A task that waits, and its process."""
    task = ecs.run(*python(WAITS.format(mark=str(mark), handler=handler, code=code)), **more)
    text_of(mark)
    eventually(lambda: ecs.get(task)["lastStatus"] == "RUNNING")
    return task


def test_a_task_that_is_stopped_gets_a_notice_and_the_reason_is_kept(
    ecs: Ecs, tmp_path: Path
) -> None:
    task = waiting(ecs, tmp_path / "pid")
    stopping = ecs.client.stop_task(cluster=ecs.cluster, task=task["taskArn"], reason="enough")
    assert stopping["task"]["desiredStatus"] == "STOPPED"
    task = ecs.ended(task)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 3
    assert ecs.lines(task) == ["noticed"]
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(("handler", "code"), [("signal.SIG_IGN", 137), ("signal.SIG_DFL", 143)])
def test_how_a_task_ends_that_does_not_heed_the_notice(
    ecs: Ecs, tmp_path: Path, handler: str, code: int
) -> None:
    task = waiting(ecs, tmp_path / "pid", handler)
    began = time.monotonic()
    ecs.client.stop_task(cluster=ecs.cluster, task=task["taskArn"])
    assert ecs.ended(task)["containers"][0]["exitCode"] == code
    assert (time.monotonic() - began > 1.8) == (code == 137), "the definition gives it 2 s"


RUN = {"environment": [{"name": "DEVBRIDGE_RUN_ID", "value": "project:0a1b"}]}


def test_a_task_on_spare_capacity_is_taken_away_with_a_notice(ecs: Ecs, tmp_path: Path) -> None:
    task = waiting(ecs, tmp_path / "pid", override=RUN, startedBy="0a1b")
    pid = int((tmp_path / "pid").read_text())
    (machine,) = ecs.stack.running()
    assert machine == {
        "compute": "fargate",
        "id": task["taskArn"],
        "status": "RUNNING",
        "run": "project:0a1b",
        "names": ["0a1b"],
        "pids": [pid],
    }
    assert ecs.stack.interrupt("project:0a1b") == 1

    def noticed(event: Any) -> bool:
        detail = event["detail"]
        return bool(detail["taskArn"] == task["taskArn"] and detail["desiredStatus"] == "STOPPED")

    events = filter(noticed, ecs.stack.events(noticed))
    first = min(events, key=lambda event: event["detail"]["version"])["detail"]
    assert (first["lastStatus"], first["stopCode"]) == ("RUNNING", "SpotInterruption")
    assert first["stoppedReason"] == "Your Spot Task was interrupted."
    task = ecs.ended(task)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("SpotInterruption", 3)
    assert ecs.lines(task) == ["noticed"]
    assert ecs.stack.interrupt("project:0a1b") == 0
    assert ecs.stack.running() == []


def test_a_task_whose_host_dies_gets_no_notice(ecs: Ecs, tmp_path: Path) -> None:
    task = waiting(ecs, tmp_path / "pid", override=RUN)
    assert ecs.stack.interrupt("0a1b", kill=True) == 1
    task = ecs.ended(task)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("SpotInterruption", 137)
    assert ecs.lines(task) == []


def test_tasks_are_found_by_who_started_them_and_whether_they_run(ecs: Ecs, tmp_path: Path) -> None:
    task = waiting(ecs, tmp_path / "pid", startedBy="finder")
    own = [task["taskArn"]]

    def listed(**filters: Any) -> list[str]:
        found: list[str] = ecs.client.list_tasks(cluster=ecs.cluster, **filters)["taskArns"]
        return found

    assert listed(startedBy="finder") == listed() == listed(family="own") == own
    assert listed(startedBy="other") == listed(family="other") == []
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert ecs.ended(task)["stopCode"] == "EssentialContainerExited"
    assert listed(startedBy="finder") == []
    assert listed(startedBy="finder", desiredStatus="STOPPED") == own


def test_the_same_token_gives_the_same_task(ecs: Ecs) -> None:
    first = ecs.run(clientToken="t", startedBy="a")
    assert ecs.run(clientToken="t", startedBy="a")["taskArn"] == first["taskArn"]
    code, _ = refusal(lambda: ecs.run(clientToken="t", startedBy="b"))
    assert code == "ConflictException"
    assert ecs.run(startedBy="a")["taskArn"] != first["taskArn"]


def test_every_change_of_a_task_is_an_event_on_the_bus(ecs: Ecs) -> None:
    task = ecs.ended(ecs.run(startedBy="events"))

    def last(event: Any) -> bool:
        detail = event["detail"]
        return bool(detail["taskArn"] == task["taskArn"] and detail["lastStatus"] == "STOPPED")

    events = [e for e in ecs.stack.events(last) if e["detail"]["taskArn"] == task["taskArn"]]
    assert {(e["source"], e["detail-type"]) for e in events} == {
        ("aws.ecs", "ECS Task State Change")
    }
    assert events[0]["resources"] == [task["taskArn"]]
    by_version = sorted(events, key=lambda event: event["detail"]["version"])
    states = [event["detail"]["lastStatus"] for event in by_version]
    assert states == ["PROVISIONING", "PENDING", "RUNNING", "STOPPED"]
    end = by_version[-1]["detail"]
    assert (end["startedBy"], end["stopCode"]) == ("events", "EssentialContainerExited")
    assert [each["exitCode"] for each in end["containers"]] == [0]
    assert end["clusterArn"].endswith(f"cluster/{ecs.cluster}")
    assert end["stoppedAt"].endswith("Z")


def test_what_fargate_refuses_is_refused(ecs: Ecs) -> None:
    definition_arn = ecs.stack.outputs["Own"]

    def register(**more: Any) -> Any:
        container = {"name": "a", "image": PYTHON}
        request = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", **more}
        return ecs.client.register_task_definition(
            family="bad", containerDefinitions=[container], **request
        )

    assert refusal(lambda: register(cpu="512", memory="8192")) == (
        "ClientException",
        "No Fargate configuration exists for given values: 512 CPU, 8192 memory. See the Amazon"
        " ECS documentation for the valid values.",
    )
    made = register(cpu="1 vCPU", memory="2 GB")["taskDefinition"]
    assert (made["cpu"], made["memory"]) == ("1024", "2048")
    big = {"environment": [{"name": "A", "value": "x" * 8200}]}
    assert refusal(lambda: ecs.run(override=big)) == (
        "InvalidParameterException",
        "Container Overrides length must be at most 8192",
    )
    assert refusal(lambda: ecs.run(taskDefinition="none")) == (
        "ClientException",
        "TaskDefinition not found.",
    )
    assert refusal(lambda: ecs.run(cluster="none"))[0] == "ClusterNotFoundException"
    assert "Network Configuration" in refusal(lambda: ecs.run(networkConfiguration={}))[1]
    described = ecs.client.describe_task_definition(taskDefinition=definition_arn)
    kept = described["taskDefinition"]
    assert kept["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    assert kept["containerDefinitions"][0]["stopTimeout"] == 2


def test_a_definition_that_is_changed_is_a_new_revision(ecs: Ecs) -> None:
    ssm = ecs.stack.client("ssm")
    with suppress(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/own/secret", Value="s3cret", Type="SecureString")
    before = ecs.stack.outputs["Own"]
    other = {
        "Image": NODE,
        "EntryPoint": ["node", "-e"],
        "Command": ["console.log(process.env.S, process.versions.node.split('.')[0])"],
        "Secrets": [{"Name": "S", "ValueFrom": "/own/secret"}],
    }
    try:
        ecs.stack.deploy(template(Own=definition(container=other)), OUTPUTS)
        assert ecs.stack.outputs["Own"] == f"{before.rpartition(':')[0]}:2"
        assert ecs.lines(ecs.ended(ecs.run())) == ["s3cret 24"]
    finally:
        ecs.stack.deploy(template(Own=definition()), OUTPUTS)


def test_a_shared_file_system_is_a_folder_for_all_tasks(ecs: Ecs) -> None:
    shared = {
        "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {}},
        "Point": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {"FileSystemId": {"Ref": "Files"}, "RootDirectory": {"Path": "/own"}},
        },
        "Shared": definition(
            Family="shared",
            Volumes=[
                {
                    "Name": "files",
                    "EFSVolumeConfiguration": {
                        "FilesystemId": {"Ref": "Files"},
                        "TransitEncryption": "ENABLED",
                        "AuthorizationConfig": {
                            "AccessPointId": {"Ref": "Point"},
                            "IAM": "ENABLED",
                        },
                    },
                }
            ],
            container={
                "MountPoints": [{"SourceVolume": "files", "ContainerPath": "/mnt/files"}],
                "Environment": [{"Name": "FILES", "Value": "/mnt/files"}],
            },
        ),
    }
    ecs.stack.deploy(
        {**template(Own=definition()), **shared}, {**OUTPUTS, "Shared": {"Ref": "Shared"}}
    )
    script = "import os, sys; p = os.environ['FILES'] + '/a'; open(p, 'a').write('x');"
    command = python(f"{script} print(open(p).read())")
    definition_arn = ecs.stack.outputs["Shared"]
    printed = [
        ecs.lines(ecs.ended(ecs.run(*command, taskDefinition=definition_arn))) for _ in range(2)
    ]
    assert printed == [["x"], ["xx"]]


def test_what_cannot_start_says_why(ecs: Ecs) -> None:
    task = ecs.ended(ecs.run("no-such-program"))
    assert task["stopCode"] == "TaskFailedToStart"
    assert 'exec: "no-such-program": executable file not found' in task["stoppedReason"]
