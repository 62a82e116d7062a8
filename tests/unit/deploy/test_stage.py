from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.stub import Stubber

from devbridge import deploy as deployment
from devbridge import names
from devbridge.constructs import App, Container, Job, Secret
from devbridge.constructs.app import loading
from devbridge.deploy import stage
from devbridge.deploy.access import Progress
from devbridge.deploy.plan import Plan
from devbridge.deploy.refusals import Overtaken
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError, InvalidValue, NotDeployed
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.test_plan import at_once, stack

LOCAL = "http://127.0.0.1:5000"


@pytest.fixture
def cloudformation(aws: FakeCloud) -> Iterator[Stubber]:
    with Stubber(aws.client("cloudformation")) as stub:
        yield stub


def outputs(**values: str) -> list[dict[str, str]]:
    return [{"OutputKey": key, "OutputValue": value} for key, value in values.items()]


def test_outputs_have_the_urls_first_and_hide_the_hash(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    own = {names.TEMPLATE_HASH: "h", names.MODE: "dev", names.BIND_ROLE: "arn:r"}
    given = outputs(ATable="t", ApiUrl="https://x", **own)
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    found = deployment.outputs(aws, "demo", "dev")
    assert list(found.items()) == [("ApiUrl", "https://x"), ("ATable", "t")]


def test_a_url_of_the_embedded_cloud_has_its_port_of_today(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    given = outputs(
        ApiUrl="http://a1.execute-api.localhost:4000",
        WorkQueue="http://localhost:4000/000000000000/work",
        NewsTopic="arn:aws:sns:us-east-1:000000000000:news",
        OtherUrl="http://example.com/x",
    )
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    aws.endpoint_url = LOCAL
    found = deployment.outputs(aws, "demo", "dev")
    assert found == {
        "ApiUrl": "http://a1.execute-api.localhost:5000",
        "WorkQueue": "http://localhost:5000/000000000000/work",
        "NewsTopic": "arn:aws:sns:us-east-1:000000000000:news",
        "OtherUrl": "http://example.com/x",
    }


@pytest.mark.parametrize(
    ("found", "mode"),
    [
        ({names.MODE: "deployed"}, "deployed"),
        ({names.MODE: "dev"}, "dev"),
        ({names.TEMPLATE_HASH: "of an earlier version"}, "dev"),
    ],
)
def test_a_stage_says_what_it_is(
    found: dict[str, str], mode: str, aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=outputs(**found))]})
    assert deployment.stage_mode(aws, "demo", "dev") == mode


def test_a_stage_that_is_not_there_has_no_mode(aws: FakeCloud, cloudformation: Stubber) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    assert deployment.stage_mode(aws, "demo", "dev") is None
    for status in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        half = stack(StackStatus=status)
        cloudformation.add_response("describe_stacks", {"Stacks": [half]})
        assert deployment.stage_mode(aws, "demo", "dev") is None


def change(aws: FakeCloud, told: list[Progress]) -> None:
    template = Template("{}", "hash", {})
    stage._change(aws, "s", template, {}, told.append, at_once, approve=None)


def test_what_another_deployment_has_overtaken_is_planned_anew(
    aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = iter([Plan("s", "first", False, ()), Plan("s", "second", False, ())])
    executed: list[str] = []

    def execute(_: object, made: Plan, *rest: object) -> None:
        executed.append(made.change_set)
        if made.change_set == "first":
            raise Overtaken("another deployment has changed the stack meanwhile")

    monkeypatch.setattr(stage, "plan", lambda *_, **__: next(plans))
    monkeypatch.setattr(stage, "execute", execute)
    told: list[Progress] = []
    change(aws, told)
    assert executed == ["first", "second"]
    assert [p.step for p in told] == ["plan", "wait", "plan"]


def test_who_is_overtaken_all_the_time_gives_up(
    aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object, **__: object) -> Plan:
        raise Overtaken("another deployment has changed the stack meanwhile")

    monkeypatch.setattr(stage, "plan", overtaken)
    with pytest.raises(Overtaken):
        change(aws, [])


def test_a_boundary_that_the_embedded_cloud_does_not_have_is_said_not_to_bound(
    root: Path, aws: FakeCloud
) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = aws.client("iam")
    there = iam.create_policy(PolicyName="there", PolicyDocument=document)["Policy"]["Arn"]
    missing = there.replace("there", "missing")
    with loading(root):
        app = App("demo", permissions_boundary=missing)
        Job(app, "a", handler="jobs/a.handler", permissions_boundary=there)
    told: list[Progress] = []
    stage._say_what_is_unbounded(aws, app, told.append)
    assert told == []  # AWS refuses it by itself
    aws.endpoint_url = LOCAL
    stage._say_what_is_unbounded(aws, app, told.append)
    assert [p.text for p in told] == [f"no policy {missing} here: its roles are not bounded"]


def test_a_deployment_without_a_secrets_value_is_refused_before_anything_else(
    app: App, aws: FakeCloud
) -> None:
    Secret(app, "api-key")
    with pytest.raises(DeployError) as caught:
        deployment.deploy(app, aws, stage="prod", mode="deployed", on_progress=lambda _: None)
    assert "secrets without a value: api-key" in str(caught.value)
    assert "devbridge secrets set api-key --stage prod" in str(caught.value)
    assert aws.client("s3").list_buckets()["Buckets"] == []


def test_a_container_job_tells_the_daemon_its_command(root: Path) -> None:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").touch()
    with loading(root):
        app = App("demo")
        container = Container("render", cmd=["./run", "x"])
        job = Job(app, "a", runtime="container", container=container)
    values = {"ARole": "arn:aws-cn:iam::123456789012:role/x"}
    spec = stage._spec(job, FakeCloud(), "dev", values, Path(sys.executable), "3.11")
    assert (spec.command, spec.command_dir) == (("./run", "x"), "render")
    assert spec.project_arn == "arn:aws-cn:codebuild:eu-west-1:123456789012:project/demo_dev_a"


def test_on_a_laptop_install_is_a_folder_on_the_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def installed_path(requirements: object, *rest: object, **_: object) -> Path:
        asked.append(requirements)
        return Path("/installed")

    monkeypatch.setattr(stage, "installed_path", installed_path)
    with loading(root):
        job = Job(App("demo"), "a", handler="jobs/a.handler", install=["polars"])
    values = {"ARole": "arn:aws:iam::123456789012:role/x"}
    spec = stage._spec(job, FakeCloud(), "dev", values, Path(sys.executable), "3.11")
    assert spec.environment["DEVBRIDGE_PATH"] == "/installed"
    assert asked == [("polars",)]


def test_a_stage_that_is_not_there_says_what_to_do(aws: FakeCloud, cloudformation: Stubber) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    with pytest.raises(NotDeployed, match="devbridge dev"):
        deployment.outputs(aws, "demo", "dev")


def test_what_aws_refuses_names_the_call_and_who_asked(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(DeployError) as caught:
        deployment.outputs(aws, "demo", "dev")
    assert "AWS refuses DescribeStacks: not authorized" in str(caught.value)
    assert "user/ann, region eu-west-1" in str(caught.value)


@pytest.mark.parametrize("stage", ["", "Dev", "a_b", "1x", "a--b", "x" * 33])
def test_a_stages_name_is_checked_before_anything_is_asked(app: App, stage: str) -> None:
    with pytest.raises(InvalidValue, match="the stage's name"):
        deployment.deploy(app, FakeCloud(), stage=stage, on_progress=lambda _: None)


def test_another_interpreters_version_is_asked_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    assert stage._version(python) == stage._version(Path(sys.executable))
