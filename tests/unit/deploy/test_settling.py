from __future__ import annotations

from devbridge.deploy.settling import Settling
from devbridge.progress import Task

LABELS = {"Role": "Job 'a'", "Table": "Table 'notes'"}


def event(name: str, kind: str, status: str) -> dict[str, str]:
    return {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status}


def test_the_one_that_began_first_is_named_until_it_has_settled() -> None:
    task = Task("deploy", "stack s", 2, "", began=0.0)
    settling = Settling(task, LABELS, LABELS)
    settling.saw(event("Role", "AWS::IAM::Role", "CREATE_IN_PROGRESS"), 1.0)
    settling.saw(event("Table", "AWS::DynamoDB::Table", "UPDATE_IN_PROGRESS"), 2.0)
    settling.saw(event("Role", "AWS::IAM::Role", "CREATE_IN_PROGRESS"), 3.0)  # initiated
    assert task.text(9.0) == "  create   0 of 2  AWS::IAM::Role  Job 'a'  8s"
    settling.saw(event("Role", "AWS::IAM::Role", "CREATE_COMPLETE"), 9.0)
    assert task.text(9.0) == "  update   1 of 2  AWS::DynamoDB::Table  Table 'notes'  7s"
    settling.saw(event("Table", "AWS::DynamoDB::Table", "UPDATE_COMPLETE"), 10.0)
    assert task.text(10.0) == "  update   2 of 2  AWS::DynamoDB::Table  Table 'notes'"


def test_what_is_not_to_change_does_not_count() -> None:
    task = Task("deploy", "stack s", 2, "", began=0.0)
    settling = Settling(task, LABELS, {"Table"})
    settling.saw(event("Role", "AWS::IAM::Role", "UPDATE_COMPLETE"), 1.0)
    assert (task.done, task.what) == (0, "stack s")


def test_one_that_failed_has_settled_and_its_way_back_is_under_way_again() -> None:
    task = Task("deploy", "stack s", 2, "", began=0.0)
    settling = Settling(task, LABELS, LABELS)
    settling.saw(event("Role", "AWS::IAM::Role", "CREATE_FAILED"), 1.0)
    settling.saw(event("Role", "AWS::IAM::Role", "DELETE_IN_PROGRESS"), 2.0)
    assert (task.done, task.verb, task.since) == (1, "delete", 2.0)
