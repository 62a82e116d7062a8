"""Batch on the embedded cloud: jobs wait and run, and everything about them is as on AWS."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.machines import (
    PYTHON,
    WRITES_LOGS,
    Stack,
    allow,
    arn,
    bus,
    role,
)
from tests.waiting import eventually, gone, text_of

GROUP = "/own/jobs"
RETRY = [
    {"OnStatusReason": "host ec2*", "Action": "RETRY"},
    {"OnExitCode": "7*", "Action": "RETRY"},
    {"OnReason": "*", "Action": "EXIT"},
]
LIMIT = {
    "Action": "CANCEL",
    "MaxTimeSeconds": 600,
    "Reason": "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "State": "RUNNABLE",
}


def container(**more: Any) -> dict[str, Any]:
    return {
        "Image": PYTHON,
        "Command": ["python3", "-c", "print('from the definition')"],
        "Environment": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "1"}],
        "ResourceRequirements": [
            {"Type": "VCPU", "Value": "1"},
            {"Type": "MEMORY", "Value": "2048"},
        ],
        **more,
    }


def definition(name: str, **properties: Any) -> dict[str, Any]:
    made = {"Type": "container", "JobDefinitionName": name, **properties}
    return {"Type": "AWS::Batch::JobDefinition", "Properties": made}


def environment(kind: str, **more: Any) -> dict[str, Any]:
    resources = {"Type": kind, "MaxvCpus": 2, "Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    properties = {"Type": "MANAGED", "ComputeResources": {**resources, **more}}
    return {"Type": "AWS::Batch::ComputeEnvironment", "Properties": properties}


def queue(compute: str) -> dict[str, Any]:
    properties = {
        "Priority": "1",
        "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": compute}}],
        "JobStateTimeLimitActions": [LIMIT],
    }
    return {"Type": "AWS::Batch::JobQueue", "Properties": properties}


def template(**more: Any) -> dict[str, Any]:
    log = {
        "LogDriver": "awslogs",
        "Options": {"awslogs-group": {"Ref": "Group"}, "awslogs-stream-prefix": "job"},
    }
    roles = {"ExecutionRoleArn": arn("ExecutionRole")}
    task = {
        **roles,
        "TaskRoleArn": arn("JobRole"),
        "Containers": [
            {**container(), "Name": "job", "StopTimeout": 2, "LogConfiguration": log},
        ],
    }
    spot = {"InstanceTypes": ["optimal"], "InstanceRole": {"Ref": "Profile"}}
    return {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
        "JobRole": role("ecs-tasks", allow("sts:GetCallerIdentity")),
        "ExecutionRole": role("ecs-tasks", WRITES_LOGS),
        "HostRole": role("ec2", WRITES_LOGS),
        "Profile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"Roles": [{"Ref": "HostRole"}]},
        },
        "Fargate": environment("FARGATE"),
        "Spot": environment("SPOT", **spot),
        "FargateQueue": queue("Fargate"),
        "SpotQueue": queue("Spot"),
        "Own": definition(
            "own",
            PlatformCapabilities=["FARGATE"],
            ContainerProperties=container(JobRoleArn=arn("JobRole"), **roles),
            Timeout={"AttemptDurationSeconds": "3600"},
        ),
        "Ecs": definition(
            "ecs",
            EcsProperties={"TaskProperties": [task]},
            RetryStrategy={"Attempts": 3, "EvaluateOnExit": RETRY},
        ),
        "Plain": definition("plain", ContainerProperties=container()),
        **bus("aws.batch"),
        **more,
    }


OUTPUTS = {
    name: {"Ref": ref}
    for name, ref in {
        **{each: each for each in ("FargateQueue", "SpotQueue", "Own", "Ecs", "Plain", "JobRole")},
        "Events": "Queue",
    }.items()
}


class Batch:
    """Two queues, three definitions, and what is asked of them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = stack.client("batch")
        self.count = 0

    def submit(self, *command: str, of: str = "Own", **more: Any) -> str:
        self.count += 1
        environment = more.pop("environment", [])
        override: dict[str, Any] = {"environment": environment}
        if command:
            override["command"] = list(command)
        if of == "Ecs":
            tasks = [{"containers": [{"name": "job", **override}]}]
            more["ecsPropertiesOverride"] = {"taskProperties": tasks}
        else:
            override |= more.pop("override", {})
            more["containerOverrides"] = override
        kind = "FargateQueue" if of == "Own" else "SpotQueue"
        request = {
            "jobName": f"job-{self.count}",
            "jobQueue": self.stack.outputs[kind],
            "jobDefinition": self.stack.outputs[of],
            **more,
        }
        job_id: str = self.client.submit_job(**request)["jobId"]
        return job_id

    def get(self, job_id: str) -> Any:
        (found,) = self.client.describe_jobs(jobs=[job_id])["jobs"]
        return found

    def is_(self, job_id: str, *statuses: str) -> Any:
        """The job, when it has one of the statuses."""
        eventually(lambda: self.get(job_id)["status"] in statuses)
        return self.get(job_id)

    def over(self, job_id: str) -> Any:
        return self.is_(job_id, "SUCCEEDED", "FAILED")

    def waiting(self, mark: Path, handler: str = "signal.SIG_DFL", **more: Any) -> str:
        """A job that waits, until something ends it; its process is in the mark."""
        script = WAITS.format(mark=str(mark), handler=handler)
        job_id = self.submit("python3", "-c", script, **more)
        text_of(mark)
        self.is_(job_id, "RUNNING")
        return job_id


