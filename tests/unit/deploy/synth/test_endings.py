"""Who hears of the end of a run."""

from __future__ import annotations

import pytest

from devbridge.constructs.compute import Batch, Fargate
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import of_type, properties


def test_eventbridge_may_invoke_the_invoker_for_that_rule_alone(synthed: MakeJob) -> None:
    template = synthed(concurrency=1)
    assert properties(template, "AJobEndedMayInvoke") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "AJobInvoker"},
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["AJobEnded", "Arn"]},
    }


def test_builds_are_heard_of_where_others_wait_for_their_end(synthed: MakeJob) -> None:
    assert not of_type(synthed(), "AWS::Events::Rule")
    assert properties(synthed(concurrency=1), "AJobEnded")["EventPattern"] == {
        "source": ["aws.codebuild"],
        "detail-type": ["CodeBuild Build State Change"],
        "detail": {
            "project-name": ["demo_dev_a"],
            "build-status": ["FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT"],
        },
    }


@pytest.mark.parametrize(
    "options", [{"compute": Fargate()}, {"compute": Batch()}, {"concurrency": 1}]
)
def test_what_runs_on_the_laptop_is_not_waited_for(
    options: dict[str, object], synthed: MakeJob
) -> None:
    assert not of_type(synthed(mode="dev", **options), "AWS::Events::Rule")
