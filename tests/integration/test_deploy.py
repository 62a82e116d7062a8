"""Deployments to the embedded cloud, with IAM enforced."""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from devbridge import deploy as deployment
from devbridge.cloud.session import Cloud
from devbridge.deploy import Deployed, Progress, load_app
from devbridge.deploy.package import ensure_bucket
from devbridge.errors import DeployError, NotDeployed

APP = """\
from devbridge import Api, App, Job, Table

app = App("demo")
notes = Table(app, "notes", partition_key="id")
Table(app, "other", partition_key="id")
report = Job(app, "report", handler="jobs/report.handler", bind=[notes], retries=2)
Api(app, "api", routes={"POST /report": "api/start.handler"}, bind=[report])
"""
JOB = "def handler(payload): ...\n"
START = """\
import os


def handler(event, context):
    return {"statusCode": 200, "body": os.environ["DEVBRIDGE_Job_functionName_report"]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    for name, text in (("app.py", APP), ("jobs/report.py", JOB), ("api/start.py", START)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def deploy(root: Path, cloud: Cloud, told: list[Progress] | None = None) -> Deployed:
    return deployment.deploy(
        load_app(root),
        cloud,
        stage="test",
        on_progress=(told if told is not None else []).append,
        python=Path(sys.executable),
    )


def resources(told: list[Progress]) -> list[str]:
    return [p.logical_id for p in told if p.step == "resource"]


def call(url: str) -> tuple[int, str]:
    # The name of the API is below localhost, which not every resolver knows.
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    connection.request("POST", f"{parts.path}/report", b"{}", {"Host": parts.netloc})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_an_app_is_deployed_answers_and_is_removed(root: Path, local_cloud: Cloud) -> None:
    told: list[Progress] = []
    done = deploy(root, local_cloud, told)
    assert done.changed
    assert next(iter(done.outputs)) == "ApiUrl"
    assert len(resources(told)) == len(set(resources(told))) == 16
    assert call(done.outputs["ApiUrl"]) == (200, "demo-test-report-invoker")
    (job,) = done.jobs
    assert (job.name, job.handler, job.max_attempts) == ("report", "jobs/report.handler", 3)
    assert re.fullmatch(r"arn:aws:iam::\d{12}:role/.*ReportJobRole.*", job.role_arn)
    assert job.project_arn.endswith("project/demo-test-report")
    assert dict(job.environment) == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "test",
        "DEVBRIDGE_JOB_NAME": "report",
        "DEVBRIDGE_Table_tableName_notes": done.outputs["NotesTable"],
    }
    assert deployment.outputs(local_cloud, "demo", "test") == done.outputs

    told.clear()
    assert deployment.remove(local_cloud, "demo", "test", told.append)
    assert len(resources(told)) == 16
    assert not deployment.remove(local_cloud, "demo", "test", told.append)
    with pytest.raises(NotDeployed, match="'demo' is not deployed to stage 'test'"):
        deployment.outputs(local_cloud, "demo", "test")
    assert local_cloud.client("lambda").list_functions()["Functions"] == []
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []


def test_a_second_deployment_asks_one_question_and_changes_nothing(
    root: Path, local_cloud: Cloud
) -> None:
    first = deploy(root, local_cloud)
    calls: Counter[str] = Counter()
    for service in ("cloudformation", "s3", "lambda"):
        local_cloud.client(service).meta.events.register(
            f"before-call.{service}", lambda model, **_: calls.update([model.name])
        )
    told: list[Progress] = []
    second = deploy(root, local_cloud, told)
    assert (second.changed, told) == (False, [])
    assert (second.outputs, second.jobs) == (first.outputs, first.jobs)
    assert calls == {"DescribeStacks": 1}


def test_a_changed_handler_updates_its_function_and_nothing_else(
    root: Path, local_cloud: Cloud
) -> None:
    deploy(root, local_cloud)
    (root / "api" / "start.py").write_text(START.replace("200", "201"))
    told: list[Progress] = []
    done = deploy(root, local_cloud, told)
    # What refers to the function's ARN may be in the plan too.
    assert "ApiStartFunction" in resources(told)
    assert {name for name in resources(told) if "Job" in name or "Table" in name} == set()
    assert call(done.outputs["ApiUrl"])[0] == 201


def test_a_changed_job_handler_deploys_nothing(root: Path, local_cloud: Cloud) -> None:
    deploy(root, local_cloud)
    (root / "jobs" / "report.py").write_text(JOB + "# other\n")
    assert not deploy(root, local_cloud).changed


def test_a_construct_that_is_taken_out_is_removed(root: Path, local_cloud: Cloud) -> None:
    deploy(root, local_cloud)
    (root / "app.py").write_text(APP.replace('Table(app, "other", partition_key="id")\n', ""))
    done = deploy(root, local_cloud)
    assert "OtherTable" not in done.outputs
    (left,) = local_cloud.client("dynamodb").list_tables()["TableNames"]
    assert left == done.outputs["NotesTable"]


def test_a_failure_is_rolled_back_and_names_the_construct_and_the_first_cause(
    root: Path, local_cloud: Cloud
) -> None:
    in_the_way(local_cloud, "demo-test-report")
    with pytest.raises(DeployError) as caught:
        deploy(root, local_cloud)
    assert "Job 'report': AWS::CodeBuild::Project CREATE_FAILED" in str(caught.value)
    assert "already exists" in str(caught.value)
    assert "ROLLBACK_COMPLETE" in str(caught.value)
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []

    local_cloud.client("codebuild").delete_project(name="demo-test-report")
    told: list[Progress] = []
    assert deploy(root, local_cloud, told).changed
    assert told[-1].status == "CREATE_COMPLETE"


def test_a_failed_update_leaves_the_stage_as_it_was(root: Path, local_cloud: Cloud) -> None:
    before = deploy(root, local_cloud)
    in_the_way(local_cloud, "demo-test-more")
    (root / "app.py").write_text(APP + 'Job(app, "more", handler="jobs/report.handler")\n')
    with pytest.raises(DeployError, match="Job 'more'"):
        deploy(root, local_cloud)
    assert deployment.outputs(local_cloud, "demo", "test") == before.outputs
    (root / "app.py").write_text(APP)
    assert deploy(root, local_cloud).outputs == before.outputs


def test_the_jobs_role_may_write_the_bound_table_and_no_other(
    root: Path, local_cloud: Cloud
) -> None:
    done = deploy(root, local_cloud)
    dynamodb = as_role(local_cloud, done.jobs[0].role_arn, "dynamodb")
    item = {"id": {"S": "1"}}
    dynamodb.put_item(TableName=done.outputs["NotesTable"], Item=item)
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.put_item(TableName=done.outputs["OtherTable"], Item=item)
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.delete_table(TableName=done.outputs["NotesTable"])


def test_nobody_but_the_developer_may_assume_the_jobs_role(root: Path, local_cloud: Cloud) -> None:
    done = deploy(root, local_cloud)
    iam = local_cloud.client("iam")
    iam.create_user(UserName="eve")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="eve", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="eve")["AccessKey"]
    eve = client(local_cloud, "sts", key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(ClientError, match="AccessDenied"):
        eve.assume_role(RoleArn=done.jobs[0].role_arn, RoleSessionName="eve")


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("iot:Connect", "client/devbridge-demo-test-stub-1", True),
        ("iot:Connect", "client/devbridge-demo-test-daemon", False),
        ("iot:Connect", "client/devbridge-demo-other-stub-1", False),
        ("iot:Publish", "topic/devbridge/demo/test/requests", True),
        ("iot:Publish", "topic/devbridge/demo/test/presence", False),
        ("iot:Publish", "topic/devbridge/demo/other/requests", False),
        ("iot:Subscribe", "topicfilter/devbridge/demo/test/replies/1", True),
        ("iot:Subscribe", "topicfilter/devbridge/demo/test/presence", True),
        ("iot:Subscribe", "topicfilter/devbridge/demo/test/requests", False),
        ("iot:Subscribe", "topicfilter/devbridge/demo/#", False),
        ("iot:Receive", "topic/devbridge/demo/test/replies/1", True),
        ("iot:Receive", "topic/devbridge/demo/other/replies/1", False),
    ],
)
def test_the_stubs_role_ends_at_its_prefix(
    root: Path, local_cloud: Cloud, action: str, resource: str, allowed: bool
) -> None:
    # The embedded broker does not enforce policies: IAM's own simulation is asked.
    deploy(root, local_cloud)
    iam = local_cloud.client("iam")
    (stub,) = [r["Arn"] for r in iam.list_roles()["Roles"] if "StubRole" in r["RoleName"]]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=stub,
        ActionNames=[action],
        ResourceArns=[f"arn:aws:iot:{local_cloud.region}:{local_cloud.account}:{resource}"],
    )
    decision = answer["EvaluationResults"][0]["EvalDecision"]
    assert decision == ("allowed" if allowed else "implicitDeny")


def test_the_stub_runs_in_the_cloud_and_says_that_no_daemon_is_there(
    root: Path, local_cloud: Cloud
) -> None:
    done = deploy(root, local_cloud)
    answer = local_cloud.client("lambda").invoke(
        FunctionName=done.outputs["ReportInvoker"],
        Payload=json.dumps({"devbridge": 1, "action": "run", "payload": 0}),
    )
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    assert set(body["error"]) == {"code", "message"}


def test_the_asset_bucket_is_made_as_it_must_be(local_cloud: Cloud) -> None:
    s3, bucket = local_cloud.client("s3"), ensure_bucket(local_cloud)
    access = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(access.values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert ensure_bucket(local_cloud) == bucket


def as_role(cloud: Cloud, role_arn: str, service: str) -> Any:
    """A client with the credentials of a role, as the daemon gets them."""
    session = cloud.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")
    keys = session["Credentials"]
    return client(
        cloud, service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
    )


def client(cloud: Cloud, service: str, key: str, secret: str, token: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def in_the_way(cloud: Cloud, project: str) -> None:
    """Take a CodeBuild project's name, so that the stack cannot make it."""
    cloud.client("codebuild").create_project(
        name=project,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=f"arn:aws:iam::{cloud.account}:role/x",
    )