WAITS = """
import os, pathlib, signal, sys, time
def stop(number, frame):
    print("noticed", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, {handler})
pathlib.Path({mark!r}).write_text(str(os.getpid()))
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def batch(shared_cloud: Running) -> Iterator[Batch]:
    reset(shared_cloud.endpoint_url)
    stack = Stack(shared_cloud.endpoint_url, "jobs")
    stack.deploy(template(), OUTPUTS)
    yield Batch(stack)
    reset(shared_cloud.endpoint_url)


def test_a_job_runs_to_its_end_with_what_the_definition_and_the_request_say(batch: Batch) -> None:
    script = "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')"
    environment = [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]
    job = batch.over(batch.submit("python3", "-c", script, environment=environment))
    assert (job["status"], job["statusReason"]) == (
        "SUCCEEDED",
        "Essential container in task exited",
    )
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    (attempt,) = job["attempts"]
    shown = job["container"]
    assert attempt["container"]["exitCode"] == shown["exitCode"] == 0
    stream = shown["logStreamName"]
    assert stream == f"own/default/{shown['taskArn'].rpartition('/')[2]}"
    seen = dict(line.split("=", 1) for line in batch.stack.lines("/aws/batch/job", stream))
    assert (seen["A"], seen["B"], seen["C"]) == ("1", "2", "3")
    assert (seen["AWS_BATCH_JOB_ID"], seen["AWS_BATCH_JOB_ATTEMPT"]) == (job["jobId"], "1")
    assert seen["AWS_BATCH_JQ_NAME"] == batch.stack.outputs["FargateQueue"].rpartition("/")[2]
    assert seen["AWS_BATCH_CE_NAME"].startswith("jobs-Fargate-")
    assert seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert seen["ECS_CONTAINER_METADATA_URI_V4"].startswith(batch.stack.endpoint)


def test_an_instance_writes_the_log_of_a_job_without_an_execution_role(batch: Batch) -> None:
    job = batch.over(batch.submit(of="Plain"))
    lines = batch.stack.lines("/aws/batch/job", job["container"]["logStreamName"])
    assert lines == ["from the definition"]
    assert job["container"]["containerInstanceArn"].startswith("arn:aws:ecs:")


def test_failed_attempts_are_tried_again_as_far_as_the_conditions_say(batch: Batch) -> None:
    script = "import os, sys; n = os.environ['AWS_BATCH_JOB_ATTEMPT']; sys.exit([75, 4][n == '2'])"
    job = batch.over(batch.submit("python3", "-c", script, of="Ecs"))
    assert job["status"] == "FAILED"
    codes = [each["taskProperties"][0]["containers"][0]["exitCode"] for each in job["attempts"]]
    assert codes == [75, 4]
    assert job["statusReason"] == "Essential container in task exited"
    streams = {
        each["taskProperties"][0]["containers"][0]["logStreamName"] for each in job["attempts"]
    }
    assert len(streams) == 2
    assert all(each.startswith("job/job/") for each in streams)


def test_a_job_that_ecs_does_not_take_is_not_tried(batch: Batch) -> None:
    environment = [{"name": "A", "value": "x" * 8192}]
    job = batch.over(batch.submit(of="Ecs", environment=environment))
    assert job["statusReason"] == "Container Overrides length must be at most 8192"
    assert (job["status"], job["attempts"]) == ("FAILED", [])


def test_a_job_that_is_terminated_gets_a_notice_and_is_not_tried_again(
    batch: Batch, tmp_path: Path
) -> None:
    job_id = batch.waiting(tmp_path / "pid", "stop", of="Ecs")
    batch.client.cancel_job(jobId=job_id, reason="has begun")
    batch.client.terminate_job(jobId=job_id, reason="enough")
    job = batch.over(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    (task,) = job["attempts"][0]["taskProperties"]
    (own,) = task["containers"]
    assert own["exitCode"] == 3
    assert batch.stack.lines(GROUP, own["logStreamName"]) == ["noticed"]


def test_a_job_whose_host_is_taken_away_gets_a_notice_and_runs_again(
    batch: Batch, tmp_path: Path
) -> None:
    job_id = batch.waiting(tmp_path / "pid", "stop", of="Ecs", jobName="reclaimed")
    first = int((tmp_path / "pid").read_text())
    assert [each["id"] for each in batch.stack.running()] == [job_id]
    assert batch.stack.interrupt("reclaimed") == 1

    def again() -> bool:
        return int((tmp_path / "pid").read_text() or first) != first

    eventually(again)
    eventually(lambda: batch.stack.interrupt(job_id, kill=True) == 1)
    eventually(lambda: len(batch.get(job_id)["attempts"]) == 2)
    attempts = batch.get(job_id)["attempts"]
    reasons = {each["statusReason"].partition(" (")[0] for each in attempts}
    assert reasons == {"Host EC2"}
    streams = [e["taskProperties"][0]["containers"][0]["logStreamName"] for e in attempts]
    assert [batch.stack.lines(GROUP, each) for each in streams] == [["noticed"], []]
    eventually(lambda: batch.get(job_id)["status"] == "RUNNING")
    batch.client.terminate_job(jobId=job_id, reason="over")
    assert len(batch.over(job_id)["attempts"]) == 3


def test_a_container_that_is_killed_is_a_failure_of_the_job(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.waiting(tmp_path / "pid", of="Ecs")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    job = batch.over(job_id)
    assert len(job["attempts"]) == 1
    containers = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert (job["status"], containers[0]["exitCode"]) == ("FAILED", 137)


def test_jobs_wait_while_all_vcpus_are_in_use_and_can_be_cancelled(
    batch: Batch, tmp_path: Path
) -> None:
    first, second = (batch.waiting(tmp_path / name) for name in "ab")
    waits, later = batch.submit(jobName="waits"), batch.submit(jobName="later")
    assert batch.is_(waits, "RUNNABLE")["attempts"] == []

    def listed(**more: Any) -> list[str]:
        queue = batch.stack.outputs["FargateQueue"]
        found = batch.client.list_jobs(jobQueue=queue, **more)["jobSummaryList"]
        return [each["jobId"] for each in found]

    assert set(listed()) == {first, second}
    assert set(listed(jobStatus="RUNNABLE")) == {waits, later}
    assert listed(filters=[{"name": "JOB_NAME", "values": ["WAIT*"]}]) == [waits]
    batch.client.cancel_job(jobId=waits, reason="no more")
    job = batch.over(waits)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "no more", True)
    assert batch.get(later)["status"] == "RUNNABLE"
    batch.client.terminate_job(jobId=first, reason="over")
    assert batch.over(later)["status"] == "SUCCEEDED"
    batch.client.terminate_job(jobId=second, reason="over")
    batch.over(second)


def test_a_job_that_no_environment_can_run_says_so_and_blocks_its_queue(batch: Batch) -> None:
    sizes = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"}]
    job_id = batch.submit(override={"resourceRequirements": sizes})
    behind = batch.submit()
    reason = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job"
    job = eventually(lambda: batch.get(job_id).get("statusReason") and batch.get(job_id))
    assert job["status"] == "RUNNABLE"
    assert job["statusReason"].startswith(reason)
    assert batch.get(behind)["status"] == "RUNNABLE"
    batch.client.terminate_job(jobId=job_id, reason="over")
    assert batch.over(job_id)["isTerminated"]
    assert batch.over(behind)["status"] == "SUCCEEDED"


def test_an_array_is_as_many_jobs_that_know_their_index(batch: Batch) -> None:
    script = "import os, sys; sys.exit(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'] == '1')"
    job_id = batch.submit("python3", "-c", script, arrayProperties={"size": 3})
    job = batch.over(job_id)
    assert job["status"] == "FAILED"
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 2
    failed = batch.client.list_jobs(arrayJobId=job_id, jobStatus="FAILED")["jobSummaryList"]
    assert [each["jobId"] for each in failed] == [f"{job_id}:1"]


def test_every_change_of_a_job_is_an_event_on_the_bus(batch: Batch) -> None:
    job_id = batch.submit(jobName="events")

    def last(event: Any) -> bool:
        detail = event["detail"]
        return bool(detail["jobId"] == job_id and detail["status"] == "SUCCEEDED")

    found = [each for each in batch.stack.events(last) if each["detail"]["jobId"] == job_id]
    assert {(e["source"], e["detail-type"]) for e in found} == {
        ("aws.batch", "Batch Job State Change")
    }
    states = {each["detail"]["status"] for each in found}
    assert states >= {"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"}
    end = next(each for each in found if last(each))
    assert end["resources"] == [end["detail"]["jobArn"]]
    assert end["detail"]["jobName"] == "events"
    assert end["detail"]["container"]["exitCode"] == 0


def test_what_batch_refuses_is_refused(batch: Batch) -> None:
    def refusal(**more: Any) -> str:
        with pytest.raises(ClientError) as caught:
            batch.submit(**more)
        assert caught.value.response["Error"]["Code"] == "ClientException"
        return str(caught.value.response["Error"]["Message"])

    assert "does not match" in refusal(jobName="a b")
    assert "does not exist" in refusal(jobQueue="none")
    assert "does not exist" in refusal(jobDefinition="none")
    assert "at least 60 seconds" in refusal(timeout={"attemptDurationSeconds": 59})
    assert "from 1 to 10" in refusal(retryStrategy={"attempts": 11})
    assert "less than 30 KiB, got 31 KiB" in refusal(
        environment=[{"name": "A", "value": "x" * 30_720}]
    )
    assert "has no such compute environment" in refusal(
        jobQueue=batch.stack.outputs["SpotQueue"], of="Own"
    )


def test_a_definition_that_is_changed_is_a_new_revision_and_the_old_one_is_gone(
    batch: Batch,
) -> None:
    before = batch.stack.outputs["Plain"]
    changed = container(Command=["echo", "changed"])
    batch.stack.deploy(
        template(
            Plain=definition("plain", ContainerProperties=changed),
            Spot=environment("SPOT", MaxvCpus="3", InstanceTypes=["optimal"]),
        ),
        OUTPUTS,
    )
    after = batch.stack.outputs["Plain"]
    assert (before[-2:], after[-2:]) == (":1", ":2")
    known = batch.client.describe_job_definitions(jobDefinitionName="plain")["jobDefinitions"]
    assert [each["status"] for each in known] == ["INACTIVE", "ACTIVE"]
    environments = batch.client.describe_compute_environments()["computeEnvironments"]
    sizes = {each["computeResources"]["maxvCpus"] for each in environments}
    assert sizes == {2, 3}


NEVER_TOLD = {"vcpus", "memory", "readonlyRootFilesystem", "privileged", "command"}
"""What moto says of every container, and AWS of those alone whose definitions say it."""


def test_a_job_has_what_moto_says_that_it_has(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    ours = batch.over(batch.submit())
    theirs = job_of_moto()
    assert theirs.keys() - ours.keys() == set()
    assert theirs["container"].keys() - ours["container"].keys() - NEVER_TOLD == set()
    both = [each["attempts"][0] for each in (theirs, ours)]
    assert both[0].keys() - both[1].keys() == set()
    assert both[0]["container"].keys() - both[1]["container"].keys() == {"containerInstanceArn"}


def job_of_moto() -> Any:
    """A plain job on Fargate, as moto describes it."""
    with mock_aws(config={"batch": {"use_docker": False}}):
        session = boto3.Session(region_name="us-east-1")
        batch: Any = session.client("batch")
        ec2, iam = session.client("ec2"), session.client("iam")
        role_arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        resources = {
            "type": "FARGATE",
            "maxvCpus": 4,
            "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
            "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
        }
        made = batch.create_compute_environment(
            computeEnvironmentName="own",
            type="MANAGED",
            serviceRole=role_arn,
            computeResources=resources,
        )
        order = [{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}]
        batch.create_job_queue(
            jobQueueName="own", state="ENABLED", priority=1, computeEnvironmentOrder=order
        )
        sizes = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]
        batch.register_job_definition(
            jobDefinitionName="own",
            type="container",
            platformCapabilities=["FARGATE"],
            containerProperties={
                "image": "i",
                "executionRoleArn": role_arn,
                "resourceRequirements": sizes,
            },
        )
        submitted = batch.submit_job(jobName="n", jobQueue="own", jobDefinition="own")

        def over() -> Any:
            (job,) = batch.describe_jobs(jobs=[submitted["jobId"]])["jobs"]
            return job["status"] == "SUCCEEDED" and job

        return eventually(over)


def test_nothing_of_a_job_outlives_its_queue(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.waiting(tmp_path / "pid", of="Ecs")
    began = time.monotonic()
    batch.client.update_job_queue(jobQueue=batch.stack.outputs["SpotQueue"], state="DISABLED")
    batch.client.delete_job_queue(jobQueue=batch.stack.outputs["SpotQueue"])
    assert batch.over(job_id)["statusReason"] == "The job queue was deleted"
    assert gone(int((tmp_path / "pid").read_text()))
    assert time.monotonic() - began < 20
