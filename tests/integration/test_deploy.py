"""Deployments to the embedded cloud, with IAM enforced."""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from devbridge import deploy as deployment
from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.constructs.load import load_app
from devbridge.deploy import Deployed, Progress, Request, secrets
from devbridge.deploy.package import ensure_bucket, upload
from devbridge.deploy.plan import Plan
from devbridge.deploy.remove import remove
from devbridge.deploy.stacks import describe
from devbridge.errors import DeployError, NotDeployed
from devbridge.packing.zips import Asset

PYTHON = Path(sys.executable)
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


def deploy(
    root: Path, cloud: Cloud, told: list[Progress] | None = None, **options: Any
) -> Deployed:
    request = Request(
        load_app(root, "test"),
        cloud,
        stage="test",
        mode=options.pop("mode", "dev"),
        on_progress=(told if told is not None else []).append,
    )
    return deployment.deploy(request, **options)


def resources(told: list[Progress]) -> list[str]:
    return [p.logical_id for p in told if p.step == "resource"]


def call(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request("POST", f"{parts.path}/report", b"{}")
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_an_app_is_deployed_answers_and_is_removed(root: Path, local_cloud: Cloud) -> None:
    told: list[Progress] = []
    done = deploy(root, local_cloud, told)
    assert done.changed
    assert next(iter(done.outputs)) == "ApiUrl"
    assert len(resources(told)) == len(set(resources(told))) == 19
    assert call(done.outputs["ApiUrl"]) == (200, "demo_test_report-invoker")
    (job,) = done.jobs
    assert (job.name, job.handler, job.max_attempts) == ("report", "jobs/report.handler", 3)
    assert re.fullmatch(r"arn:aws:iam::\d{12}:role/.*ReportJobRole.*", job.role_arn)
    assert job.definition_arn.endswith("project/demo_test_report")
    assert dict(job.environment) == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "test",
        "DEVBRIDGE_JOB_NAME": "report",
        "DEVBRIDGE_Table_tableName_notes": done.outputs["NotesTable"],
    }
    assert deployment.outputs(local_cloud, "demo", "test") == done.outputs

    told.clear()
    assert remove(local_cloud, "demo", "test", told.append)
    assert len(resources(told)) == 19
    assert not remove(local_cloud, "demo", "test", told.append)
    with pytest.raises(NotDeployed, match="'demo' is not deployed to stage 'test'"):
        deployment.outputs(local_cloud, "demo", "test")
    assert local_cloud.client("lambda").list_functions()["Functions"] == []
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []


def test_a_second_deployment_looks_and_changes_nothing(root: Path, local_cloud: Cloud) -> None:
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
    # The zips of the function and of both kinds of stubs, which somebody may have overwritten.
    assert calls == {"DescribeStacks": 1, "GetBucketLifecycleConfiguration": 1, "HeadObject": 3}


def test_a_changed_handler_updates_its_function_and_nothing_else(
    root: Path, local_cloud: Cloud
) -> None:
    deploy(root, local_cloud)
    (root / "api" / "start.py").write_text(START.replace("200", "201"))
    told: list[Progress] = []
    done = deploy(root, local_cloud, told)
    # Its name is a stub's, which is the same; what is deployed answers while nobody is at home.
    assert "ApiStartFunctionCopy" in resources(told)
    assert "ApiStartFunction" not in resources(told)
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
    in_the_way(local_cloud, "demo_test_report")
    with pytest.raises(DeployError) as caught:
        deploy(root, local_cloud)
    assert "Job 'report': AWS::CodeBuild::Project CREATE_FAILED" in str(caught.value)
    assert "already exists" in str(caught.value)
    assert "ROLLBACK_COMPLETE" in str(caught.value)
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []

    local_cloud.client("codebuild").delete_project(name="demo_test_report")
    told: list[Progress] = []
    assert deploy(root, local_cloud, told).changed
    assert told[-1].status == "CREATE_COMPLETE"


def test_a_creation_that_failed_has_left_nothing_and_is_no_stage_of_dev(
    root: Path, local_cloud: Cloud
) -> None:
    in_the_way(local_cloud, "demo_test_report")
    with pytest.raises(DeployError, match="everything is as it was before"):
        deploy(root, local_cloud, mode="deployed")
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []
    assert deployment.stage_mode(local_cloud, "demo", "test") is None


