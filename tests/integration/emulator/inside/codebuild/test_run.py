"""CodeBuild on the embedded cloud: builds run, and everything about them is as on AWS."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.emulator.embedded import open_cloud
from devbridge.emulator.inside.machines import environment
from devbridge.emulator.state import Running
from devbridge.runs.builds import interpret
from devbridge.runs.model import State
from tests.clients import reset, root_client
from tests.integration.codebuild import (
    GROUP,
    PROJECT,
    CodeBuild,
    allow,
    buildspec,
    context,
    phase,
    put_zip,
    statuses,
)
from tests.waiting import eventually, gone, text_of

OWN_IMAGE = f"public.ecr.aws/lambda/python:{sys.version_info[0]}.{sys.version_info[1]}"
ALL = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD"]
ALL += ["POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING"]


@pytest.fixture
def codebuild(local_cloud: Cloud) -> CodeBuild:
    return CodeBuild(local_cloud)


def as_(codebuild: CodeBuild, **settings: Any) -> Any:
    """Another client."""
    return root_client(str(codebuild.cloud.endpoint_url), "codebuild", **settings)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# phases and their commands


def test_a_build_goes_through_all_phases_in_order(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec(
            "echo building",
            phases={
                "install": {"commands": ["echo installing"]},
                "pre_build": {"commands": ["echo before"]},
                "post_build": {"commands": ["echo after"]},
            },
        )
    )
    build = codebuild.run()
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["currentPhase"] == "COMPLETED"
    assert statuses(build) == {**dict.fromkeys(ALL, "SUCCEEDED"), "COMPLETED": None}
    assert codebuild.lines(build) == ["installing", "before", "building", "after"]
    moments = [each[key] for each in build["phases"][:-1] for key in ("startTime", "endTime")]
    assert moments == sorted(moments)
    assert build["startTime"] <= moments[0] <= build["endTime"]
    assert build["logs"]["groupName"] == GROUP
    assert build["id"] == f"{PROJECT}:{build['logs']['streamName']}"
    assert build["arn"].endswith(f":build/{build['id']}")


def test_the_directory_and_variables_persist_from_command_to_command(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec(
            "mkdir 'a b' && cd 'a b'",
            'A="it\'s \\"x\\"\ntwo"; export B=b; unset GONE',
            "unset B",
            phases={"post_build": {"commands": ['pwd; echo "$A"; echo "${B-no} ${GONE-no}"']}},
        ),
        variables=[{"name": "GONE", "value": "there"}],
    )
    where, *lines = codebuild.lines(codebuild.run())
    assert where.endswith("/src/a b")
    assert lines == ['it\'s "x"', "two", "no no"]


@pytest.mark.parametrize("command", ["exit 3", "sh -c 'exit 3'", "(exit 3)", "set -e; (exit 3)"])
def test_a_failing_command_ends_its_phase_and_post_build_still_runs(
    codebuild: CodeBuild, command: str
) -> None:
    codebuild.make_project(
        buildspec(
            "cd /; A=kept",
            command,
            "echo never",
            phases={
                "post_build": {"commands": ["echo $CODEBUILD_BUILD_SUCCEEDING $A; pwd"]},
            },
        )
    )
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    assert statuses(build)["BUILD"] == "FAILED"
    assert statuses(build)["POST_BUILD"] == "SUCCEEDED"
    assert context(build, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        f"Error while executing command: {command}. Reason: exit status 3",
    )
    assert codebuild.lines(build) == ["0 kept", "/"]
    assert "Phase complete: BUILD State: FAILED" in codebuild.lines(build, own=True)


def test_a_command_that_is_no_shell_fails_like_any_other(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("if then", phases={"post_build": {"commands": ["echo on"]}}))
    build = codebuild.run()
    assert context(build, "BUILD")[1].endswith("Reason: exit status 2")
    assert codebuild.lines(build)[-1] == "on"


def test_a_command_that_dies_of_a_signal_is_told_so(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("kill -9 $$"))
    assert context(codebuild.run(), "BUILD")[1].endswith("Reason: signal: killed")


def test_after_a_failed_pre_build_nothing_else_runs(codebuild: CodeBuild) -> None:
    phases = {"pre_build": {"commands": ["false"]}, "post_build": {"commands": ["echo never"]}}
    codebuild.make_project(buildspec("echo never", phases=phases))
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    assert list(statuses(build))[-3:] == ["PRE_BUILD", "FINALIZING", "COMPLETED"]
    assert codebuild.lines(build) == []


def test_on_failure_and_finally_are_honoured(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec(
            phases={
                "pre_build": {"commands": ["false"], "on-failure": "CONTINUE"},
                "build": {"commands": ["false"], "finally": ["echo last"], "on-failure": "ABORT"},
                "post_build": {"commands": ["echo never"]},
            }
        )
    )
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    assert codebuild.lines(build) == ["last"]


def test_exported_variables_are_in_the_record(codebuild: CodeBuild) -> None:
    spec = buildspec(
        'printf \'export LATE="2 x"\\n\' > exports; A="1 \u2028 =\n\'"',
        env={"variables": {"E": ""}, "exported-variables": ["A", "LATE", "NEVER", "E"]},
        phases={"post_build": {"commands": [". ./exports"]}},
    )
    codebuild.make_project(spec)
    build = codebuild.run()
    assert build["exportedEnvironmentVariables"] == [
        {"name": "A", "value": "1 \u2028 =\n'"},
        {"name": "LATE", "value": "2 x"},
        {"name": "E", "value": ""},
    ]


# environment


def test_a_build_sees_its_own_environment_and_nothing_of_the_developer_s(
    codebuild: CodeBuild,
) -> None:
    codebuild.make_project(buildspec("env"), variables=[{"name": "OWN", "value": "v w"}])
    build = codebuild.run()
    seen = dict(line.split("=", 1) for line in codebuild.lines(build))
    assert seen["OWN"] == "v w"
    assert seen["CODEBUILD_BUILD_ID"] == build["id"]
    assert seen["CODEBUILD_BUILD_ARN"] == build["arn"]
    assert seen["CODEBUILD_BUILD_SUCCEEDING"] == "1"
    _, *folders = seen["PATH"].split(os.pathsep)
    assert not [each for each in folders if Path(each).parent.joinpath("pyvenv.cfg").exists()]
    project = codebuild.client.batch_get_projects(names=[PROJECT])["projects"][0]
    assert seen["CODEBUILD_PROJECT_ARN"] == project["arn"]
    assert seen["CODEBUILD_SOURCE_REPO_URL"] == ""
    assert seen["CODEBUILD_INITIATOR"] == build["initiator"] == "root"
    assert seen["CODEBUILD_LOG_PATH"] == build["logs"]["streamName"]
    assert seen["CODEBUILD_START_TIME"] == str(int(build["startTime"].timestamp() * 1000))
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert seen["AWS_ENDPOINT_URL"] == codebuild.cloud.endpoint_url
    assert seen["HOME"] != os.environ.get("HOME")
    known = {
        *environment.of_network(os.environ),
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "PWD",
        "OLDPWD",
        "OWN",
        "SHLVL",
        "_",
    }
    assert not {n for n in seen if not n.startswith(("AWS_", "CODEBUILD_"))} - known
    assert "AWS_ACCESS_KEY_ID" not in seen


def test_overrides_count_more_than_the_project_and_that_more_than_the_buildspec(
    codebuild: CodeBuild,
) -> None:
    spec = buildspec("echo $A $B $C", env={"variables": {"A": "spec", "B": "spec", "C": "spec"}})
    codebuild.make_project(
        spec, variables=[{"name": "B", "value": "project"}, {"name": "C", "value": "project"}]
    )
    build = codebuild.run(environmentVariablesOverride=[{"name": "C", "value": "override"}])
    assert codebuild.lines(build) == ["spec project override"]
    assert build["environment"]["environmentVariables"] == [
        {"name": "B", "value": "project", "type": "PLAINTEXT"},
        {"name": "C", "value": "override", "type": "PLAINTEXT"},
    ]


def test_every_override_is_in_the_record(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("false"), timeoutInMinutes=9, queuedTimeoutInMinutes=8)
    other = codebuild.make_role("other")
    overrides: dict[str, Any] = {
        "sourceTypeOverride": "NO_SOURCE",
        "buildspecOverride": buildspec("true"),
        "environmentTypeOverride": "ARM_CONTAINER",
        "imageOverride": "aws/codebuild/amazonlinux2-aarch64-standard:3.0",
        "computeTypeOverride": "BUILD_GENERAL1_LARGE",
        "serviceRoleOverride": other,
        "timeoutInMinutesOverride": 77,
        "queuedTimeoutInMinutesOverride": 66,
        "privilegedModeOverride": True,
        "cacheOverride": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]},
        "encryptionKeyOverride": "arn:aws:kms:us-east-1:000000000000:key/k",
        "logsConfigOverride": {
            "cloudWatchLogs": {"status": "ENABLED", "groupName": GROUP, "streamName": "s"}
        },
        "imagePullCredentialsTypeOverride": "SERVICE_ROLE",
        "insecureSslOverride": False,
    }
    build = codebuild.run(**overrides)
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["source"]["buildspec"] == overrides["buildspecOverride"]
    environment = build["environment"]
    assert environment["type"] == "ARM_CONTAINER"
    assert environment["image"] == overrides["imageOverride"]
    assert environment["computeType"] == "BUILD_GENERAL1_LARGE"
    assert environment["privilegedMode"] is True
    assert environment["imagePullCredentialsType"] == "SERVICE_ROLE"
    assert build["serviceRole"] == other
    assert (build["timeoutInMinutes"], build["queuedTimeoutInMinutes"]) == (77, 66)
    assert build["cache"] == overrides["cacheOverride"]
    assert build["encryptionKey"] == overrides["encryptionKeyOverride"]
    assert build["logs"]["streamName"] == f"s/{build['id'].split(':')[1]}"


def test_what_a_project_says_beyond_ministack_s_own_is_kept(codebuild: CodeBuild) -> None:
    config = {"cloudWatchLogs": {"status": "ENABLED", "groupName": GROUP + "/own"}}
    codebuild.make_role("builder", allow("logs:*", f"arn:aws:logs:*:*:log-group:{GROUP}/own*"))
    codebuild.make_project(
        buildspec("echo x"),
        logsConfig=config,
        queuedTimeoutInMinutes=7,
        concurrentBuildLimit=3,
        vpcConfig={"vpcId": "vpc-1", "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]},
    )
    (project,) = codebuild.client.batch_get_projects(names=[PROJECT])["projects"]
    assert project["logsConfig"] == config
    assert project["concurrentBuildLimit"] == 3
    build = codebuild.run()
    assert build["logs"]["groupName"] == GROUP + "/own"
    assert build["queuedTimeoutInMinutes"] == 7
    assert build["vpcConfig"]["vpcId"] == "vpc-1"
    assert codebuild.lines(build) == ["x"]


def test_a_template_s_properties_are_kept_and_updated(codebuild: CodeBuild) -> None:
    stacks = codebuild.cloud.client("cloudformation")

    def template(**more: Any) -> str:
        properties = {
            "Name": PROJECT,
            "Source": {"Type": "NO_SOURCE", "BuildSpec": buildspec("true")},
            "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Environment": {
                "Type": "LINUX_CONTAINER",
                "Image": "aws/codebuild/standard:7.0",
                "ComputeType": "BUILD_GENERAL1_SMALL",
            },
            "ServiceRole": "arn:aws:iam::000000000000:role/builder",
            **more,
        }
        project = {"Type": "AWS::CodeBuild::Project", "Properties": properties}
        return json.dumps({"Resources": {"P": project}})

    def project() -> Any:
        return codebuild.client.batch_get_projects(names=[PROJECT])["projects"][0]

    logs = {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": "/own"}}
    stacks.create_stack(
        StackName="s", TemplateBody=template(LogsConfig=logs, QueuedTimeoutInMinutes=6)
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
    assert project()["logsConfig"] == {"cloudWatchLogs": {"status": "ENABLED", "groupName": "/own"}}
    assert project()["queuedTimeoutInMinutes"] == 6
    stacks.update_stack(StackName="s", TemplateBody=template(ConcurrentBuildLimit="2"))
    stacks.get_waiter("stack_update_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
    assert project()["concurrentBuildLimit"] == 2
    assert "logsConfig" not in project()


def test_parameters_and_secrets_are_resolved_with_the_service_role(codebuild: CodeBuild) -> None:
    ssm, secrets = codebuild.cloud.client("ssm"), codebuild.cloud.client("secretsmanager")
    ssm.put_parameter(Name="/app/a", Value="one", Type="SecureString")
    ssm.put_parameter(Name="plain", Value="two", Type="String")
    arn = secrets.create_secret(Name="s", SecretString='{"key": "three", "n": 4}')["ARN"]
    codebuild.make_role(
        "builder",
        allow("ssm:GetParameters", "arn:aws:ssm:us-east-1:000000000000:parameter/app/a"),
        allow("ssm:GetParameters", "arn:aws:ssm:us-east-1:000000000000:parameter/plain"),
        allow("secretsmanager:GetSecretValue", arn),
    )
    codebuild.make_project(
        buildspec(
            'echo "$A $B $C $D $E"',
            env={"parameter-store": {"B": "plain"}, "secrets-manager": {"C": "s:key", "E": "s"}},
        ),
        variables=[
            {"name": "A", "value": "/app/a", "type": "PARAMETER_STORE"},
            {"name": "D", "value": f"{arn}:n", "type": "SECRETS_MANAGER"},
        ],
    )
    build = codebuild.run()
    assert codebuild.lines(build) == ['one two three 4 {"key": "three", "n": 4}']
    assert "one" not in json.dumps(build, default=str)


def test_a_parameter_that_is_missing_or_forbidden_fails_the_build_in_codebuild_s_words(
    codebuild: CodeBuild,
) -> None:
    codebuild.cloud.client("ssm").put_parameter(Name="/no", Value="v", Type="String")
    codebuild.make_role("builder", allow("ssm:GetParameters", "arn:aws:ssm:*:*:parameter/yes/*"))
    codebuild.make_project(buildspec("echo never"))

    def failure(name: str, kind: str = "PARAMETER_STORE") -> tuple[str, str]:
        variable = {"name": "A", "value": name, "type": kind}
        build = codebuild.run(environmentVariablesOverride=[variable])
        assert build["buildStatus"] == "FAILED"
        assert list(statuses(build))[-3:] == ["DOWNLOAD_SOURCE", "FINALIZING", "COMPLETED"]
        assert codebuild.lines(build) == []
        return context(build, "DOWNLOAD_SOURCE")

    assert failure("/yes/x") == (
        "Decrypted Variables Error",
        "parameter does not exist: /yes/x",
    )
    code, message = failure("/no")
    assert code == "Decrypted Variables Error"
    assert message.startswith("AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role")
    assert "is not authorized to perform: ssm:GetParameters" in message
    assert message.count("parameter/no") == 1
    assert failure("s", "SECRETS_MANAGER")[0] == "Secrets Manager Error"


# the service role


def test_a_build_has_its_role_and_nothing_more(codebuild: CodeBuild) -> None:
    codebuild.cloud.client("s3").create_bucket(Bucket="allowed")
    codebuild.cloud.client("s3").create_bucket(Bucket="denied")
    codebuild.make_role("builder", allow("s3:PutObject", "arn:aws:s3:::allowed/*"))
    script = (
        "import boto3, botocore\n"
        "print(boto3.client('sts').get_caller_identity()['Arn'])\n"
        "for b in ('allowed', 'denied'):\n"
        "    try: print(boto3.client('s3').put_object(Bucket=b, Key='k')['ETag'][:1])\n"
        "    except botocore.exceptions.ClientError as e: print(e.response['Error']['Code'])\n"
    )
    codebuild.make_project(buildspec(f"cat > t.py <<'E'\n{script}E\npython3 t.py"))
    build = codebuild.run()
    session = f"AWSCodeBuild-{build['id'].split(':')[1]}"
    assert codebuild.lines(build) == [
        f"arn:aws:sts::000000000000:assumed-role/builder/{session}",
        '"',
        "AccessDenied",
    ]


def test_the_credentials_of_a_build_are_for_who_has_its_token_and_end_with_it(
    codebuild: CodeBuild,
) -> None:
    codebuild.make_project(
        buildspec(
            "echo $AWS_CONTAINER_AUTHORIZATION_TOKEN; U=$AWS_CONTAINER_CREDENTIALS_FULL_URI",
            'curl -s -o /dev/null -w "%{http_code}\\n" $U -H "Authorization: x"',
            'curl -s -o /dev/null -w "%{http_code}\\n" $U',
            'curl -s $U -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN"',
        )
    )
    token, *answers, document = codebuild.lines(codebuild.run())
    assert len(token) >= 32
    assert answers == ["403", "403"]
    assert set(json.loads(document)) == {
        "RoleArn",
        "AccessKeyId",
        "SecretAccessKey",
        "Token",
        "Expiration",
    }
    again = codebuild.run(
        buildspec(
            f"curl -s -o /dev/null -w '%{{http_code}}' $AWS_CONTAINER_CREDENTIALS_FULL_URI"
            f" -H 'Authorization: {token}'"
        )
    )
    assert codebuild.lines(again) == ["403"]


@pytest.mark.parametrize("role", ["missing", "lambdas"])
def test_a_role_that_does_not_admit_codebuild_fails_the_build(
    codebuild: CodeBuild, role: str
) -> None:
    codebuild.make_role("lambdas", trusts="lambda")
    codebuild.make_project(buildspec("true"), serviceRole=f"arn:aws:iam::000000000000:role/{role}")
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    code, message = context(build, "PROVISIONING")
    assert code == "ACCESS_DENIED"
    assert "not authorized to perform: sts:AssumeRole" in message


def test_a_role_that_may_not_write_the_log_fails_the_build(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec("true"),
        logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": "/another"}},
    )
    code, message = context(codebuild.run(), "PROVISIONING")
    assert code == "ACCESS_DENIED"
    assert "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams" in message


# source


def test_the_source_is_an_object_of_s3_read_with_the_role(codebuild: CodeBuild) -> None:
    location = put_zip(
        codebuild.cloud,
        {
            "buildspec.yml": buildspec(
                "ls -R; ./run.sh; echo $CODEBUILD_SOURCE_REPO_URL",
                "pwd; test $CODEBUILD_SRC_DIR = $(pwd)",
            ),
            "run.sh": "#!/bin/sh\necho runs\n",
            "sub/x.txt": "",
        },
    )
    codebuild.make_role("builder", allow("s3:GetObject", f"arn:aws:s3:::{location}"))
    codebuild.make_project(source={"type": "S3", "location": location})
    build = codebuild.run()
    lines = codebuild.lines(build)
    assert build["buildStatus"] == "SUCCEEDED", lines
    assert lines[1:4] == ["buildspec.yml", "run.sh", "sub"]
    assert lines[-3:-1] == ["runs", f"s3://{location}"]
    assert not Path(lines[-1]).exists()  # nothing of a build stays


@pytest.mark.parametrize("allowed", [True, False])
def test_a_source_that_cannot_be_read_fails_the_build(codebuild: CodeBuild, allowed: bool) -> None:
    location = put_zip(codebuild.cloud, {"buildspec.yml": buildspec("true")})
    if allowed:
        codebuild.make_role("builder", allow(["s3:GetObject", "s3:ListBucket"], "*"))
        location += "x"
    codebuild.make_project(source={"type": "S3", "location": location})
    build = codebuild.run()
    code, message = context(build, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    key = location.partition("/")[2]
    why = "NoSuchKey" if allowed else "AccessDenied"
    assert message.startswith(f"error while downloading key {key}, error: {why}: ")
    assert build["buildStatus"] == "FAILED"


def test_further_sources_are_in_folders_of_their_own(codebuild: CodeBuild) -> None:
    location, *others = (
        put_zip(codebuild.cloud, {"x.txt": name}, f"source-{name}")
        for name in ("one", "two", "three")
    )
    codebuild.make_role("builder", allow("s3:GetObject", "*"))
    spec = buildspec("cat x.txt $CODEBUILD_SRC_DIR_two/x.txt $CODEBUILD_SRC_DIR_three/x.txt; ls")
    codebuild.make_project(
        source={"type": "S3", "location": location, "buildspec": spec},
        secondarySources=[
            {"type": "S3", "location": other, "sourceIdentifier": name}
            for name, other in zip(("two", "three"), others, strict=True)
        ],
    )
    build = codebuild.run()
    assert codebuild.lines(build) == ["onetwothreex.txt"]
    assert [each["sourceIdentifier"] for each in build["secondarySources"]] == ["two", "three"]

    gone = [{"type": "S3", "location": f"{location}x", "sourceIdentifier": "two"}]
    failed = codebuild.run(secondarySourcesOverride=gone)
    assert context(failed, "DOWNLOAD_SOURCE")[0] == "CLIENT_ERROR"


def test_the_source_can_be_overridden(codebuild: CodeBuild) -> None:
    location = put_zip(codebuild.cloud, {"other.yml": buildspec("echo from S3")})
    codebuild.make_role("builder", allow("s3:GetObject", f"arn:aws:s3:::{location}"))
    codebuild.make_project(buildspec("echo none"))
    build = codebuild.run(
        sourceTypeOverride="S3", sourceLocationOverride=location, buildspecOverride="other.yml"
    )
    assert codebuild.lines(build) == ["from S3"]
    assert build["source"] == {"type": "S3", "location": location, "buildspec": "other.yml"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("version: 0.2\nphases:\n  build: [", "parsing"),
        ("version: 0.1\nphases: {}\n", "unsupported version 0.1"),
        ("version: 0.2\nphases:\n  bild:\n    commands: [x]\n", "unknown phase 'bild'"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n      - a: b\n", "string type"),
        ("buildspec.yaml", "no such file or directory"),
    ],
)
def test_a_bad_buildspec_fails_the_build(codebuild: CodeBuild, spec: str, words: str) -> None:
    codebuild.make_project(spec)
    code, message = context(codebuild.run(), "DOWNLOAD_SOURCE")
    assert code == "YAML_FILE_ERROR"
    assert words in message


# images


def test_python_is_that_of_the_image_with_boto3_last_and_nothing_of_the_app(
    codebuild: CodeBuild,
) -> None:
    script = (
        "import sys, boto3, importlib.util as u;"
        " print('%d.%d' % sys.version_info[:2], sys.path[-1] in boto3.__file__,"
        " [n for n in ('pytest', 'ministack', 'yaml', 'devbridge') if u.find_spec(n)])"
    )
    codebuild.make_project(buildspec(f'python3 -c "{script}"; python -c ""'), image=OWN_IMAGE)
    minor = OWN_IMAGE.rpartition(":")[2]
    assert codebuild.lines(codebuild.run()) == [f"{minor} True []"]
    build = codebuild.run(imageOverride=OWN_IMAGE + "-arm64")
    assert build["buildStatus"] == "SUCCEEDED"


def test_a_python_that_is_not_here_fails_the_build_and_says_what_to_install(
    codebuild: CodeBuild,
) -> None:
    codebuild.make_project(buildspec("true"), image="public.ecr.aws/lambda/python:3.99")
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    assert "no Python 3.99 on this machine" in context(build, "PROVISIONING")[1]


def test_containers_do_not_run_here_and_the_build_says_so(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("true"), image="0.dkr.ecr.us-east-1.amazonaws.com/x:1")
    build = codebuild.run()
    assert build["buildStatus"] == "FAILED"
    code, message = context(build, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert message.startswith("containers do not run on the embedded cloud")


# log


def test_the_log_has_every_line_in_order(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec("seq 20000; printf 'no end'", "echo ' \u2028\u00e9 '; echo; echo")
    )
    build = codebuild.run()
    lines = codebuild.lines(build)
    assert lines[:20000] == [str(number) for number in range(1, 20001)]
    assert lines[20000:] == ["no end", " \u2028\u00e9 ", "", ""]


def test_bytes_that_are_no_text_and_very_long_lines_do_not_break_the_log(
    codebuild: CodeBuild,
) -> None:
    codebuild.make_project(
        buildspec("printf '\\377\\000\\033[1mx\\r\\n'", "head -c 600000 /dev/zero | tr '\\0' y")
    )
    log = codebuild.log(codebuild.run())
    assert "\n\ufffd\0\x1b[1mx\r\n" in log
    assert log.count("y") >= 600000
    assert "y" * 200_000 in log


def test_the_log_can_be_switched_off(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        buildspec("echo x"), logsConfig={"cloudWatchLogs": {"status": "DISABLED"}}
    )
    build = codebuild.run()
    assert build["buildStatus"] == "SUCCEEDED"
    assert "groupName" not in build["logs"]


def test_output_can_be_read_while_the_build_runs(codebuild: CodeBuild, tmp_path: Path) -> None:
    go = tmp_path / "go"
    codebuild.make_project(buildspec(f"echo early; while ! test -e {go}; do sleep 0.02; done"))
    build_id = codebuild.start()
    eventually(lambda: "groupName" in codebuild.get(build_id)["logs"])
    eventually(lambda: codebuild.lines(codebuild.get(build_id)) == ["early"])
    running = codebuild.get(build_id)
    assert running["buildStatus"] == "IN_PROGRESS"
    assert running["currentPhase"] == "BUILD"
    assert not running["buildComplete"]
    go.touch()
    assert codebuild.ended(build_id)["buildStatus"] == "SUCCEEDED"


# ends from outside


def test_a_stopped_build_s_processes_get_sigterm_and_nothing_else_runs(
    codebuild: CodeBuild, tmp_path: Path
) -> None:
    pids, ended = tmp_path / "pids", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 0' TERM; echo $$ > {pids}; while :; do sleep 0.02; done"
    codebuild.make_project(
        buildspec(f'sh -c "{script}"', phases={"post_build": {"commands": ["echo never"]}})
    )
    build_id = codebuild.start()
    text_of(pids)
    answer = codebuild.client.stop_build(id=build_id)["build"]
    assert answer["buildStatus"] == "STOPPED"
    assert answer["buildComplete"]
    eventually(ended.exists)
    eventually(lambda: gone(int(pids.read_text())))
    build = codebuild.get(build_id)
    assert phase(build, "BUILD")["phaseStatus"] == "STOPPED"
    assert list(statuses(build))[-2:] == ["BUILD", "COMPLETED"]
    assert codebuild.client.stop_build(id=build_id)["build"]["endTime"] == build["endTime"]
    assert "never" not in codebuild.lines(build)


def test_nothing_that_a_build_leaves_running_survives_it(
    codebuild: CodeBuild, tmp_path: Path
) -> None:
    codebuild.make_project(buildspec(f"sleep 1000 & echo $! > {tmp_path}/pid"))
    assert codebuild.run()["buildStatus"] == "SUCCEEDED"
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: gone(pid))


def test_builds_that_wait_for_further_builds_do_not_keep_those_from_running(
    codebuild: CodeBuild, tmp_path: Path
) -> None:
    go, cores = tmp_path / "go", os.cpu_count() or 1
    codebuild.make_project(buildspec(f"while ! test -e {go}; do sleep 0.1; done"))
    parents = [codebuild.start() for _ in range(cores)]
    codebuild.run(buildspec(f"touch {go}"))
    builds = [codebuild.ended(build_id) for build_id in parents]
    assert {build["buildStatus"] for build in builds} == {"SUCCEEDED"}


# the API


def test_a_token_starts_one_build_and_takes_no_other_parameters(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("true"))
    first = codebuild.start(idempotencyToken="t", timeoutInMinutesOverride=5)
    assert codebuild.start(idempotencyToken="t", timeoutInMinutesOverride=5) == first
    code, _ = refusal(lambda: codebuild.start(idempotencyToken="t", timeoutInMinutesOverride=6))
    assert code == "InvalidInputException"
    assert codebuild.start(idempotencyToken="u", timeoutInMinutesOverride=5) != first


def test_a_project_s_limit_of_builds_refuses_the_next(codebuild: CodeBuild, tmp_path: Path) -> None:
    go = tmp_path / "go"
    codebuild.make_project(
        buildspec(f"while ! test -e {go}; do sleep 0.02; done"), concurrentBuildLimit=1
    )
    first = codebuild.start()
    assert refusal(codebuild.start)[0] == "AccountLimitExceededException"
    go.touch()
    codebuild.ended(first)
    codebuild.ended(codebuild.start())


def test_what_does_not_exist_is_refused(codebuild: CodeBuild) -> None:
    client = codebuild.client
    assert refusal(codebuild.start) == (
        "ResourceNotFoundException",
        f"Project cannot be found: arn:aws:codebuild:us-east-1:000000000000:project/{PROJECT}",
    )
    for call in (
        lambda: client.stop_build(id=f"{PROJECT}:x"),
        lambda: client.list_builds_for_project(projectName=PROJECT),
    ):
        assert refusal(call)[0] == "ResourceNotFoundException"
    answer = client.batch_get_builds(ids=[f"{PROJECT}:x"])
    assert answer["builds"] == []
    assert answer["buildsNotFound"] == [f"{PROJECT}:x"]


def test_values_out_of_range_are_refused(codebuild: CodeBuild) -> None:
    codebuild.make_project(buildspec("true"))
    unchecked = ClientConfig(parameter_validation=False)
    client = as_(codebuild, config=unchecked)
    for overrides in ({"timeoutInMinutesOverride": 4}, {"queuedTimeoutInMinutesOverride": 481}):
        code, _ = refusal(partial(client.start_build, projectName=PROJECT, **overrides))
        assert code == "InvalidInputException"
    assert refusal(lambda: client.batch_get_builds(ids=[]))[0] == "InvalidInputException"


def test_builds_are_deleted_but_not_while_they_run(codebuild: CodeBuild, tmp_path: Path) -> None:
    go = tmp_path / "go"
    codebuild.make_project(buildspec("true"))
    done = codebuild.run()
    running = codebuild.start(
        buildspecOverride=buildspec(f"while ! test -e {go}; do sleep 0.02; done")
    )
    answer = codebuild.client.batch_delete_builds(ids=[done["id"], running, "p:x"])
    assert answer["buildsDeleted"] == [done["arn"]]
    assert [each["statusCode"] for each in answer["buildsNotDeleted"]] == [
        "BUILD_IN_PROGRESS",
        "BUILD_NOT_FOUND",
    ]
    go.touch()
    codebuild.ended(running)
    assert codebuild.client.list_builds()["ids"] == [running]


def test_permissions_on_one_project_are_enough_for_its_builds_and_no_others(
    codebuild: CodeBuild,
) -> None:
    codebuild.make_project(buildspec("true"))
    own = codebuild.run()["id"]
    iam = codebuild.cloud.client("iam")
    iam.create_user(UserName="ann")
    arn = f"arn:aws:codebuild:us-east-1:000000000000:project/{PROJECT}"
    actions = ["StartBuild", "StopBuild", "BatchGetBuilds", "ListBuildsForProject"]
    policy = allow([f"codebuild:{action}" for action in actions], arn)
    iam.put_user_policy(
        UserName="ann",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
    )
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = as_(
        codebuild,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    started = ann.start_build(projectName=PROJECT)["build"]
    assert started["initiator"] == "ann"
    ann.stop_build(id=started["id"])
    assert len(ann.batch_get_builds(ids=[own, started["id"]])["builds"]) == 2
    assert len(ann.list_builds_for_project(projectName=PROJECT)["ids"]) == 2
    for call in (
        lambda: ann.batch_get_builds(ids=[own, "other:x"]),
        lambda: ann.stop_build(id="other:x"),
        ann.list_builds,
        lambda: ann.batch_delete_builds(ids=[own]),
    ):
        assert refusal(call)[0] == "AccessDeniedException"


def test_a_reset_forgets_builds_and_kills_those_that_run(
    codebuild: CodeBuild, embedded: Running, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    codebuild.make_project(buildspec(f"trap '' TERM; echo $$ > {pids}; sleep 1000"))
    codebuild.start()
    text_of(pids)
    reset(embedded.endpoint_url)
    eventually(lambda: gone(int(pids.read_text())))
    assert codebuild.client.list_builds()["ids"] == []


# the cloud's own life


def test_builds_take_too_long_after_their_timeouts(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CODEBUILD_MINUTE", "0.2")
    config = make_config()
    cloud = open_cloud(config, lambda line: None)
    try:
        codebuild = CodeBuild(connect(config, cloud.running.endpoint_url))
        codebuild.make_project(buildspec("sleep 1000"), timeoutInMinutes=5)
        build = codebuild.run()
        assert build["buildStatus"] == "TIMED_OUT"
        assert phase(build, "BUILD")["phaseStatus"] == "TIMED_OUT"
        assert context(build, "BUILD") == ("BUILD_TIMED_OUT", "Build has timed out. ")
        token = codebuild.start(idempotencyToken="t", buildspecOverride=buildspec("true"))
        eventually(
            lambda: (
                codebuild.start(idempotencyToken="t", buildspecOverride=buildspec("true")) != token
            )
        )
    finally:
        cloud.stop()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_running_builds_end_with_the_cloud_and_records_outlast_a_restart(
    make_config: Callable[..., Config], tmp_path: Path, how: str
) -> None:
    config, pids = make_config(), tmp_path / "pids"
    cloud = open_cloud(config, lambda line: None)
    try:
        codebuild = CodeBuild(connect(config, cloud.running.endpoint_url))
        codebuild.make_project(buildspec("echo done"))
        done = codebuild.run()
        running = codebuild.start(
            buildspecOverride=buildspec(f"trap '' TERM; echo $$ > {pids}; sleep 1000")
        )
        text_of(pids)
        if how == "killed":
            os.kill(cloud.running.pid, signal.SIGKILL)
        else:
            assert cloud.stop()
        eventually(lambda: gone(int(pids.read_text())))
    finally:
        cloud.stop()
    if how == "killed":
        return
    cloud = open_cloud(config, lambda line: None)
    try:
        codebuild = CodeBuild(connect(config, cloud.running.endpoint_url))
        assert codebuild.get(done["id"]) == done
        assert codebuild.lines(done) == ["done"]
        stopped = codebuild.get(running)
        assert stopped["buildStatus"] == "FAULT", "nobody has stopped this build"
        assert context(stopped, "BUILD")[1] == "the embedded cloud was stopped while the build ran"
        run = interpret(stopped).record
        assert (run.state, run.failure and run.failure.type) == (State.CRASHED, "BuildFailed")
        assert codebuild.client.list_builds()["ids"] == [running, done["id"]]
        assert codebuild.run()["buildNumber"] == 3
    finally:
        cloud.stop()
