"""Logs that start a job."""

from __future__ import annotations

import pytest

from devbridge.constructs import OnLog
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import of_type, properties, resources

FILTER = "AWS::Logs::SubscriptionFilter"


def test_a_filter_calls_the_invoker_once_it_may(triggered: Triggered) -> None:
    found = resources(triggered(lambda to: [OnLog(to.function, "ERROR")]))["SeeJobOnLogF"]
    assert found == {
        "Type": FILTER,
        "Properties": {
            "LogGroupName": {"Ref": "FFunctionLogs"},
            "FilterPattern": "ERROR",
            "DestinationArn": {"Fn::GetAtt": ["SeeJobInvoker", "Arn"]},
        },
        "DependsOn": "SeeJobOnLogFPermission",
    }


@pytest.mark.parametrize(
    ("settings", "count"),
    [({"mode": "dev"}, 0), ({"mode": "dev", "offline": "cloud"}, 1), ({"mode": "deployed"}, 1)],
)
def test_a_job_that_runs_on_a_laptop_only_has_no_log_group(
    triggered: Triggered, settings: dict[str, str], count: int
) -> None:
    assert len(of_type(triggered(lambda to: [OnLog(to.job)], **settings), FILTER)) == count


def test_a_function_gets_the_records_itself(calling: Triggered) -> None:
    made = properties(calling(lambda to: [OnLog(to.function, "ERROR")]), "SeeFunctionOnLogF")
    assert made["DestinationArn"] == {"Fn::GetAtt": ["SeeFunction", "Arn"]}
