"""A job in Fargate: each option, its roles, and what its invoker may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Fargate
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.compute.test_codebuild import DIGEST, VPC, sub, trusted
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    DEVELOPER,
    IMAGES,
    NETWORK,
    allowed,
    container_variables,
    lint,
    made,
    of_type,
    properties,
    resources,
    statements,
)

ECS = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}"


def task(template: Template) -> dict[str, Any]:
    return properties(template, "AJobTask")


def container(template: Template) -> dict[str, Any]:
    (found,) = task(template)["ContainerDefinitions"]
    return dict(found)


def place(template: Template) -> dict[str, Any]:
    found = properties(template, "AJobInvoker")["Environment"]["Variables"]["DEVBRIDGE_PLACE"]
    parsed: dict[str, Any] = json.loads(found["Fn::Sub"])
    return parsed


def test_a_job_is_a_task_definition_of_its_size(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate(cpu=0.5, memory="4 GB", disk="100 GB"), architecture="arm64")
    made = task(template)
    assert made["Family"] == "demo_dev_a"
    assert (made["Cpu"], made["Memory"]) == ("512", "4096")
    assert made["EphemeralStorage"] == {"SizeInGiB": 100}
    assert made["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert made["RequiresCompatibilities"] == ["FARGATE"]
    assert made["TaskRoleArn"] == {"Fn::GetAtt": ["AJobRole", "Arn"]}
    assert not of_type(template, "AWS::CodeBuild::Project")
    assert "EphemeralStorage" not in task(synthed(compute=Fargate()))


def test_its_container_fetches_its_code_in_the_public_image_of_its_python(
    synthed: MakeJob,
) -> None:
    template = synthed(
        compute=Fargate(), runtime="python3.12", retries=1, timeout="1 hour", install=["polars"]
    )
    made = container(template)
    assert made["Name"] == "job"
    assert made["Image"] == "public.ecr.aws/docker/library/python:3.12-slim"
    assert made["EntryPoint"][:2] == ["python3", "-c"]
    compile(made["EntryPoint"][2], "fetch.py", "exec")
    assert made["StopTimeout"] == 120
    assert container_variables(made) == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB_NAME": "a",
        "DEVBRIDGE_HANDLER": "jobs/a.handler",
        "DEVBRIDGE_TIMEOUT": "3600",
        "DEVBRIDGE_ATTEMPTS": "2",
        "DEVBRIDGE_RETRY_DELAY": "1",
        "DEVBRIDGE_MEMORY_MB": "2048",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_COMPUTE": "fargate",
        "DEVBRIDGE_CODE": "a.zip",
        "DEVBRIDGE_PACKAGES": "packages.zip",
        "DEVBRIDGE_GRACE": "120",
        "AWS_REGION": {"Ref": "AWS::Region"},
        "AWS_DEFAULT_REGION": {"Ref": "AWS::Region"},
    }
    assert made["LogConfiguration"]["Options"] == {
        "awslogs-group": {"Ref": "AJobLogs"},
        "awslogs-region": {"Ref": "AWS::Region"},
        "awslogs-stream-prefix": "job",
    }


def test_its_role_reads_its_own_code_and_keeps_its_own_runs(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate())
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


def test_what_ecs_needs_before_has_a_role_of_its_own(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate())
    assert trusted(template, "AJobExecutionRole") == [{"Service": "ecs-tasks.amazonaws.com"}]
    assert allowed(template, "AJobExecutionRole") == {
        "logs:CreateLogStream": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
        "logs:PutLogEvents": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
    }


def test_an_image_of_the_users_own_is_pulled_with_that_role(synthed: MakeJob) -> None:
    own = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/base/python@{DIGEST}"
    template = synthed(compute=Fargate(), image=own)
    assert container(template)["Image"] == own
    found = allowed(template, "AJobExecutionRole")
    arn = "arn:${AWS::Partition}:ecr:eu-west-1:123456789012:repository/base/python"
    assert found["ecr:BatchGetImage"] == sub(arn)
    assert not [action for action in allowed(template, "AJobRole") if action.startswith("ecr:")]


def test_a_container_job_runs_its_command_as_often_as_it_says(contained: MakeJob) -> None:
    template = contained(compute=Fargate(), retries=1, retry_delay="2 seconds")
    made = container(template)
    assert made["Image"] == f"{IMAGES}/devbridge/demo/dev:a-1"
    shell, option, script = made["EntryPoint"]
    assert (shell, option) == ("/bin/sh", "-c")
    assert "for DEVBRIDGE_DELAY in 2 ''" in script
    assert "./run 'a b' '$HOME' &" in script
    assert "Policies" not in properties(template, "AJobRole")


def test_it_runs_in_the_default_vpc_with_a_public_address_or_in_the_jobs_own(
    synthed: MakeJob,
) -> None:
    assert place(synthed(compute=Fargate(spot=True))) == {
        "cluster": "demo_dev",
        "definition": "${AJobTask}",
        "container": "job",
        "subnets": list(NETWORK.subnets),
        "groups": list(NETWORK.groups),
        "publicIp": True,
        "spot": True,
    }
    found = place(synthed(compute=Fargate(), vpc=VPC))
    assert (found["subnets"], found["groups"]) == (list(VPC.subnets), list(VPC.security_groups))
    assert (found["publicIp"], found["spot"]) == (False, False)


def test_the_invokers_may_run_and_stop_its_tasks_in_the_stages_cluster_alone(
    synthed: MakeJob,
) -> None:
    template = synthed(compute=Fargate())
    cluster = {"ArnEquals": {"ecs:cluster": {"Fn::Sub": f"{ECS}:cluster/demo_dev"}}}
    found = {
        statement["Action"][0]: (statement["Resource"], statement.get("Condition"))
        for statement in statements(template, "InvokerRole")
        if statement["Action"][0].startswith("ecs:")
    }
    assert found == {
        "ecs:RunTask": (sub(f"{ECS}:task-definition/demo_dev_a:*"), cluster),
        "ecs:DescribeTasks": (sub(f"{ECS}:task/demo_dev/*"), None),
    }


def test_the_invokers_hand_over_the_two_roles_of_the_task_to_ecs_alone(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate())
    policy = properties(template, "InvokerRolePasses1")
    assert policy["Roles"] == [{"Ref": "InvokerRole"}]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [
                {"Fn::GetAtt": ["AJobRole", "Arn"]},
                {"Fn::GetAtt": ["AJobExecutionRole", "Arn"]},
            ],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }
    ]


def test_its_invoker_hears_of_tasks_that_have_stopped(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate())
    rule = properties(template, "AJobEnded")
    assert rule["EventPattern"] == {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {
            "lastStatus": ["STOPPED"],
            "taskDefinitionArn": [{"prefix": {"Fn::Sub": f"{ECS}:task-definition/demo_dev_a:"}}],
        },
    }
    assert rule["Targets"] == [{"Id": "invoker", "Arn": {"Fn::GetAtt": ["AJobInvoker", "Arn"]}}]


def test_on_a_stage_of_dev_a_live_job_has_its_role_alone(synthed: MakeJob) -> None:
    template = synthed(compute=Fargate(), mode="dev")
    assert not of_type(template, "AWS::ECS::TaskDefinition")
    assert not of_type(template, "AWS::ECS::Cluster")
    assert not of_type(template, "AWS::Events::Rule")
    assert trusted(template) == [{"Service": "ecs-tasks.amazonaws.com"}, {"AWS": DEVELOPER}]
    assert properties(template, "AJobInvoker")["Handler"] == "stub_lambda/handler.handler"
    assert "DEVBRIDGE_PLACE" not in properties(template, "AJobInvoker")["Environment"]["Variables"]


@pytest.mark.parametrize("options", [{"offline": "cloud"}, {"stage": "cloud"}])
def test_on_a_stage_of_dev_the_cloud_may_run_it_while_the_laptop_is_off(
    options: dict[str, str], synthed: MakeJob
) -> None:
    template = synthed(compute=Fargate(), mode="dev", **options)
    assert place(template)["cluster"] == "demo_dev"
    assert "ecs:RunTask" in allowed(template, "StubRole")
    assert properties(template, "StubRolePasses1")["Roles"] == [{"Ref": "StubRole"}]


def test_jobs_share_a_cluster_and_those_that_bind_each_other_do_not_depend_on_themselves(
    root: Path,
) -> None:
    with loading(root):
        app = App("demo")
        first = Job(app, "one", handler="jobs/a.handler", compute=Fargate())
        Job(app, "two", handler="jobs/a.handler", bind=[first], compute=Fargate(spot=True))
        Job(app, "three", handler="jobs/a.handler", bind=[first])
    template = made(app, mode="deployed")
    assert lint(template) == []
    assert len(of_type(template, "AWS::ECS::Cluster")) == 1
    assert resources(template)["Cluster"]["Properties"]["CapacityProviders"] == [
        "FARGATE",
        "FARGATE_SPOT",
    ]


def test_runs_start_from_the_zips_that_were_verified(root: Path) -> None:
    from dataclasses import replace

    from devbridge.deploy.synth.app import synth
    from devbridge.deploy.synth.stack import Assets, Settings

    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", compute=Fargate(), vpc=VPC)
    assets = Assets("assets", "", "invoker.zip", {}, jobs={"a": "a.zip"})
    assets = replace(assets, versions={"a.zip": "v1"})
    template = synth(app, Settings("prod", "", "", "3.11", mode="deployed"), assets)
    assert container_variables(container(template))["DEVBRIDGE_CODE"] == "a.zip@v1"
