"""The commands for deployed runs against a CodeBuild that really runs the builds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge import errors, names
from devbridge.cli import main
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.deploy import secrets

from .codebuild import CodeBuild, allow

ROOT = Path(__file__).parents[2]
PROJECT = "demo_test_factorial"
EXPORTED = ["DEVBRIDGE_STATE", "DEVBRIDGE_RESULT", "DEVBRIDGE_ERROR", "DEVBRIDGE_ATTEMPT"]
SPEC = json.dumps(
    {
        "version": 0.2,
        "env": {"exported-variables": EXPORTED},
        "phases": {
            "pre_build": {"commands": ['printf "$JOB" > job.py']},
            "build": {"commands": ["python3 -m runner build"]},
            "post_build": {
                "commands": ["if [ -f .devbridge-exports ]; then . ./.devbridge-exports; fi"]
            },
        },
    }
)
JOB = """
import os, sys, time
def handler(payload, context):
    print("begins")
    print("on stderr", file=sys.stderr, flush=True)
    if payload == "wait":
        time.sleep(600)
    if payload == "fail":
        raise KeyError("x")
    return payload
"""


class Stage:
    def __init__(self, root: Path, cloud: Cloud) -> None:
        self.cloud = cloud
        endpoint = ["--endpoint", str(cloud.endpoint_url)]
        self.options = ["--app", str(root), "--stage", "test", *endpoint]
        (root / "app.py").write_text(
            "from devbridge import App, Job, Secret\n\n"
            'app = App("demo")\n'
            'Job(app, "factorial", handler="job.handler")\n'
            'Secret(app, "key")\n'
        )
        (root / "job.py").write_text(JOB)
        self.codebuild = CodeBuild(cloud)
        group = f"arn:aws:logs:*:*:log-group:/aws/codebuild/{PROJECT}"
        logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        self.codebuild.make_role("builder", allow(logs, group, f"{group}:*"))
        variables = {
            "JOB": JOB,
            "PYTHONPATH": str(ROOT),
            "DEVBRIDGE_JOB_NAME": "factorial",
            "DEVBRIDGE_HANDLER": "job.handler",
            "DEVBRIDGE_INLINE": "1",
        }
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.codebuild.make_project(
            SPEC,
            name=PROJECT,
            image=f"public.ecr.aws/lambda/python:{minor}",
            variables=[{"name": name, "value": value} for name, value in variables.items()],
        )

    def start(self, payload: str) -> str:
        override = {"name": "DEVBRIDGE_PAYLOAD", "value": json.dumps(payload)}
        build = self.cloud.client("codebuild").start_build(
            projectName=PROJECT, environmentVariablesOverride=[override]
        )["build"]
        return str(build["id"])

    def devbridge(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [*arguments, *self.options], input=stdin)


@pytest.fixture
def stage(local_cloud: Cloud, make_config: Callable[..., Config]) -> Stage:
    return Stage(make_config().root, local_cloud)


def test_a_build_is_waited_for_and_its_output_and_result_are_shown(stage: Stage) -> None:
    one, two = stage.start("hello"), stage.start("fail")
    short = one.partition(":")[2][:8]
    ended = stage.devbridge("wait", short)
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.endswith(', result "hello"\n')
    followed = stage.devbridge("logs", two, "--follow")
    assert followed.stdout.startswith("begins\non stderr\nTraceback (most recent call last):\n")
    assert followed.stdout.endswith("KeyError: 'x'\n")
    assert stage.devbridge("wait", two).exit_code == errors.EXIT_JOB_FAILED
    assert stage.devbridge("logs", one).stdout == "begins\non stderr\n"
    assert "[Container] " in stage.devbridge("logs", one, "--all").stdout
    runs = json.loads(stage.devbridge("jobs", "--json").stdout)
    assert {run["id"]: (run["state"], run["result"]) for run in runs} == {
        one: ("SUCCEEDED", "hello"),
        two: ("FAILED", None),
    }
    assert stage.devbridge("jobs", "--state", "FAILED").stdout.count("KeyError") == 1
    assert "error     KeyError: 'x'" in stage.devbridge("status", two).stdout


def test_a_build_that_is_cancelled_ends_so_for_who_waits(stage: Stage) -> None:
    build = stage.start("wait")
    command = [sys.executable, "-m", "devbridge", "wait", build, *stage.options]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE)
    said = json.loads(stage.devbridge("cancel", build, "--json").stdout)
    assert said["was"] in ("QUEUED", "STARTING", "RUNNING")
    stdout, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == errors.EXIT_JOB_CANCELLED
    assert stdout.startswith(b"Cancelled after ")
    assert stage.devbridge("cancel", build).stdout.endswith("already CANCELLED\n")


def test_secrets_are_kept_by_ssm(stage: Stage) -> None:
    said = stage.devbridge("secrets", "set", "key", stdin="s3cret\n")
    assert said.stdout == "set: /devbridge/demo/test/secrets/key\n"
    stage.devbridge("secrets", "set", "key", stdin="another\n")
    assert stage.devbridge("secrets", "get", "key").stdout == "another\n"
    assert stage.devbridge("secrets", "list").stdout.splitlines()[1] == "key   set"
    ssm = stage.cloud.client("ssm")
    name = names.secret("demo", "test", "key")
    assert ssm.get_parameter(Name=name)["Parameter"]["Type"] == "SecureString"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "devbridge:app": "demo",
        "devbridge:stage": "test",
    }
    for n in range(12):
        secrets.set_secret(stage.cloud, "demo", "test", f"k{n:02}", "x")
    assert len(secrets.remove_all(stage.cloud, "demo", "test")) == 13
    assert secrets.stored(stage.cloud, "demo", "test") == []
    assert stage.devbridge("secrets", "remove", "key", "--yes").exit_code == errors.EXIT_NOT_FOUND
