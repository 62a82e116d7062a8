"""Each option of a job, on a stage of `devbridge dev` and on a deployed one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from devbridge.constructs import App, Container, Job, Vpc
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.buildspecs import BUILDSPEC, PLACEHOLDER, container_buildspec
from devbridge.names import Mode
from tests.unit.deploy.templates import (
    DEVELOPER,
    IMAGES,
    allowed,
    lint,
    made,
    of_type,
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
MakeJob = Callable[..., Template]


@pytest.fixture
def synthed(root: Path) -> MakeJob:
    """Makes the template of an app with one job, "a"; cfn-lint must find nothing wrong."""

    def make(*, mode: Mode = "deployed", stage: str = "queue", **options: Any) -> Template:
        if options.get("runtime") != "container":
            options.setdefault("handler", "jobs/a.handler")
        with loading(root):
            app = App("demo")
            Job(app, "a", **options)
        template = made(app, mode=mode, offline=stage)
        assert lint(template) == []
        return template

    return make


def project(template: Template) -> dict[str, Any]:
    return properties(template, "AJobProject")


def invoker(template: Template) -> dict[str, Any]:
    return properties(template, "AJobInvoker")


def sub(*texts: str) -> list[dict[str, str]]:
    return [{"Fn::Sub": text} for text in texts]


def trusted(template: Template, role: str = "AJobRole") -> list[dict[str, Any]]:
    document = properties(template, role)["AssumeRolePolicyDocument"]
    return [statement["Principal"] for statement in document["Statement"]]


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
        ({"timeout": "5 minutes"}, 10),
        ({"timeout": "36 hours"}, 2160),
        ({"timeout": "1 hour", "retries": 2, "retry_delay": "1 minute"}, 188),
        ({"timeout": "30 hours", "retries": 1}, 2160),
        ({"timeout": "5 minutes", "concurrency": 1}, 2160),
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
        "DEVBRIDGE_CONCURRENCY": "3",
        "DEVBRIDGE_MEMORY_MB": "3072",
        "DEVBRIDGE_BUCKET": "assets",
    }


def test_without_a_limit_the_runner_waits_for_nobody(synthed: MakeJob) -> None:
    assert "DEVBRIDGE_CONCURRENCY" not in variables(synthed(), "AJobProject")


def test_the_build_exports_how_the_run_has_ended() -> None:
    spec = yaml.safe_load(BUILDSPEC)
    assert spec["version"] == 0.2
    assert spec["env"]["exported-variables"] == [
        *("DEVBRIDGE_STATE", "DEVBRIDGE_RESULT", "DEVBRIDGE_ERROR", "DEVBRIDGE_ATTEMPT"),
        "DEVBRIDGE_STARTED",
    ]
    assert spec["phases"]["build"]["commands"] == ["python3 -m runner build"]


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
    bucket = "arn:${AWS::Partition}:s3:::assets"
    assert allowed(synthed(), "AJobRole") == {
        "logs:CreateLogStream": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
        "logs:PutLogEvents": [{"Fn::GetAtt": ["AJobLogs", "Arn"]}],
        "s3:GetBucketLocation": sub(bucket),
        "s3:GetObjectVersion": sub(f"{bucket}/a.zip"),
        "s3:GetObject": sub(f"{bucket}/payloads/demo/dev/a/*"),
        "s3:DeleteObject": sub(f"{bucket}/payloads/demo/dev/a/*"),
        "s3:PutObject": sub(f"{bucket}/results/demo/dev/a/*"),
    }
    assert {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": sub(f"{bucket}/a.zip"),
    } in statements(synthed(), "AJobRole")


def test_with_a_limit_the_role_may_look_at_its_own_builds(synthed: MakeJob) -> None:
    own = "arn:${AWS::Partition}:codebuild:${AWS::Region}:${AWS::AccountId}:project/demo_dev_a"
    found = allowed(synthed(concurrency=1), "AJobRole")
    assert found["codebuild:ListBuildsForProject"] == found["codebuild:BatchGetBuilds"] == sub(own)
    assert "codebuild:StartBuild" not in found


def test_a_deployed_jobs_invoker_starts_builds(synthed: MakeJob) -> None:
    template = synthed()
    made = invoker(template)
    assert made["Handler"] == "stub_lambda/deployed.handler"
    assert made["Code"] == {"S3Bucket": "assets", "S3Key": "invoker.zip"}
    assert made["Environment"]["Variables"] == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "a",
        "DEVBRIDGE_PROJECT": "demo_dev_a",
        "DEVBRIDGE_BUCKET": "assets",
    }
    assert made["Role"] == {"Fn::GetAtt": ["InvokerRole", "Arn"]}
    assert "StubRole" not in resources(template)


def test_the_invokers_role_may_start_those_builds_and_pass_their_payloads(
    synthed: MakeJob,
) -> None:
    bucket = "arn:${AWS::Partition}:s3:::assets"
    own = "arn:${AWS::Partition}:codebuild:${AWS::Region}:${AWS::AccountId}:project/demo_dev_a"
    template = synthed()
    found = allowed(template, "InvokerRole")
    for action in ("StartBuild", "StopBuild", "BatchGetBuilds", "ListBuildsForProject"):
        assert found[f"codebuild:{action}"] == sub(own)
    granted = [
        (statement["Action"], statement["Resource"])
        for statement in statements(template, "InvokerRole")
        if statement["Action"][0].startswith("s3:")
    ]
    assert granted == [
        (["s3:DeleteObject", "s3:PutObject"], sub(f"{bucket}/payloads/demo/dev/*")),
        (["s3:GetObject", "s3:PutObject"], sub(f"{bucket}/runs/demo/dev/*")),
        (["s3:GetObject"], sub(f"{bucket}/results/demo/dev/*")),
    ]


@pytest.mark.parametrize(
    ("of_app", "of_job", "inline"),
    [
        ({}, {}, False),
        ({"payload": "inline"}, {}, True),
        ({"payload": "inline"}, {"payload": "s3"}, False),
        ({"payload": "s3"}, {"payload": "inline"}, True),
    ],
)
def test_runner_and_invoker_are_told_that_payloads_may_be_inline(
    root: Path, of_app: Any, of_job: Any, inline: bool
) -> None:
    with loading(root):
        app = App("demo", **of_app)
        Job(app, "a", handler="jobs/a.handler", **of_job)
    template = made(app, mode="deployed")
    for found in (
        variables(template, "AJobProject"),
        properties(template, "AJobInvoker")["Environment"]["Variables"],
    ):
        assert found.get("DEVBRIDGE_INLINE") == ("1" if inline else None)


def test_a_deployed_stage_has_no_permission_for_iot_anywhere(synthed: MakeJob) -> None:
    template = synthed()
    for role in of_type(template, "AWS::IAM::Role"):
        if role != "BindRole":
            assert not [a for a in allowed(template, role) if a.startswith("iot:")]
    assert "iot" not in template.body


def test_on_a_dev_stage_the_project_is_empty_and_the_stub_answers(synthed: MakeJob) -> None:
    template = synthed(mode="dev", concurrency=2)
    assert project(template)["Source"] == {"Type": "NO_SOURCE", "BuildSpec": PLACEHOLDER}
    assert invoker(template)["Handler"] == "stub_lambda/handler.handler"
    assert "InvokerRole" not in resources(template)
    assert not [a for a in allowed(template, "AJobRole") if not a.startswith("logs:")]


def test_a_job_that_may_not_run_live_is_deployed_on_a_dev_stage_too(synthed: MakeJob) -> None:
    template = synthed(mode="dev", enable_live_dev=False)
    assert project(template)["Source"]["Location"] == "assets/a.zip"
    assert invoker(template)["Handler"] == "stub_lambda/deployed.handler"
    assert "DEVBRIDGE_OFFLINE" not in invoker(template)["Environment"]["Variables"]
    assert "StubRole" not in resources(template)


@pytest.mark.parametrize("options", [{"offline": "cloud"}, {"stage": "cloud"}])
def test_a_job_with_the_offline_policy_cloud_has_a_stub_that_may_start_builds(
    options: dict[str, str], synthed: MakeJob
) -> None:
    template = synthed(mode="dev", **options)
    assert project(template)["Source"]["Location"] == "assets/a.zip"
    made = invoker(template)
    assert made["Handler"] == "stub_lambda/handler.handler"
    assert made["Environment"]["Variables"]["DEVBRIDGE_PROJECT"] == "demo_dev_a"
    assert made["Environment"]["Variables"]["DEVBRIDGE_BUCKET"] == "assets"
    found = allowed(template, "StubRole")
    assert "codebuild:StartBuild" in found
    assert "s3:PutObject" in found


@pytest.fixture
def contained(root: Path, synthed: MakeJob) -> MakeJob:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").write_text("FROM scratch\n")

    def make(*, cmd: list[str] | None = None, **options: Any) -> Template:
        container = Container("render", cmd=cmd or ["./run", "a b", "$HOME"])
        return synthed(runtime="container", container=container, **options)

    return make


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
    arn = "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}"
    assert found["ecr:BatchGetImage"] == sub(f"{arn}:repository/devbridge/demo/dev")
    assert found["ecr:GetAuthorizationToken"] == ["*"]
    assert not [action for action in found if action.startswith("s3:")]


def test_on_a_dev_stage_a_container_job_has_no_image(contained: MakeJob) -> None:
    template = contained(mode="dev")
    assert project(template)["Source"]["BuildSpec"] == PLACEHOLDER
    assert IMAGES not in template.body


def run_buildspec(folder: Path, cmd: list[str], delays: list[float]) -> tuple[int, str]:
    """What a container's build does, with what it exports as its last line of output."""
    (script,) = json.loads(container_buildspec(cmd, delays))["phases"]["build"]["commands"]
    told = 'echo "$DEVBRIDGE_STATE|$DEVBRIDGE_ATTEMPT|$DEVBRIDGE_ERROR"'
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script}\ncode=$?\n{told}\nexit $code"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "DEVBRIDGE_PAYLOAD": '{"a": 1}'},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout


