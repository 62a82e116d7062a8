"""CloudFormation, scripted: what it is asked in which order, and what it answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from botocore.stub import ANY, Stubber

from devbridge.deploy.changes import LABELS as LABELS_KEY
from devbridge.deploy.synth import Template

STACK = "devbridge-demo--dev-"

STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"

TAGS = {"devbridge:app": "demo", "devbridge:stage": "dev"}

TEMPLATE = Template('{"Resources":{}}', "hash", {"NotesTable": "Table 'notes'"})

SENT = '{"Metadata":{"DevbridgeLabels":{"NotesTable":"Table \'notes\'"}},"Resources":{}}'

CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/c/1"


def at_once() -> Iterator[float]:
    return itertools.repeat(0.0)


def stack(status: str = "CREATE_COMPLETE", **fields: Any) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    made = {"StackName": STACK, "StackId": STACK_ID, "CreationTime": "2024-01-01T00:00:00Z"}
    return {**made, "StackStatus": status, "Tags": tags, **fields}


def event(number: int, logical_id: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "EventId": str(number),
        "StackName": STACK,
        "Timestamp": "2024-01-01T00:00:00Z",
        "LogicalResourceId": logical_id,
        "ResourceType": "AWS::CloudFormation::Stack" if logical_id == STACK else "AWS::X::Y",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


class Script:
    """CloudFormation's answers in the order in which they will be asked for."""

    def __init__(self, client: Any) -> None:
        self.stub = Stubber(client)

    def stacks(self, *found: dict[str, Any]) -> None:
        if found:
            self.stub.add_response("describe_stacks", {"Stacks": list(found)})
        else:
            self.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")

    def events(self, *events: dict[str, Any]) -> None:
        answer = {"StackEvents": list(events)[::-1]}
        self.stub.add_response("describe_stack_events", answer)

    def template(self, **resources: Any) -> None:
        body = json.dumps({"Resources": resources, "Metadata": {LABELS_KEY: {"D": "Job 'd'"}}})
        expected = {"StackName": STACK, "TemplateStage": "Original"}
        self.stub.add_response("get_template", {"TemplateBody": body}, expected)

    def change_set(self, kind: str, status: str, reason: str, *changes: dict[str, Any]) -> None:
        expected = {
            "StackName": STACK,
            "ChangeSetName": ANY,
            "ChangeSetType": kind,
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": ANY,
            "TemplateBody": SENT,
        }
        self.stub.add_response("create_change_set", {"Id": CHANGE_SET}, expected)
        answer: dict[str, Any] = {"Status": "CREATE_IN_PROGRESS"}
        self.stub.add_response("describe_change_set", answer)
        found = [{"Type": "Resource", "ResourceChange": change} for change in changes]
        answer = {"Status": status, "StatusReason": reason, "Changes": found}
        self.stub.add_response("describe_change_set", answer)