def test_two_deployments_at_the_same_time_are_made_one_after_the_other(
    root: Path, local_cloud: Cloud
) -> None:
    deploy(root, local_cloud)
    told: list[Progress] = []

    def approve(_: Plan) -> None:
        if not told:  # between the first one's plan and its execution
            (root / "app.py").write_text(APP + 'Table(app, "theirs", partition_key="id")\n')
            deploy(root, local_cloud, told)

    (root / "app.py").write_text(APP + 'Table(app, "mine", partition_key="id")\n')
    done = deploy(root, local_cloud, approve=approve)
    assert "TheirsTable" in resources(told)
    assert "MineTable" in done.outputs
    assert "TheirsTable" not in done.outputs


def test_a_failed_update_leaves_the_stage_as_it_was(root: Path, local_cloud: Cloud) -> None:
    before = deploy(root, local_cloud)
    in_the_way(local_cloud, "demo_test_more")
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
        ("iot:Connect", "client/devbridge-demo--test--stub-1", True),
        ("iot:Connect", "client/devbridge-demo--test--daemon", False),
        ("iot:Connect", "client/devbridge-demo--other--stub-1", False),
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
    (stub,) = [r for r in iam.list_roles()["Roles"] if "StubRole" in r["RoleName"]]
    assert f":role/devbridge/demo/test/{stub['RoleName']}" in stub["Arn"]
    answer = iam.simulate_principal_policy(
        # The embedded cloud's simulation takes a role's path for a part of its name.
        PolicySourceArn=f"arn:aws:iam::{local_cloud.account}:role/{stub['RoleName']}",
        ActionNames=[action],
        ResourceArns=[f"arn:aws:iot:{local_cloud.region}:{local_cloud.account}:{resource}"],
    )
    decision = answer["EvaluationResults"][0]["EvalDecision"]
    assert decision == ("allowed" if allowed else "implicitDeny")