def test_a_command_gets_its_arguments_and_payload_as_they_are(tmp_path: Path) -> None:
    cmd = ["sh", "-c", 'printf "%s\\n" "$0" "$DEVBRIDGE_PAYLOAD"', "a 'b' $HOME\n\"c\""]
    code, output = run_buildspec(tmp_path, cmd, [])
    assert (code, output) == (0, "a 'b' $HOME\n\"c\"\n" + '{"a": 1}\nSUCCEEDED|1|\n')


def test_a_command_that_fails_is_tried_again_and_then_tells_its_exit_code(tmp_path: Path) -> None:
    code, output = run_buildspec(tmp_path, ["sh", "-c", "echo x; exit 3"], [0, 0.01])
    assert code != 0
    *lines, told = output.splitlines()
    assert lines == ["x", "x", "x"]
    state, attempt, error = told.split("|")
    assert (state, attempt) == ("FAILED", "3")
    assert json.loads(error) == {
        "type": "CommandFailed",
        "message": "the command exited with code 3",
    }


def test_a_command_that_succeeds_at_last_has_succeeded(tmp_path: Path) -> None:
    cmd = ["sh", "-c", "[ -f again ] || { touch again; exit 1; }"]
    assert run_buildspec(tmp_path, cmd, [0, 0]) == (0, "SUCCEEDED|2|\n")


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


DIGEST = "sha256:" + "0f" * 32


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
