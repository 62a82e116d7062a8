"""A job in Lambda: its function, its role, and who is told of its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs.compute import Lambda
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.compute.test_codebuild import VPC, sub, trusted
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import DEVELOPER, allowed, of_type, properties

LAMBDA = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function"


def function(template: Template) -> dict[str, Any]:
    return properties(template, "AJobRunner")


def test_a_job_is_a_function_of_its_size(synthed: MakeJob) -> None:
    made = function(
        synthed(
            compute=Lambda(memory_size="2 GB", disk="1 GB", reserved_concurrency=5),
            architecture="arm64",
            runtime="python3.12",
        )
    )
    assert made["FunctionName"] == "demo_dev_a-job"
    assert (made["Timeout"], made["MemorySize"]) == (900, 2048)
    assert made["EphemeralStorage"] == {"Size": 1024}
    assert made["ReservedConcurrentExecutions"] == 5
    assert made["Architectures"] == ["arm64"]
    assert (made["Runtime"], made["Handler"]) == ("python3.12", "runner/host/function.handler")
    assert made["Code"] == {"S3Bucket": "assets", "S3Key": "a.zip"}
    assert made["LoggingConfig"] == {"LogGroup": {"Ref": "AJobLogs"}}
    plain = function(synthed(compute=Lambda()))
    assert not {"EphemeralStorage", "ReservedConcurrentExecutions", "VpcConfig"} & plain.keys()


def test_it_may_invoke_itself_as_often_as_its_run_goes_on(synthed: MakeJob) -> None:
    template = synthed(compute=Lambda())
    assert function(template)["RecursiveLoop"] == "Allow"
    itself, invoker = allowed(template, "AJobRole")["lambda:InvokeFunction"]
    assert [itself, invoker] == sub(f"{LAMBDA}:demo_dev_a-job", f"{LAMBDA}:demo_dev_a-invoker")


@pytest.mark.parametrize(
    ("options", "margin", "hops"),
    [
        ({"timeout": "15 minutes"}, 60, 22),
        ({"timeout": "28 hours"}, 60, 140),
        ({"timeout": "28 hours"}, 300, 188),
        ({"timeout": "14 hours", "retries": 1, "retry_delay": "0 seconds"}, 60, 140),
    ],
)
def test_the_runner_is_told_when_to_go_on_and_how_often(
    options: dict[str, Any], margin: int, hops: int, root: Path, synthed: MakeJob
) -> None:
    (root / "jobs" / "long.py").write_text("def handler(payload, context):\n    yield 1\n")
    compute = Lambda(margin=f"{margin} seconds")
    template = synthed(compute=compute, handler="jobs/long.handler", **options)
    found = function(template)["Environment"]["Variables"]
    assert found["DEVBRIDGE_MARGIN"] == str(margin)
    assert found["DEVBRIDGE_MAX_HOPS"] == str(hops)
    assert found["DEVBRIDGE_COMPUTE"] == "lambda"
    assert found["DEVBRIDGE_HANDLER"] == "jobs/long.handler"
    assert "DEVBRIDGE_CODE" not in found
    assert not [name for name in found if name.startswith("AWS_")]


def test_lambda_tries_nothing_again_and_tells_the_invoker_of_what_has_failed(
    synthed: MakeJob,
) -> None:
    invoker = {"Destination": {"Fn::GetAtt": ["AJobInvoker", "Arn"]}}
    config = properties(synthed(compute=Lambda(), timeout="1 minute"), "AJobTold")
    assert config == {
        "FunctionName": {"Ref": "AJobRunner"},
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 21600,
        "DestinationConfig": {"OnFailure": invoker},
    }
    config = properties(synthed(compute=Lambda(), concurrency=1), "AJobTold")
    assert config["DestinationConfig"] == {"OnFailure": invoker, "OnSuccess": invoker}


def test_its_role_keeps_its_own_runs_and_reads_no_zips(synthed: MakeJob) -> None:
    template = synthed(compute=Lambda())
    bucket, own = "arn:${AWS::Partition}:s3:::assets", "demo/dev/a/*"
    told = (f"{bucket}/told/{own}", f"{bucket}/checkpoints/{own}")
    assert trusted(template) == [{"Service": "lambda.amazonaws.com"}]
    found = allowed(template, "AJobRole")
    del found["lambda:InvokeFunction"]
    assert found == {
        "logs:CreateLogStream": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
        "logs:PutLogEvents": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
        "s3:GetObject": sub(f"{bucket}/payloads/{own}", *told, f"{bucket}/runs/{own}.end.json"),
        "s3:DeleteObject": sub(f"{bucket}/payloads/{own}"),
        "s3:PutObject": sub(f"{bucket}/results/{own}", *told),
    }


def test_its_invoker_may_invoke_it_and_nothing_else(synthed: MakeJob) -> None:
    template = synthed(compute=Lambda())
    found = allowed(template, "InvokerRole")
    assert found["lambda:InvokeFunction"] == sub(f"{LAMBDA}:demo_dev_a-job")
    variables = properties(template, "AJobInvoker")["Environment"]["Variables"]
    assert variables["DEVBRIDGE_PLACE"] == '{"function": "demo_dev_a-job"}'


def test_in_a_vpc_it_may_make_its_network_interface(synthed: MakeJob) -> None:
    template = synthed(compute=Lambda(), vpc=VPC)
    assert function(template)["VpcConfig"] == {
        "SubnetIds": list(VPC.subnets),
        "SecurityGroupIds": list(VPC.security_groups),
    }
    assert "ec2:CreateNetworkInterface" in allowed(template, "AJobRole")


def test_on_a_stage_of_dev_a_live_job_has_its_role_alone(synthed: MakeJob) -> None:
    template = synthed(compute=Lambda(), mode="dev")
    assert [*of_type(template, "AWS::Lambda::Function")] == ["AJobInvoker"]
    assert not of_type(template, "AWS::Lambda::EventInvokeConfig")
    assert trusted(template) == [{"Service": "lambda.amazonaws.com"}, {"AWS": DEVELOPER}]
