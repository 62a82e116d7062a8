"""A job in Batch: its definition, its roles, and what its invoker may do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.constructs.compute import Batch
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.compute.test_codebuild import sub, trusted
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    DEVELOPER,
    IMAGES,
    allowed,
    container_variables,
    of_type,
    properties,
    statements,
)

BATCH = "arn:${AWS::Partition}:batch:${AWS::Region}:${AWS::AccountId}"


def definition(template: Template) -> dict[str, Any]:
    return properties(template, "AJobDefinition")


def task(template: Template) -> dict[str, Any]:
    (found,) = definition(template)["EcsProperties"]["TaskProperties"]
    return dict(found)


def container(template: Template) -> dict[str, Any]:
    (found,) = task(template)["Containers"]
    return dict(found)


def queue(template: Template) -> str:
    (title,) = of_type(template, "AWS::Batch::JobQueue")
    return title


def test_a_job_is_a_definition_with_what_it_asks_for(synthed: MakeJob) -> None:
    template = synthed(compute=Batch(cpu=8, memory="60 GB", gpu=1))
    assert definition(template)["JobDefinitionName"] == "demo_dev_a"
    assert definition(template)["PropagateTags"] is True
    assert container(template)["ResourceRequirements"] == [
        {"Type": "VCPU", "Value": "8"},
        {"Type": "MEMORY", "Value": "61440"},
        {"Type": "GPU", "Value": "1"},
    ]
    assert len(container(synthed(compute=Batch()))["ResourceRequirements"]) == 2


def test_its_container_has_two_minutes_to_stop_and_runs_what_fetches_its_code(
    synthed: MakeJob,
) -> None:
    made = container(synthed(compute=Batch(), runtime="python3.12"))
    assert made["StopTimeout"] == 120
    assert made["Image"] == "public.ecr.aws/docker/library/python:3.12-slim"
    assert made["Command"][:2] == ["python3", "-c"]
    found = container_variables(made)
    assert (found["DEVBRIDGE_COMPUTE"], found["DEVBRIDGE_CODE"]) == ("batch", "a.zip")
    assert found["DEVBRIDGE_GRACE"] == "120"
    assert "DEVBRIDGE_PACKAGES" not in found
    assert made["LogConfiguration"]["Options"]["awslogs-stream-prefix"] == "job"


def test_batch_tries_again_what_is_the_infrastructures_alone(synthed: MakeJob) -> None:
    made = definition(synthed(compute=Batch(spot=True), retries=5))["RetryStrategy"]
    assert made == {
        "Attempts": 3,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnExitCode": "75"},
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnStatusReason": "Your Spot Task was interrupted*"},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }


def test_batch_does_not_try_a_users_command_again_whatever_its_exit_code(
    contained: MakeJob,
) -> None:
    rules = definition(contained(compute=Batch()))["RetryStrategy"]["EvaluateOnExit"]
    assert rules == [
        {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
        {"Action": "RETRY", "OnStatusReason": "Your Spot Task was interrupted*"},
        {"Action": "EXIT", "OnReason": "*"},
    ]


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"timeout": "1 second"}, 301),
        ({"timeout": "1 hour", "retries": 2, "retry_delay": "1 minute"}, 3 * 3600 + 180 + 300),
        ({"timeout": "7 days"}, 7 * 86400 + 300),
    ],
)
def test_an_attempt_of_batchs_has_time_for_all_of_the_runners(
    options: dict[str, Any], seconds: int, synthed: MakeJob
) -> None:
    made = definition(synthed(compute=Batch(), **options))
    assert made["Timeout"] == {"AttemptDurationSeconds": seconds}


def test_its_roles_are_those_of_a_task(synthed: MakeJob) -> None:
    template = synthed(compute=Batch())
    made = task(template)
    assert made["TaskRoleArn"] == {"Fn::GetAtt": ["AJobRole", "Arn"]}
    assert made["ExecutionRoleArn"] == {"Fn::GetAtt": ["AJobExecutionRole", "Arn"]}
    bucket, own = "arn:${AWS::Partition}:s3:::assets", "demo/dev/a/*"
    told = (f"{bucket}/told/{own}", f"{bucket}/checkpoints/{own}")
    assert trusted(template) == [{"Service": "ecs-tasks.amazonaws.com"}]
    assert allowed(template, "AJobRole") == {
        "s3:GetObjectVersion": sub(f"{bucket}/a.zip"),
        "s3:GetObject": sub(
            f"{bucket}/a.zip",
            f"{bucket}/payloads/{own}",
            *told,
            f"{bucket}/runs/{own}.end.json",
        ),
        "s3:DeleteObject": sub(f"{bucket}/payloads/{own}"),
        "s3:PutObject": sub(f"{bucket}/results/{own}", *told),
    }


def test_the_invokers_may_submit_that_job_to_that_queue_alone(synthed: MakeJob) -> None:
    template = synthed(compute=Batch())
    name = properties(template, queue(template))["JobQueueName"]
    found = {
        statement["Action"][0]: statement["Resource"]
        for statement in statements(template, "InvokerRole")
        if statement["Action"][0].startswith("batch:")
    }
    assert found == {
        "batch:SubmitJob": sub(f"{BATCH}:job-queue/{name}", f"{BATCH}:job-definition/demo_dev_a:*"),
        "batch:DescribeJobs": ["*"],
        "batch:TerminateJob": sub(f"{BATCH}:job/*"),
    }
    assert not of_type(template, "AWS::IAM::ManagedPolicy")


def test_its_invoker_knows_queue_and_definition_and_hears_of_the_end(synthed: MakeJob) -> None:
    template = synthed(compute=Batch())
    variables = properties(template, "AJobInvoker")["Environment"]["Variables"]
    assert json.loads(variables["DEVBRIDGE_PLACE"]["Fn::Sub"]) == {
        "queue": f"${{{queue(template)}}}",
        "definition": "${AJobDefinition}",
    }
    assert properties(template, "AJobEnded")["EventPattern"] == {
        "source": ["aws.batch"],
        "detail-type": ["Batch Job State Change"],
        "detail": {
            "status": ["FAILED", "SUCCEEDED"],
            "jobDefinition": [{"prefix": {"Fn::Sub": f"{BATCH}:job-definition/demo_dev_a:"}}],
        },
    }


def test_a_container_job_runs_its_command_with_a_shell(contained: MakeJob) -> None:
    template = contained(compute=Batch(), retries=1)
    made = container(template)
    assert made["Image"] == f"{IMAGES}/devbridge/demo/dev:a-1"
    assert made["Command"][:2] == ["/bin/sh", "-c"]
    found = allowed(template, "AJobExecutionRole")
    assert found["ecr:BatchGetImage"]


def test_on_a_stage_of_dev_a_live_job_has_its_role_alone(synthed: MakeJob) -> None:
    template = synthed(compute=Batch(), mode="dev")
    assert not [kind for kind in template.labels if kind.startswith("Batch")]
    assert not of_type(template, "AWS::Batch::JobDefinition")
    assert trusted(template) == [{"Service": "ecs-tasks.amazonaws.com"}, {"AWS": DEVELOPER}]
