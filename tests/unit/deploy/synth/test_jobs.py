"""Jobs: all that they are made of together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from devbridge.constructs import App, Job, Vpc
from devbridge.constructs.app import loading
from devbridge.names import Mode
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    made,
    of_type,
    properties,
)

VPC = Vpc(
    "vpc-0123456789abcdef0",
    subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    security_groups=["sg-0123456789abcdef0"],
)


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_a_job_with_every_option_is_a_valid_template(mode: Mode, synthed: MakeJob) -> None:
    synthed(
        mode=mode,
        runtime="python3.13",
        architecture="arm64",
        memory_size="15 GB",
        timeout="2 hours",
        retries=3,
        retry_delay="30 seconds",
        concurrency=2,
        offline="cloud",
        environment={"A": "b"},
        permissions=[{"actions": ["ses:SendEmail"], "resources": ["*"]}],
        copy_files=["jobs/*.py"],
        install=["polars"],
        log_retention="forever",
        vpc=VPC,
        tags={"team": "data"},
        permissions_boundary="arn:aws:iam::123456789012:policy/limits",
    )


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_a_hundred_jobs_stay_within_the_limits_of_cloudformation_and_iam(
    mode: Mode, root: Path
) -> None:
    with loading(root):
        app = App("a-name-of-middle-length")
        for i in range(100):
            Job(app, f"some-longer-name-{i}", handler="jobs/a.handler")
    template = made(app, mode=mode)
    body = json.loads(template.body)
    assert len(body["Resources"]) <= 500
    assert len(body["Outputs"]) <= 200
    for role in of_type(template, "AWS::IAM::Role").values():
        for policy in role["Properties"].get("Policies", ()):
            assert resolved_size(policy["PolicyDocument"]) <= 10_240
    parts = of_type(template, "AWS::IAM::ManagedPolicy")
    for part in parts.values():
        assert resolved_size(part["Properties"]["PolicyDocument"]) <= 6_144
    documents = [
        properties(template, "BindRole")["Policies"][0]["PolicyDocument"],
        *(part["Properties"]["PolicyDocument"] for part in parts.values()),
    ]
    bound = [
        resource["Fn::GetAtt"][0]
        for document in documents
        for statement in document["Statement"]
        if statement["Action"] == ["lambda:InvokeFunction"]
        for resource in statement["Resource"]
    ]
    assert len(bound) == len(set(bound)) == 100


def resolved_size(document: object) -> int:
    """Characters, once references are what they refer to."""
    text = json.dumps(document, separators=(",", ":"))
    text = re.sub(r'\{"Fn::Sub":("[^"]*")\}', r"\1", text)
    invoker = "arn:aws:lambda:eu-west-1:123456789012:function:a-name-of-middle-length-dev-"
    invoker += "some-longer-name-99-invoker"
    text = re.sub(r'\{"Fn::GetAtt":\[[^]]*\]\}', f'"{invoker}"', text)
    for name, value in (
        ("AWS::Partition", "aws"),
        ("AWS::Region", "ap-southeast-1"),
        ("AWS::AccountId", "123456789012"),
    ):
        text = text.replace(f"${{{name}}}", value)
    return len(text)
