"""The table of turns: where it is, and who may change it."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs.compute import Batch, CodeBuild, Compute, Fargate, Lambda
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import allowed, of_type, properties

EACH: list[Compute] = [CodeBuild(), Batch(), Fargate(), Lambda()]
TABLE = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/demo_dev_turns"


@pytest.mark.parametrize("compute", EACH, ids=lambda compute: compute.name)
def test_where_runs_take_turns_the_invokers_have_a_table_for_it(
    compute: Compute, synthed: MakeJob
) -> None:
    template = synthed(compute=compute, concurrency=3)
    table = properties(template, "Turns")
    assert table["TableName"] == "demo_dev_turns"
    assert table["KeySchema"] == [
        {"AttributeName": "job", "KeyType": "HASH"},
        {"AttributeName": "entry", "KeyType": "RANGE"},
    ]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    found = properties(template, "AJobInvoker")["Environment"]["Variables"]
    assert (found["DEVBRIDGE_CONCURRENCY"], found["DEVBRIDGE_TURNS"]) == ("3", "demo_dev_turns")
    of_table = {
        action: resources
        for action, resources in allowed(template, "InvokerRole").items()
        if action.startswith("dynamodb:")
    }
    assert of_table.keys() == {
        f"dynamodb:{name}" for name in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    }
    assert all(resources == [{"Fn::Sub": TABLE}] for resources in of_table.values())


@pytest.mark.parametrize("compute", EACH, ids=lambda compute: compute.name)
def test_a_job_has_no_right_to_it(compute: Compute, synthed: MakeJob) -> None:
    found = allowed(synthed(compute=compute, concurrency=3), "AJobRole")
    assert not [action for action in found if action.startswith("dynamodb:")]


@pytest.mark.parametrize("options", [{}, {"mode": "dev", "concurrency": 3}])
def test_where_no_deployed_job_takes_turns_there_is_none(
    options: dict[str, Any], synthed: MakeJob
) -> None:
    template = synthed(**options)
    assert not of_type(template, "AWS::DynamoDB::Table")
    assert "DEVBRIDGE_TURNS" not in template.body
