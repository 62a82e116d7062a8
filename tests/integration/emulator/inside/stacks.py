"""Stacks on the embedded cloud, deployed from resources in Python; what they tell, waited for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import WaiterError

from tests.clients import root_client
from tests.waiting import eventually

T = TypeVar("T")

NOTES = """\
import json, os, uuid
def note(folder, text):
    path = f"{folder}/{uuid.uuid4()}"
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.rename(f"{path}.new", path)
def handler(event, context):
    note(os.environ["NOTES"], json.dumps(event))
"""
"""A function that leaves each event that it gets in a folder of this machine."""


def allow(*actions: str, on: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def role(*statements: dict[str, Any], service: str = "lambda.amazonaws.com") -> dict[str, Any]:
    principal = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [principal]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": policy}] if statements else [],
        },
    }


def arn(of: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [of, "Arn"]}


def function(code: str, role: str = "Role", **properties: Any) -> dict[str, Any]:
    given = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Code": {"ZipFile": code},
        "Role": arn(role),
        "Timeout": 20,
    }
    return {"Type": "AWS::Lambda::Function", "Properties": {**given, **properties}}


class Stack:
    """One stack, and what its functions have told."""

    def __init__(self, endpoint: str, name: str, notes: Path | None = None) -> None:
        """
        Args:
            notes: where `NOTES` leaves what it gets.
        """
        self.endpoint, self.name = endpoint, name
        self.notes = notes or Path(os.devnull)

    def client(self, service: str, **options: Any) -> Any:
        return root_client(self.endpoint, service, **options)

    def noting(self, code: str, **properties: Any) -> dict[str, Any]:
        """A function that knows where notes are left."""
        variables = {"Variables": {"NOTES": str(self.notes)}}
        return function(code, **{"Environment": variables, **properties})

    def deploy(self, resources: Mapping[str, Any], *, update: bool = False) -> tuple[str, str]:
        """The stack's status, and the first reason of a failure."""
        cloudformation = self.client("cloudformation")
        change = cloudformation.update_stack if update else cloudformation.create_stack
        body = json.dumps({"Resources": resources})
        change(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        waiter = cloudformation.get_waiter(f"stack_{'update' if update else 'create'}_complete")
        with contextlib.suppress(WaiterError):  # the status is looked at
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
        (found,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        events = cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("_FAILED")]
        return found["StackStatus"], failed[0].get("ResourceStatusReason", "") if failed else ""

    def delete(self) -> None:
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=self.name)
        waiter = cloudformation.get_waiter("stack_delete_complete")
        waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})

    def resource(self, title: str) -> str:
        """The physical id of one."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=title
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def told(self, chosen: Callable[[Any], bool], count: int = 1) -> list[Any]:
        """The events for `NOTES` that are so, when there are as many."""
        return wait_for(lambda: self._told(chosen, count))

    def _told(self, chosen: Callable[[Any], bool], count: int) -> list[Any] | None:
        files = [path for path in self.notes.iterdir() if path.suffix != ".new"]
        found = [
            event for event in (json.loads(path.read_text()) for path in files) if chosen(event)
        ]
        return found if len(found) >= count else None


def received(stack: Stack, title: str, count: int = 1) -> list[dict[str, Any]]:
    """The messages of a queue, deleted, when there are as many."""
    sqs, url = stack.client("sqs"), stack.resource(title)
    found: list[dict[str, Any]] = []

    def enough() -> list[dict[str, Any]] | None:
        asked = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **asked).get(
            "Messages", ()
        ):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
        return found if len(found) >= count else None

    return wait_for(enough)


def wait_for(found: Callable[[], T | None], seconds: float = 20) -> T:
    """What it gives at last."""
    return eventually(lambda: [each for each in [found()] if each is not None], seconds)[0]
