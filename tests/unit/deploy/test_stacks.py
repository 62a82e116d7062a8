from __future__ import annotations

import itertools

import pytest

from devbridge.deploy.access import Progress
from devbridge.deploy.stacks import describe, find, patient
from tests.unit.deploy.cloudformation import STACK, Script, stack
from tests.unit.deploy.conftest import FakeCloud


def test_a_stack_that_is_not_there_or_deleted_is_none(aws: FakeCloud, script: Script) -> None:
    script.stacks()
    assert describe(aws, STACK) is None
    script.stacks(stack("DELETE_COMPLETE"))
    assert describe(aws, STACK) is None


def test_pauses_grow_to_two_seconds() -> None:
    pauses = list(itertools.islice(patient(), 20))
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


def test_who_may_not_ask_for_the_stack_of_an_older_devbridge_is_told_so(
    aws: FakeCloud, script: Script
) -> None:
    told: list[Progress] = []
    script.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    script.stub.add_client_error("describe_stacks", "AccessDenied")
    assert find(aws, "demo", "dev", told.append) == (STACK, None)
    assert "whether an older devbridge has deployed the stage as devbridge-demo-dev" in told[0].text


@pytest.mark.parametrize(
    ("tags", "status", "ours"),
    [
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "UPDATE_COMPLETE", True),
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "ROLLBACK_COMPLETE", False),
        ({"devbridge:app": "demo", "devbridge:stage": "dev"}, "DELETE_IN_PROGRESS", False),
        ({"devbridge:app": "demo-dev", "devbridge:stage": "x"}, "UPDATE_COMPLETE", False),
        ({}, "UPDATE_COMPLETE", False),
    ],
)
def test_a_stack_of_the_old_name_is_taken_if_it_says_that_it_is_ours(
    aws: FakeCloud, script: Script, tags: dict[str, str], status: str, ours: bool
) -> None:
    script.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    script.stacks(stack(status, StackName="devbridge-demo-dev", Tags=listed))
    name, found = find(aws, "demo", "dev")
    assert (name, bool(found)) == (("devbridge-demo-dev", True) if ours else (STACK, False))
