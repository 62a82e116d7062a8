"""Who hears of the end of a run."""

from __future__ import annotations

import json

import pytest

from devbridge.constructs.compute import Batch, CodeBuild, Fargate, Lambda
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


BUILDS = {
    "source": ["aws.codebuild"],
    "detail-type": ["CodeBuild Build State Change"],
    "detail": {
        "project-name": ["demo_dev_a"],
        "build-status": ["FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT"],
    },
}


def test_builds_are_heard_of_where_others_wait_for_their_end(synthed: MakeJob) -> None:
    assert not of_type(synthed(), "AWS::Events::Rule")
    assert BUILDS in properties(synthed(concurrency=1), "AJobEnded")["EventPattern"]["$or"]


@pytest.mark.parametrize("compute", [CodeBuild(), Batch(), Fargate(), Lambda()])
def test_who_waits_hears_of_runs_that_began_before_compute_was_changed(
    compute: object, synthed: MakeJob
) -> None:
    template = synthed(concurrency=1, compute=compute, timeout="10 minutes")
    pattern = properties(template, "AJobEnded")["EventPattern"]
    sources = [source for each in pattern["$or"] for source in each["source"]]
    assert sources == ["aws.codebuild", "aws.batch", "aws.ecs"]
    assert len(json.dumps(pattern)) < 2048  # AWS's limit of a pattern


@pytest.mark.parametrize(
    "options", [{"compute": Fargate()}, {"compute": Batch()}, {"concurrency": 1}]
)
def test_what_runs_on_the_laptop_is_not_waited_for(
    options: dict[str, object], synthed: MakeJob
) -> None:
    assert not of_type(synthed(mode="dev", **options), "AWS::Events::Rule")
