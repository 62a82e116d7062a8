"""The commands for deployed runs, on an embedded cloud that really runs them, wherever they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge import errors, names
from devbridge.cli import main
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy, secrets
from devbridge.emulator.state import Running
from runner.places import Places
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast

COMPUTE = {
    "factorial": "CodeBuild()",
    "task": "Fargate()",
    "batch": "Batch()",
    "function": "Lambda()",
}
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
    """A deployed stage with the same job in each place."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.options = ["--app", str(root), "--stage", "test", "--endpoint", endpoint]
        jobs = "".join(
            f'Job(app, "{name}", handler="job.handler", compute={compute}, timeout="10 minutes")\n'
            for name, compute in COMPUTE.items()
        )
        jobs += "".join(
            f'Job(app, "{name}-by-{name}", handler="job.handler", compute={compute},'
            " concurrency=1)\n"
            for name, compute in COMPUTE.items()
            if name != "function"
        )
        (root / "app.py").write_text(
            "from devbridge import App, Batch, CodeBuild, Fargate, Job, Lambda, Secret\n\n"
            f'app = App("demo")\n{jobs}Secret(app, "key")\n'
        )
        (root / "job.py").write_text(JOB)
        config = Config(root=root, stage="test", python=Path(sys.executable), local=True)
        self.cloud = connect(config, endpoint)
        self.bucket = names.asset_bucket(self.cloud.account, self.cloud.region)
        secrets.set_secret(self.cloud, "demo", "test", "key", "x")
        deploy(Request(load_app(root), self.cloud, stage="test", mode="deployed", pace=fast))

    def start(self, job: str, payload: str) -> str:
        started = self.devbridge("invoke", job, "--payload", json.dumps(payload), "--json")
        assert started.exit_code == 0, started.output
        return str(json.loads(started.stdout)["id"])

    def is_placed(self, run_id: str) -> bool:
        """Whether anything runs a run."""
        project, _, uuid = run_id.partition(":")
        own, bucket = project.replace("_", "/", 2), self.bucket
        found = self.cloud.client("s3").list_objects_v2(
            Bucket=bucket, Prefix=Places(own).place(uuid)
        )
        return bool(found.get("Contents"))

    def devbridge(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [*arguments, *self.options], input=stdin)


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    reset(shared_cloud.endpoint_url)
    return Stage(tmp_path_factory.mktemp("app"), str(shared_cloud.endpoint_url))


@pytest.mark.parametrize("job", COMPUTE)
def test_a_run_is_waited_for_and_its_output_and_result_are_shown(stage: Stage, job: str) -> None:
    one, two = stage.start(job, "hello"), stage.start(job, "fail")
    short = one.partition(":")[2][:8]
    ended = stage.devbridge("wait", short, "--timeout", "1 minute")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.endswith(', result "hello"\n')
    followed = stage.devbridge("logs", two, "--follow")
    assert followed.stdout.startswith("begins\non stderr\nTraceback (most recent call last):\n")
    assert followed.stdout.endswith("KeyError: 'x'\n")
    assert stage.devbridge("wait", two).exit_code == errors.EXIT_JOB_FAILED
    assert stage.devbridge("logs", one).stdout == "begins\non stderr\n"
    assert f"|  Invoke {job} {one}" in stage.devbridge("logs", one, "--all").stdout
    runs = json.loads(stage.devbridge("jobs", "--job", job, "--json").stdout)
    assert [(run["id"], run["state"], run["result"]) for run in runs] == [
        (two, "FAILED", None),
        (one, "SUCCEEDED", "hello"),
    ]
    listed = stage.devbridge("jobs", "--job", job, "--state", "FAILED").stdout
    assert listed.count("KeyError") == 1
    assert "error     KeyError: 'x'" in stage.devbridge("status", two).stdout


@pytest.mark.parametrize("job", [job for job in COMPUTE if job != "function"])
def test_a_run_that_is_cancelled_ends_so_for_who_waits(stage: Stage, job: str) -> None:
    run_id = stage.start(job, "wait")
    command = [sys.executable, "-m", "devbridge", "wait", run_id, *stage.options]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE)
    said = json.loads(stage.devbridge("cancel", run_id, "--json").stdout)
    assert said["was"] in ("QUEUED", "STARTING", "RUNNING")
    stdout, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == errors.EXIT_JOB_CANCELLED
    assert stdout.startswith(b"Cancelled")
    assert stage.devbridge("cancel", run_id).stdout.endswith("already CANCELLED\n")


@pytest.mark.parametrize("job", [job for job in COMPUTE if job != "function"])
def test_a_run_that_waits_for_its_turn_holds_no_machine(stage: Stage, job: str) -> None:
    one_by_one = f"{job}-by-{job}"
    first, second, third = (stage.start(one_by_one, payload) for payload in ("wait", "a", "b"))
    assert states(stage, one_by_one)[second] == states(stage, one_by_one)[third] == "QUEUED"
    assert [stage.is_placed(run_id) for run_id in (first, second, third)] == [True, False, False]
    stage.devbridge("cancel", first)
    for run_id in (second, third):
        assert stage.devbridge("wait", run_id, "--timeout", "1 minute").exit_code == 0
    assert stage.devbridge("status", first).stdout.splitlines()[2] == "state     CANCELLED"


def states(stage: Stage, job: str) -> dict[str, str]:
    runs = json.loads(stage.devbridge("jobs", "--job", job, "--json").stdout)
    return {run["id"]: run["state"] for run in runs}


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
