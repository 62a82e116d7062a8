"""A job's project: each option, on a stage of `devbridge dev` and on a deployed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job, Vpc
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.compute.buildspecs import BUILDSPEC, PLACEHOLDER
from devbridge.deploy.synth.compute.codebuild import pins
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    DEVELOPER,
    IMAGES,
    allowed,
    made,
    properties,
    resources,
    statements,
    variables,
)

VPC = Vpc(
    "vpc-0123456789abcdef0",
    subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    security_groups=["sg-0123456789abcdef0"],
)


DIGEST = "sha256:" + "0123" * 16


def project(template: Template) -> dict[str, Any]:
    return properties(template, "AJobProject")


def invoker(template: Template) -> dict[str, Any]:
    return properties(template, "AJobInvoker")


def sub(*texts: str) -> list[dict[str, str]]:
    return [{"Fn::Sub": text} for text in texts]


def trusted(template: Template, role: str = "AJobRole") -> list[dict[str, Any]]:
    document = properties(template, role)["AssumeRolePolicyDocument"]
    return [statement["Principal"] for statement in document["Statement"]]


def test_a_job_is_a_codebuild_project_with_its_size_timeout_and_environment(app: App) -> None:
    template = made(app)
    project = properties(template, "MyJobJobProject")
    assert project["Name"] == "demo_dev_my-job"
    assert project["TimeoutInMinutes"] == 95
    assert project["Environment"]["ComputeType"] == "BUILD_GENERAL1_MEDIUM"
    assert variables(template, "MyJobJobProject") == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB_NAME": "my-job",
        "COLOUR": "red",
        "DEVBRIDGE_Table_tableName_notes": {"Ref": "NotesTable"},
    }


def test_the_jobs_role_trusts_codebuild_and_the_developer_and_nobody_else(app: App) -> None:
    role = resources(made(app))["MyJobJobRole"]["Properties"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "codebuild.amazonaws.com"},
        },
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"AWS": DEVELOPER}},
    ]


def test_the_jobs_role_has_what_bind_and_permissions_give_and_its_log_group(app: App) -> None:
    table, extra, logs = statements(made(app), "MyJobJobRole")
    assert table["Resource"] == [
        {"Fn::GetAtt": ["NotesTable", "Arn"]},
        {"Fn::Sub": "${NotesTable.Arn}/index/*"},
    ]
    assert {"dynamodb:PutItem", "dynamodb:Query"} < set(table["Action"])
    assert not {"dynamodb:DeleteTable", "dynamodb:*"} & set(table["Action"])
    assert (extra["Action"], extra["Resource"]) == (["s3:GetObject"], ["arn:aws:s3:::b/*"])
    assert logs["Resource"] == [{"Fn::GetAtt": ["MyJobJobLogs", "Arn"]}]


def test_a_deployed_job_starts_from_its_zip_in_the_base_image_of_its_python(
    synthed: MakeJob,
) -> None:
    made = project(synthed())
    assert made["Source"] == {"Type": "S3", "Location": "assets/a.zip", "BuildSpec": BUILDSPEC}
    assert made["Environment"]["Image"] == "public.ecr.aws/lambda/python:3.11"
    assert made["Environment"]["ImagePullCredentialsType"] == "SERVICE_ROLE"
    assert made["Environment"]["Type"] == "LINUX_CONTAINER"
    assert made["QueuedTimeoutInMinutes"] == 480
    assert "ConcurrentBuildLimit" not in made
    assert "SecondarySources" not in made


def test_what_a_job_imports_is_a_source_of_its_own_that_only_its_role_may_read(
    synthed: MakeJob,
) -> None:
    template = synthed(install=["polars"])
    assert project(template)["SecondarySources"] == [
        {"Type": "S3", "Location": "assets/packages.zip", "SourceIdentifier": "packages"}
    ]
    bucket = "arn:${AWS::Partition}:s3:::assets"
    assert allowed(template, "AJobRole")["s3:GetObjectVersion"] == [
        *sub(f"{bucket}/a.zip"),
        *sub(f"{bucket}/packages.zip"),
    ]


@pytest.mark.parametrize("runtime", ["python3.11", "python3.12", "python3.13"])
@pytest.mark.parametrize(
    ("architecture", "suffix", "kind"),
    [("x86_64", "", "LINUX_CONTAINER"), ("arm64", "-arm64", "ARM_CONTAINER")],
)
def test_the_image_is_that_of_the_runtime_and_the_architecture(
    runtime: str, architecture: str, suffix: str, kind: str, synthed: MakeJob
) -> None:
    made = project(synthed(runtime=runtime, architecture=architecture))["Environment"]
    version = runtime.removeprefix("python")
    assert made["Image"] == f"public.ecr.aws/lambda/python:{version}{suffix}"
    assert made["Type"] == kind


@pytest.mark.parametrize(
    ("size", "architecture", "compute"),
    [
        ("3 GB", "x86_64", "SMALL"),
        ("7 GB", "x86_64", "MEDIUM"),
        ("15 GB", "x86_64", "LARGE"),
        ("145 GB", "x86_64", "2XLARGE"),
        ("3 GB", "arm64", "SMALL"),
        ("15 GB", "arm64", "LARGE"),
    ],
)
def test_the_memory_chooses_the_machine(
    size: str, architecture: str, compute: str, synthed: MakeJob
) -> None:
    template = synthed(memory_size=size, architecture=architecture)
    assert project(template)["Environment"]["ComputeType"] == f"BUILD_GENERAL1_{compute}"
    assert variables(template, "AJobProject")["DEVBRIDGE_MEMORY_MB"] == str(
        int(size.removesuffix(" GB")) * 1024
    )


@pytest.mark.parametrize(
    ("options", "minutes"),
    [
        ({"timeout": "1 second"}, 6),
        ({"timeout": "5 minutes"}, 10),
        ({"timeout": "36 hours"}, 2160),
        ({"timeout": "1 hour", "retries": 2, "retry_delay": "1 minute"}, 188),
        ({"timeout": "30 hours", "retries": 1}, 2160),
        ({"timeout": "5 minutes", "concurrency": 1}, 10),
    ],
)
def test_a_build_has_time_for_all_attempts_and_their_delays(
    options: dict[str, Any], minutes: int, synthed: MakeJob
) -> None:
    assert project(synthed(**options))["TimeoutInMinutes"] == minutes


def test_the_runner_is_told_all_that_it_must_know(synthed: MakeJob) -> None:
    template = synthed(timeout="90 minutes", retries=2, retry_delay="0.5 seconds", concurrency=3)
    assert variables(template, "AJobProject") == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB_NAME": "a",
        "DEVBRIDGE_HANDLER": "jobs/a.handler",
        "DEVBRIDGE_TIMEOUT": "5400",
        "DEVBRIDGE_ATTEMPTS": "3",
        "DEVBRIDGE_RETRY_DELAY": "0.5",
        "DEVBRIDGE_MEMORY_MB": "3072",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_COMPUTE": "codebuild",
    }


@pytest.mark.parametrize(
    ("retention", "days"), [("14 days", 14), ("1 day", 1), ("3653 days", 3653), ("forever", None)]
)
def test_logs_are_kept_as_long_as_the_job_says(
    retention: str, days: int | None, synthed: MakeJob
) -> None:
    logs = properties(synthed(log_retention=retention), "AJobLogs")
    assert logs.get("RetentionInDays") == days
    assert logs["LogGroupName"] == "/aws/codebuild/demo_dev_a"


def test_a_job_in_a_vpc_may_make_its_network_interface_there_and_only_there(
    synthed: MakeJob,
) -> None:
    template = synthed(vpc=VPC)
    assert project(template)["VpcConfig"] == {
        "VpcId": VPC.id,
        "Subnets": list(VPC.subnets),
        "SecurityGroupIds": list(VPC.security_groups),
    }
    (permission,) = [
        statement
        for statement in statements(template, "AJobRole")
        if "ec2:CreateNetworkInterfacePermission" in statement["Action"]
    ]
    arn = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}"
    assert permission["Resource"] == sub(f"{arn}:network-interface/*")
    assert permission["Condition"] == {
        "StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"},
        "ArnEquals": {"ec2:Subnet": sub(*(f"{arn}:subnet/{subnet}" for subnet in VPC.subnets))},
    }
    assert not [action for action in allowed(synthed(), "AJobRole") if action.startswith("ec2:")]


def test_a_deployed_jobs_role_trusts_codebuild_alone(synthed: MakeJob) -> None:
    assert trusted(synthed()) == [{"Service": "codebuild.amazonaws.com"}]
    assert trusted(synthed(mode="dev")) == [
        {"Service": "codebuild.amazonaws.com"},
        {"AWS": DEVELOPER},
    ]


def test_a_deployed_jobs_role_may_what_its_build_needs_and_no_more(synthed: MakeJob) -> None:
    bucket, own = "arn:${AWS::Partition}:s3:::assets", "demo/dev/a/*"
    checkpoints = f"{bucket}/checkpoints/{own}"
    for options in ({}, {"concurrency": 1}):
        assert allowed(synthed(**options), "AJobRole") == {
            "logs:CreateLogStream": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
            "logs:PutLogEvents": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
            "s3:GetBucketLocation": sub(bucket),
            "s3:GetObjectVersion": sub(f"{bucket}/a.zip"),
            "s3:GetObject": sub(f"{bucket}/a.zip", f"{bucket}/payloads/{own}", checkpoints),
            "s3:DeleteObject": sub(f"{bucket}/payloads/{own}"),
            "s3:PutObject": sub(f"{bucket}/results/{own}", checkpoints),
        }


def test_a_container_job_runs_its_command_in_its_image(contained: MakeJob) -> None:
    template = contained()
    made = project(template)
    assert made["Environment"]["Image"] == f"{IMAGES}/devbridge/demo/dev:a-1"
    assert made["Source"]["Type"] == "NO_SOURCE"
    assert made["TimeoutInMinutes"] == 480
    assert variables(template, "AJobProject")["DEVBRIDGE_ATTEMPTS"] == "1"
    assert "DEVBRIDGE_HANDLER" not in variables(template, "AJobProject")
    assert invoker(template)["Environment"]["Variables"]["DEVBRIDGE_CONTAINER"] == "1"


def test_a_container_jobs_role_may_pull_its_image_and_read_no_asset(contained: MakeJob) -> None:
    found = allowed(contained(), "AJobRole")
    arn = "arn:${AWS::Partition}:ecr:eu-west-1:123456789012"
    assert found["ecr:BatchGetImage"] == sub(f"{arn}:repository/devbridge/demo/dev")
    assert found["ecr:GetAuthorizationToken"] == ["*"]
    assert not [action for action in found if action.startswith("s3:")]


def test_on_a_dev_stage_a_container_job_has_no_image(contained: MakeJob) -> None:
    template = contained(mode="dev")
    assert project(template)["Source"]["BuildSpec"] == PLACEHOLDER
    assert IMAGES not in template.body


@pytest.mark.parametrize(
    ("image", "pulled"),
    [
        (f"public.ecr.aws/lambda/python@{DIGEST}", None),
        (
            f"111122223333.dkr.ecr.eu-north-1.amazonaws.com/base/python@{DIGEST}",
            "arn:${AWS::Partition}:ecr:eu-north-1:111122223333:repository/base/python",
        ),
    ],
)
def test_builds_run_in_the_image_of_that_digest_and_may_pull_it(
    image: str, pulled: str | None, synthed: MakeJob
) -> None:
    template = synthed(image=image)
    assert project(template)["Environment"]["Image"] == image
    may = allowed(template, "AJobRole")
    assert may.get("ecr:BatchGetImage") == (sub(pulled) if pulled else None)


def test_a_cloud_that_runs_no_images_gets_the_tag_that_it_knows(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", image=f"public.ecr.aws/lambda/python@{DIGEST}")
    image = properties(made(app, mode="deployed", tls=False), "AJobProject")["Environment"]["Image"]
    assert image == "public.ecr.aws/lambda/python:3.11"


def test_a_project_is_pinned_to_versions_of_its_code_and_its_packages() -> None:
    properties = {
        "Source": {"Type": "S3", "Location": "bucket/assets/demo/a.zip"},
        "SourceVersion": "1",
        "SecondarySources": [
            {"SourceIdentifier": "packages", "Location": "bucket/p.zip"},
            {"SourceIdentifier": "more", "Location": "bucket/m.zip"},
        ],
        "SecondarySourceVersions": [{"SourceIdentifier": "packages", "SourceVersion": "2"}],
    }
    assert [*pins(properties)] == [
        ("assets/demo/a.zip", "1"),
        ("p.zip", "2"),
        ("m.zip", ""),
    ]


def test_a_project_without_zips_has_none() -> None:
    assert [*pins({"Source": {"Type": "NO_SOURCE"}})] == [("", "")]
    assert [*pins({})] == [("", "")]
