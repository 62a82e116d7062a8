"""What the tests of tasks and jobs on the embedded cloud share: roles, templates, events, logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from devbridge.emulator.inside.machines.running import PATH
from tests.clients import administer, root_client
from tests.integration.codebuild import conforms
from tests.waiting import eventually

PYTHON = "public.ecr.aws/docker/library/python:3.11-slim"
NODE = "public.ecr.aws/docker/library/node:24-bookworm"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


def allow(*actions: str, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def role(service: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    """A role in a template, which that service may assume."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    properties: dict[str, Any] = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}
    }
    if statements:
        properties["Policies"] = [{"PolicyName": "own", "PolicyDocument": policy}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def arn(title: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [title, "Arn"]}


WRITES_LOGS = allow("logs:CreateLogStream", "logs:PutLogEvents")
READS_PARAMETERS = allow("ssm:GetParameters")


def task_definition(family: str, container: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A task definition for Fargate, with the template's `TaskRole` and `ExecutionRole`: its
    container writes into the template's `Group`."""
    log = {
        "awslogs-group": {"Ref": "Group"},
        "awslogs-region": {"Ref": "AWS::Region"},
        "awslogs-stream-prefix": "job",
    }
    own = {
        "Name": "job",
        "Image": PYTHON,
        "LogConfiguration": {"LogDriver": "awslogs", "Options": log},
        **container,
    }
    properties = {
        "Family": family,
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": "512",
        "Memory": "1024",
        "TaskRoleArn": arn("TaskRole"),
        "ExecutionRoleArn": arn("ExecutionRole"),
        "ContainerDefinitions": [own],
        **more,
    }
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


class Stack:
    """A stack of an embedded cloud, and clients whose answers are checked against the models."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self.outputs: dict[str, str] = {}

    def client(self, service: str, **options: Any) -> Any:
        client = root_client(self.endpoint, service, **options)
        if service in ("ecs", "batch"):
            client.meta.events.register(f"after-call.{service}.*", _check)
        return client

    def deploy(self, resources: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Create or update it; AssertionError with CloudFormation's reasons."""
        stacks = self.client("cloudformation")
        template = {
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        change = stacks.update_stack if self.outputs else stacks.create_stack
        change(
            StackName=self.name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
        )

        def done() -> Any:
            (found,) = stacks.describe_stacks(StackName=self.name)["Stacks"]
            return found if not found["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = eventually(done)
        reasons = [
            each.get("ResourceStatusReason")
            for each in stacks.describe_stack_events(StackName=self.name)["StackEvents"]
            if "FAILED" in each["ResourceStatus"]
        ]
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), reasons
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def running(self) -> list[Any]:
        """What runs there, or waits."""
        status, body = administer(self.endpoint, "GET", PATH)
        assert status == 200
        found: list[Any] = json.loads(body)["machines"]
        return found

    def interrupt(self, name: str, *, kill: bool = False) -> int:
        """Take away a machine; how many there were of that name."""
        query = urlencode({"id": name, **({"kill": "1"} if kill else {})})
        _, body = administer(self.endpoint, "POST", f"{PATH}?{query}")
        return len(json.loads(body)["interrupted"])

    def lines(self, group: str, stream: str) -> list[str]:
        """What a log stream has."""
        events = self.client("logs").get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True
        )["events"]
        return [each["message"] for each in events]

    def events(self, until: Any, queue: str = "Events") -> list[Any]:
        """The events that a queue has got, in their order, when one of them is the awaited."""
        sqs, found = self.client("sqs"), []

        def received() -> bool:
            answer = sqs.receive_message(
                QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for each in answer.get("Messages", ()):
                sqs.delete_message(
                    QueueUrl=self.outputs[queue], ReceiptHandle=each["ReceiptHandle"]
                )
                found.append(json.loads(each["Body"]))
            return any(map(until, found))

        eventually(received)
        return found


def bus(source: str) -> dict[str, Any]:
    """A queue that gets all events of a source, in a template."""
    rule = {
        "EventPattern": {"source": [source]},
        "Targets": [{"Id": "queue", "Arn": arn("Queue")}],
    }
    admitted = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn("Queue"),
    }
    document = {"Version": "2012-10-17", "Statement": [admitted]}
    policy = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}
    return {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy},
    }


def _check(http_response: Any, model: Any, **_: Any) -> None:
    if http_response.status_code == 200:
        conforms(model.output_shape, json.loads(http_response.content))