def test_the_stub_runs_in_the_cloud_and_says_that_no_daemon_is_there(
    root: Path, local_cloud: Cloud
) -> None:
    deploy(root, local_cloud)
    answer = local_cloud.client("lambda").invoke(
        FunctionName="demo_test_report-invoker",
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


EVERYTHING = """\
from devbridge import Api, App, Bucket, Config, Function, Job, Queue, Secret, Table, Topic

app = App("demo", tags={"team": "data"})
notes = Table(app, "notes", partition_key="id")
files = Bucket(app, "files", versioned=True, removal="delete")
dead = Queue(app, "dead", fifo=True)
work = Queue(app, "work", fifo=True, dead_letter=dead)
news = Topic(app, "news", fifo=True)
key = Secret(app, "key")
colour = Config(app, "colour", value="blue")
helper = Function(app, "helper", handler="api/start.handler")
site = Api(app, "site", routes={"$default": helper}, cors=True)
bind = [notes, files, work, news, key, colour, helper, site]
report = Job(
    app, "report", handler="jobs/report.handler", bind=bind, copy_files=["words.txt"]
)
Api(app, "api", routes={"POST /report": "api/start.handler"}, bind=[*bind, report])
"""
REPORT = """\
import os
from pathlib import Path
from devbridge.job import job_handler
from devbridge.resources import Bucket, Config, Secret, Table


@job_handler("report")
def handler(payload, context):
    import boto3

    boto3.client("dynamodb").put_item(
        TableName=Table.notes.table_name, Item={"id": {"S": payload["id"]}}
    )
    boto3.client("s3").put_object(Bucket=Bucket.files.bucket_name, Key="x", Body=b"1")
    return [Secret.key.value, Config.colour.value, Path("words.txt").read_text()]
"""


@pytest.fixture
def whole(root: Path, local_cloud: Cloud) -> Path:
    """An app with one of everything, whose secret has a value."""
    (root / "app.py").write_text(EVERYTHING)
    (root / "jobs" / "report.py").write_text(REPORT)
    (root / "words.txt").write_text("words")
    secrets.set_secret(local_cloud, "demo", "test", "key", "s3cret")
    return root


def ask(cloud: Cloud, action: str, **fields: Any) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(
        FunctionName="demo_test_report-invoker",
        Payload=json.dumps({"devbridge": 1, "action": action, **fields}),
    )
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def result_of(cloud: Cloud, payload: Any) -> Any:
    """Run the deployed job to its end."""
    started = ask(cloud, "run", payload=payload)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = ask(cloud, "result", jobId=started["jobId"])
        if answer["state"] not in ("QUEUED", "STARTING", "RUNNING"):
            assert answer["state"] == "SUCCEEDED", answer
            return answer["result"]
        time.sleep(0.1)
    raise AssertionError("the run has not ended")


def test_a_deployed_app_runs_its_job_changes_and_goes(whole: Path, local_cloud: Cloud) -> None:
    done = deploy(whole, local_cloud, mode="deployed")
    assert (done.changed, done.jobs) == (True, [])
    assert deployment.stage_mode(local_cloud, "demo", "test") == "deployed"
    assert result_of(local_cloud, {"id": "1"}) == ["s3cret", "blue", "words"]

    assert not deploy(whole, local_cloud, mode="deployed").changed
    (whole / "words.txt").write_text("other")
    told: list[Progress] = []
    deploy(whole, local_cloud, told, mode="deployed")
    assert "ReportJobProject" in resources(told)
    assert not [name for name in resources(told) if "Table" in name or "Bucket" in name]
    assert result_of(local_cloud, {"id": "2"}) == ["s3cret", "blue", "other"]

    table = done.outputs["NotesTable"]
    removed = remove(local_cloud, "demo", "test", lambda _: None)
    assert removed
    assert table in {resource.name for resource in removed.kept}
    assert done.outputs["FilesBucket"] not in {
        bucket["Name"] for bucket in local_cloud.client("s3").list_buckets()["Buckets"]
    }
    remove(local_cloud, "demo", "test", lambda _: None, delete_data=True)
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []


def test_a_dev_stage_that_is_deployed_loses_its_stub_and_keeps_its_data(
    whole: Path, local_cloud: Cloud
) -> None:
    first = deploy(whole, local_cloud)
    assert [job.name for job in first.jobs] == ["report"]
    told: list[Progress] = []
    second = deploy(whole, local_cloud, told, mode="deployed")
    assert second.outputs["NotesTable"] == first.outputs["NotesTable"]
    invoker = local_cloud.client("lambda").get_function_configuration(
        FunctionName="demo_test_report-invoker"
    )
    assert invoker["Handler"] == "stub_lambda/deployed.handler"
    assert result_of(local_cloud, {"id": "1"}) == ["s3cret", "blue", "words"]
    roles = [role["RoleName"] for role in local_cloud.client("iam").list_roles()["Roles"]]
    assert not [name for name in roles if "StubRole" in name]


def test_a_stage_binds_the_same_in_the_template_and_by_its_outputs(
    whole: Path, local_cloud: Cloud
) -> None:
    done = deploy(whole, local_cloud)
    app = load_app(whole, "test")
    values = deployment.stack_values(local_cloud, "demo", "test")
    found = deployment.environment(app, "test", values)
    project = local_cloud.client("codebuild").batch_get_projects(names=["demo_test_report"])
    variables = project["projects"][0]["environment"]["environmentVariables"]
    given = {v["name"]: v["value"] for v in variables}
    bound = {name for name in found if "_Job_" not in name and "_api" not in name}
    bound -= {"DEVBRIDGE_Queue_queueUrl_dead"}
    assert bound == {name for name in given if name.count("_") > 2}
    assert {name: found[name] for name in bound} == {name: given[name] for name in bound}
    (job,) = done.jobs
    assert {name: job.environment[name] for name in bound} == {n: found[n] for n in bound}


def test_a_diff_tells_what_a_deployment_would_do_and_leaves_nothing(
    root: Path, local_cloud: Cloud
) -> None:
    def diff() -> Plan:
        return deployment.diff(
            Request(load_app(root, "test"), local_cloud, stage="test", mode="dev")
        )

    new = diff()
    assert new.creates
    assert {change.action for change in new.changes} == {"add"}
    assert deployment.stage_mode(local_cloud, "demo", "test") is None
    assert local_cloud.client("s3").list_buckets()["Buckets"] == []
    deploy(root, local_cloud)
    assert not diff()
    (root / "app.py").write_text(APP.replace('Table(app, "other", partition_key="id")\n', ""))
    planned = diff()
    assert [c.logical_id for c in planned.changes if c.action == "remove"] == ["OtherTable"]
    sets = local_cloud.client("cloudformation").list_change_sets(StackName="devbridge-demo--test-")
    assert planned.change_set not in {each["ChangeSetId"] for each in sets["Summaries"]}


def test_a_plan_that_is_not_approved_is_not_carried_out(root: Path, local_cloud: Cloud) -> None:
    seen: list[Plan] = []

    def refuse(plan: Plan) -> None:
        seen.append(plan)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(root, local_cloud, approve=refuse)
    assert seen[0].creates
    assert deployment.stage_mode(local_cloud, "demo", "test") is None
    deploy(root, local_cloud, approve=seen.append)
    assert len(seen) == 2
    deploy(root, local_cloud, approve=seen.append)
    assert len(seen) == 2


def test_a_dev_stage_says_which_secrets_have_no_value(root: Path, local_cloud: Cloud) -> None:
    (root / "app.py").write_text(APP + 'from devbridge import Secret\nSecret(app, "key")\n')
    told: list[Progress] = []
    deploy(root, local_cloud, told)
    assert "secret 'key' has no value: devbridge secrets set key --stage test" in told[0].text
    with pytest.raises(DeployError, match="secrets without a value: key"):
        deploy(root, local_cloud, mode="deployed")


def test_a_preflight_is_answered_as_the_apis_cors_says(root: Path, local_cloud: Cloud) -> None:
    cors = 'cors=Cors(allow_origins=["https://a.example"]), bind=[report])'
    text = APP.replace("import Api,", "import Api, Cors,").replace("bind=[report])", cors)
    for allowed in ("https://a.example", "https://b.example"):
        (root / "app.py").write_text(text.replace("https://a.example", allowed))
        parts = urlsplit(deploy(root, local_cloud).outputs["ApiUrl"])
        for origin in ("https://a.example", "https://b.example"):
            connection = http.client.HTTPConnection(parts.netloc, timeout=30)
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            connection.request("OPTIONS", f"{parts.path}/report", headers=headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            told = answer.getheader("access-control-allow-origin")
            assert told == (allowed if origin == allowed else None)


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


def named_as_before(names_: pytest.MonkeyPatch) -> None:
    """Let names be those of a devbridge that did not end them where an app or a stage ends."""
    names_.setattr(names, "stack", names.old_stack)
    names_.setattr(names, "NAMING", "Unknown")
    names_.setattr(names, "path", lambda app, stage: "/")
    names_.setattr(names, "project", lambda job, stage: f"{job.app.name}-{stage}-{job.name}")
    names_.setattr(names, "_limited", lambda _, name: name.replace("_", "-"))


def test_a_stage_of_an_older_devbridge_keeps_its_stack_and_data_and_that_is_said(
    root: Path, local_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        named_as_before(old)
        before = deploy(root, local_cloud)
        assert call(before.outputs["ApiUrl"]) == (200, "demo-test-report-invoker")
    notes = {"TableName": before.outputs["NotesTable"]}
    dynamodb = local_cloud.client("dynamodb")
    dynamodb.put_item(**notes, Item={"id": {"S": "1"}})
    with pytest.raises(NotDeployed, match="another version of devbridge"):
        deployment.check_naming(local_cloud, "demo", "test")
    seen = deployment.diff(Request(load_app(root, "test"), local_cloud, stage="test", mode="dev"))
    assert (seen.stack, seen.creates) == ("devbridge-demo-test", False)
    assert {c.label for c in seen.changes if c.reason == "Name"} == {"Job 'report'"}
    assert not seen.dangerous

    told: list[Progress] = []
    after = deploy(root, local_cloud, told)
    assert [p.text for p in told if "keeps its old name" in p.text]
    assert call(after.outputs["ApiUrl"]) == (200, "demo_test_report-invoker")
    assert after.outputs["NotesTable"] == before.outputs["NotesTable"]
    assert dynamodb.scan(**notes)["Count"] == 1
    deployment.check_naming(local_cloud, "demo", "test")
    assert remove(local_cloud, "demo", "test", told.append)
    assert describe(local_cloud, "devbridge-demo-test") is None


def test_of_many_who_upload_the_same_zip_at_once_one_version_is_left(local_cloud: Cloud) -> None:
    bucket, asset = ensure_bucket(local_cloud), Asset.of("the code", b"code")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: upload(local_cloud, [asset], "demo", print), range(8)))
    stored = local_cloud.client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert [made[0]] * 8 == made
    assert [{each["Key"]: each["VersionId"]} for each in stored] == [made[0]]
