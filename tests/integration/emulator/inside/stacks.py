"""Stacks on the embedded cloud, deployed from resources in Python; what they tell, waited for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import WaiterError

from tests.clients import root_client

T = TypeVar("T")

TOLD = "told-by-functions"
"""The bucket in which `NOTES` leaves each event that it gets."""
NOTES = f"""\
import boto3, json, uuid
def handler(event, context):
    boto3.client("s3").put_object(Bucket="{TOLD}", Key=str(uuid.uuid4()), Body=json.dumps(event))
"""


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

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self._seen: dict[str, Any] = {}

    def client(self, service: str, **options: Any) -> Any:
        return root_client(self.endpoint, service, **options)

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
        s3 = self.client("s3")
        for each in s3.list_objects_v2(Bucket=TOLD).get("Contents", ()):
            if (key := each["Key"]) not in self._seen:
                self._seen[key] = json.load(s3.get_object(Bucket=TOLD, Key=key)["Body"])
        found = [event for event in self._seen.values() if chosen(event)]
        return found if len(found) >= count else None


def wait_for(found: Callable[[], T | None], seconds: float = 20) -> T:
    """What it gives at last."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (value := found()) is not None:
            return value
        time.sleep(0.03)
    raise AssertionError("it did not come")
