"""The policies in docs/, as they are written there: what they allow is done, and what they must not
allow is tried, on the embedded cloud with IAM enforced.

The embedded cloud asks nobody about what CloudFormation does for somebody, about `iam:PassRole`,
and about MQTT: there IAM's own simulation answers.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from devbridge import deploy as deployment
from devbridge import job, names
from devbridge.cloud.session import Clients, Cloud, connect, local_session
from devbridge.config import Config
from devbridge.deploy import Progress, Request, secrets
from devbridge.deploy.plan import Plan
from devbridge.deploy.plan_text import lines
from devbridge.deploy.remove import remove
from devbridge.emulator.state import Running
from devbridge.errors import DeployError
from devbridge.live.objects import Objects
from devbridge.protocol.messages import Topics
from devbridge.runs.kept import Kept
from devbridge.runs.listed import ListedRuns
from devbridge.runs.providers.known import provider
from devbridge.runs.reading import Deployment, Reader
from devbridge.transport.base import AwsCredentials
from tests.apps import IMPORTS, load
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast
from tests.unit.test_docs_pages import PAGES, blocks
from tests.waiting import eventually

ACCOUNT: Final = "000000000000"
APP: Final = f"""{IMPORTS}
app = App("NAME")
Table(app, "notes", partition_key="id")
Queue(app, "work")
Bucket(app, "files")
token = Secret(app, "token")
Job(app, "local", handler="jobs/local.handler", timeout="1 hour", bind=[token])
hello = Function(app, "hello", handler="api/hello.handler")
Api(app, "web", routes={{"GET /": hello}})
"""
JOB: Final = """\
import fastjsonschema
from devbridge.job import job_handler
@job_handler("local")
def handler(payload):
    return ["the developer's code", getattr(fastjsonschema, "WHO", "the developer's package")]
"""
RIGHT: Final = ["the developer's code", "the developer's package"]
FUNCTION: Final = "def handler(event, context):\n    return 'the developer'\n"


def page(name: str, *words: str) -> list[dict[str, Any]]:
    """The statements of the page's policies that have one of these words, for this account."""
    texts = [text for text in blocks(PAGES[name], "json") if any(word in text for word in words)]
    assert len(texts) == len(words)
    return [
        statement
        for text in texts
        for statement in json.loads(text.replace("123456789012", ACCOUNT))["Statement"]
    ]


def of_stage(statements: list[dict[str, Any]], stage: str) -> list[dict[str, Any]]:
    """The policy for one stage: as the page says, it is written where a ``*`` stands for it."""
    text = json.dumps(statements)
    for before, after in (("hello--", "-"), ("hello_", "_"), ("hello/", "/")):
        text = text.replace(f"{before}*{after}", f"{before}{stage}{after}")
    text = text.replace("repository/devbridge/hello/*", f"repository/devbridge/hello/{stage}")
    return [dict(statement) for statement in json.loads(text)]


PATHS: Final = {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": "*"}
"""The embedded cloud does not work out which folder is meant."""
LOOK: Final = page("ci.md", "Look")
ASK: Final = [*LOOK, *page("ci.md", "Ask")]
DEPLOY: Final = [*page("deploying.md", "WhatRuns"), PATHS]
MACHINES: Final = page("deploying.md", "WhereJobsRun")
DEVELOP: Final = of_stage([*DEPLOY, *page("deploying.md", "RunJobs")], "ann")


@dataclass
class Account:
    """An account with apps ``hello`` and ``hello-world``, each with a deployed stage ``prod``."""

    root: Cloud
    folder: Path
    users: dict[str, Cloud]

    def app(self, name: str = "hello", stage: str = "prod", *, more: str = "") -> Any:
        folder = self.folder / name
        for file, text in (("jobs/local.py", JOB), ("api/hello.py", FUNCTION)):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        return load(folder, APP.replace("NAME", name) + more, stage)

    def deploy(
        self, cloud: Cloud, name: str = "hello", stage: str = "prod", *, more: str = ""
    ) -> list[Progress]:
        told: list[Progress] = []
        app = self.app(name, stage, more=more)
        deployment.deploy(
            Request(app, cloud, stage=stage, mode="deployed", on_progress=told.append, pace=fast)
        )
        return told

    def diff(self, cloud: Cloud, stage: str = "prod", *, more: str = "") -> Plan:
        app = self.app(stage=stage, more=more)
        return deployment.diff(Request(app, cloud, stage=stage, mode="deployed", pace=fast))

    def user(self, name: str, statements: list[dict[str, Any]]) -> Cloud:
        """The cloud as somebody sees it who has this policy and no other."""
        iam = self.root.client("iam")
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]

        def session() -> Session:
            return local_session(AwsCredentials(key["AccessKeyId"], key["SecretAccessKey"]))

        self.users[name] = replace(
            self.root,
            principal_arn=f"arn:aws:iam::{ACCOUNT}:user/{name}",
            clients=Clients(session, self.root.endpoint_url, self.root.region),
        )
        return self.users[name]

    def may(self, name: str, action: str, resource: str) -> bool:
        """Whether IAM's simulation allows that user the action."""
        service = action.partition(":")[0]
        region = "" if service in ("iam", "sts") else self.root.region
        owner = "iam" if service == "sts" else service
        (result,) = self.root.client("iam").simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/{name}",
            ActionNames=[action],
            ResourceArns=[f"arn:aws:{owner}:{region}:{ACCOUNT}:{resource}"],
        )["EvaluationResults"]
        return bool(result["EvalDecision"] == "allowed")

    @property
    def bucket(self) -> str:
        return names.asset_bucket(ACCOUNT, self.root.region)

    def change_sets(self) -> list[str]:
        """Those of the stage; those that were executed stay."""
        found = self.root.client("cloudformation").list_change_sets(
            StackName=names.stack("hello", "prod")
        )
        return sorted(each["ChangeSetName"] for each in found["Summaries"])

    def versions(self) -> list[tuple[str, str]]:
        """All that is in the asset bucket, and ever was."""
        found = self.root.client("s3").list_object_versions(Bucket=self.bucket)
        return sorted((each["Key"], each["VersionId"]) for each in found["Versions"])


@pytest.fixture(scope="module")
def account(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Account:
    folder = tmp_path_factory.mktemp("account")
    config = Config(root=folder, stage="prod", python=Path(sys.executable), local=True)
    root = connect(config, shared_cloud.endpoint_url)
    made = Account(root, folder, {})
    reset(shared_cloud.endpoint_url)
    for name in ("hello", "hello-world"):
        secrets.set_secret(root, name, "prod", "token", "x")
        made.deploy(root, name)
    policies = {"looker": LOOK, "asker": ASK, "deployer": DEPLOY, "ann": DEVELOP}
    policies["operator"] = MACHINES
    for name, statements in policies.items():
        made.user(name, statements)
    return made


Call = tuple[str, str, dict[str, Any]]
"""A service, an operation, and its arguments."""


def refused(cloud: Cloud, call: Call) -> bool:
    """Whether IAM refuses the call."""
    service, operation, arguments = call
    try:
        getattr(cloud.client(service), operation)(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDenied", "AccessDeniedException", "403"), (call, code)
        return True
    return False


ASSETS: Final = f"devbridge-assets-{ACCOUNT}-us-east-1"


def put(key: str) -> Call:
    return "s3", "put_object", {"Bucket": ASSETS, "Key": key, "Body": b"x"}


def stack(operation: str, app: str = "hello", **more: Any) -> Call:
    return "cloudformation", operation, {"StackName": f"devbridge-{app}--prod-", **more}


def template(app: str, **more: str) -> Call:
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    return stack("create_change_set", app, ChangeSetName="x", TemplateBody=body, **more)


SECRET: Final = ("ssm", "get_parameter", {"Name": "/devbridge/hello/prod/secrets/token"})
WHO_LOOKS_MAY_NOT: Final[dict[str, Call]] = {
    "overwrite what runs": put("assets/hello/x.zip"),
    "overwrite what ran before": put("x.zip"),
    "overwrite what is deployed": put("templates/hello/x.template"),
    "send payloads": put("payloads/hello/prod/local/x.json"),
    "delete the stack": stack("delete_stack"),
    "update the stack": stack("update_stack", UsePreviousTemplate=True),
    "read another app's template": stack("get_template", "hello-world"),
    "read another stage's template": (
        "cloudformation",
        "get_template",
        {"StackName": "devbridge-hello--prod-eu-"},
    ),
    "read secrets": SECRET,
    "start builds": ("codebuild", "start_build", {"projectName": "hello_prod_local"}),
    "call the function": ("lambda", "invoke", {"FunctionName": "hello_prod_hello-fn"}),
    "change the function": (
        "lambda",
        "update_function_code",
        {"FunctionName": "hello_prod_hello-fn", "ZipFile": b"x"},
    ),
    "make users": ("iam", "create_user", {"UserName": "x"}),
}


MORE: Final = 'Topic(app, "news")\n'
LARGE: Final = "".join(f"Topic(app, 'a-topic-of-many-{i}')\n" for i in range(160))


@pytest.mark.parametrize("what", WHO_LOOKS_MAY_NOT)
def test_who_may_only_look_may_not(account: Account, what: str) -> None:
    assert refused(account.users["looker"], WHO_LOOKS_MAY_NOT[what])


ASKS_TOO: Final = {"read secrets", "start builds", "call the function", "change the function"}


@pytest.mark.parametrize(
    "call",
    [
        *(call for what, call in WHO_LOOKS_MAY_NOT.items() if what not in ASKS_TOO),
        put("diffs/hello-world/x.template"),
        stack("execute_change_set", ChangeSetName="x"),
        template("hello-world"),
    ],
    ids=str,
)
def test_who_may_ask_cloudformation_may_not_change_what_runs(account: Account, call: Call) -> None:
    assert refused(account.users["asker"], call)


@pytest.mark.parametrize("who", ["looker", "asker"])
@pytest.mark.parametrize("more", ["", MORE, LARGE], ids=["nothing", "little", "much"])
def test_who_looks_sees_what_root_sees_and_leaves_nothing(
    account: Account, who: str, more: str
) -> None:
    right = account.diff(account.root, more=more)
    before, sets = account.versions(), account.change_sets()
    seen = account.diff(account.users[who], more=more)
    assert [*lines(seen)] == [*lines(right)]
    assert bool(seen) == bool(more)
    written = {key for key, _ in {*account.versions()} - {*before}}
    assert all(key.startswith("diffs/hello/") for key in written)
    assert bool(written) == (who == "asker" and more == LARGE)
    assert account.change_sets() == sets


def test_of_a_stage_that_is_not_there_all_is_new_and_no_stack_is_made(account: Account) -> None:
    seen = account.diff(account.root, "fresh")
    assert seen.creates
    assert {change.action for change in seen.changes} == {"add"}
    stacks = account.root.client("cloudformation").list_stacks()["StackSummaries"]
    assert not [each for each in stacks if "fresh" in each["StackName"]]


def run(account: Account, cloud: Cloud, stage: str = "prod") -> object:
    """The result of a run of the deployed job."""
    invoker = f"hello_{stage}_local-invoker"
    started = job.ask(cloud.client("lambda"), invoker, "local", "run")["jobId"]
    project = f"hello_{stage}_local"
    kept = Kept(lambda: cloud.client("s3"), account.bucket, f"hello/{stage}/local")
    deployment = Deployment(app="hello", stage=stage, job="local", project=project)
    store = ListedRuns(Reader(kept, lambda name: provider(name, cloud.client), deployment))
    found = store.get(started)
    assert eventually(lambda: found.refresh().state.final, 60)
    return json.loads(found.refresh(result=True).result or b"")


def test_who_deploys_deploys_runs_and_removes_with_the_policy_of_the_page(account: Account) -> None:
    deployer = account.users["deployer"]
    secrets.set_secret(deployer, "hello", "two", "token", "x")
    account.deploy(deployer, stage="two")
    account.deploy(deployer, stage="two", more=LARGE)
    assert not account.diff(deployer, "two", more=LARGE)
    assert run(account, deployer, "two") == RIGHT
    removed = remove(deployer, "hello", "two", lambda _: None, fast, delete_data=True)
    assert removed
    assert not removed.kept


OTHERS: Final[list[Call]] = [
    put("assets/hello-world/x.zip"),
    put("templates/hello-world/x.template"),
    put("payloads/hello-world/prod/local/x.json"),
    put("assets/hello"),
    put("x.zip"),
    ("s3", "get_object", {"Bucket": ASSETS, "Key": "results/hello-world/prod/local/x.json"}),
    ("s3", "list_objects_v2", {"Bucket": ASSETS}),
    ("s3", "list_object_versions", {"Bucket": ASSETS, "Prefix": "results/hello-world/prod/"}),
    ("s3", "put_bucket_policy", {"Bucket": ASSETS, "Policy": "{}"}),
    (
        "s3",
        "put_bucket_versioning",
        {"Bucket": ASSETS, "VersioningConfiguration": {"Status": "Suspended"}},
    ),
    ("s3", "delete_bucket", {"Bucket": ASSETS}),
    ("s3", "delete_object", {"Bucket": ASSETS, "Key": "assets/hello/x.zip"}),
    stack("get_template", "hello-world"),
    stack("delete_stack", "hello-world"),
    template("hello-world"),
    ("cloudformation", "get_template", {"StackName": "devbridge-hello-world-prod"}),
    ("ssm", "get_parameter", {"Name": "/devbridge/hello-world/prod/secrets/token"}),
    ("ssm", "delete_parameter", {"Name": "/devbridge/hello-world/prod/secrets/token"}),
    ("codebuild", "start_build", {"projectName": "hello-world_prod_local"}),
    ("codebuild", "delete_project", {"name": "hello-world_prod_local"}),
    ("lambda", "invoke", {"FunctionName": "hello-world_prod_hello-fn"}),
    ("lambda", "delete_function", {"FunctionName": "hello-world_prod_hello-fn"}),
    ("logs", "delete_log_group", {"logGroupName": "/aws/codebuild/hello-world_prod_local"}),
    ("logs", "filter_log_events", {"logGroupName": "/aws/lambda/hello-world_prod_hello-fn"}),
    ("dynamodb", "delete_table", {"TableName": "devbridge-hello-world--prod--NotesTable-1"}),
    ("iam", "delete_role", {"RoleName": "devbridge-hello-world--prod--LocalJobRole-1"}),
    ("iam", "create_user", {"UserName": "x"}),
]


@pytest.mark.parametrize("call", OTHERS, ids=str)
def test_who_deploys_one_app_reaches_nothing_of_another(account: Account, call: Call) -> None:
    assert refused(account.users["deployer"], call)


ROLES: Final = "role/devbridge"
Row = tuple[str, str]
MAY: Final[dict[str, list[Row]]] = {
    "deployer": [
        ("iam:PassRole", f"{ROLES}/hello/prod/devbridge-hello--prod--LocalJobRole-1"),
        ("iam:CreateRole", f"{ROLES}/hello/prod/devbridge-hello--prod--LocalJobRole-1"),
        ("dynamodb:CreateTable", "table/devbridge-hello--prod--NotesTable-1"),
        ("sqs:CreateQueue", "devbridge-hello--prod--WorkQueue-1"),
        ("codebuild:CreateProject", "project/hello_prod_local"),
        ("ecr:PutImage", "repository/devbridge/hello/prod"),
        ("dynamodb:CreateTable", "table/hello_prod_turns"),
        ("events:PutRule", "rule/devbridge-hello--prod--LocalJobEnded-1"),
        ("events:PutRule", "rule/hello_prod_shop/devbridge-hello--prod--LocalJobOnEvent-1"),
        ("scheduler:CreateSchedule", "schedule/default/devbridge-hello--prod--LocalJobSchedule-1"),
    ],
    "operator": [
        ("batch:RegisterJobDefinition", "job-definition/hello_prod_local"),
        ("batch:CreateJobQueue", "job-queue/hello_prod_1a2b3c4d"),
        ("ecs:RunTask", "task-definition/hello_prod_local:1"),
        ("iam:CreateInstanceProfile", "instance-profile/devbridge/hello/prod/x"),
    ],
    "ann": [
        ("iot:Connect", f"client/{Topics('hello', 'ann').daemon_client_id}"),
        ("iot:Connect", f"client/{Topics('hello', 'ann').daemon_client_id}-1"),
        ("iot:Subscribe", "topicfilter/devbridge/hello/ann/requests"),
        ("iot:Receive", "topic/devbridge/hello/ann/requests"),
        ("iot:Subscribe", "topicfilter/devbridge/hello/ann/calls"),
        ("iot:Receive", "topic/devbridge/hello/ann/calls"),
        ("iot:Receive", "topic/devbridge/hello/ann/presence"),
        ("iot:Publish", "topic/devbridge/hello/ann/presence"),
        ("iot:RetainPublish", "topic/devbridge/hello/ann/presence"),
        ("iot:Publish", "topic/devbridge/hello/ann/replies/1"),
        ("iot:Publish", "topic/devbridge/hello/ann/requests"),
        ("sts:AssumeRole", f"{ROLES}/hello/ann/devbridge-hello--ann--LocalJobRole-1"),
        ("sts:AssumeRole", f"{ROLES}/hello/ann/devbridge-hello--ann--HelloFunctionRole-1"),
        ("iam:PassRole", f"{ROLES}/hello/ann/devbridge-hello--ann--LocalJobRole-1"),
        ("cloudformation:CreateChangeSet", "stack/devbridge-hello--ann-/1"),
        ("dynamodb:CreateTable", "table/devbridge-hello--ann--NotesTable-1"),
        ("lambda:UpdateFunctionCode", "function:hello_ann_local-invoker"),
        ("logs:FilterLogEvents", "log-group:/aws/lambda/hello_ann_hello-fn:*"),
        ("sqs:ReceiveMessage", "devbridge-hello--ann--LocalJobDeadLetters-1"),
        ("sqs:SendMessage", "devbridge-hello--ann--LocalJobInbox-1"),
        ("sns:Publish", "devbridge-hello--ann--NewsTopic-1"),
        ("events:PutEvents", "event-bus/hello_ann_shop"),
        ("ssm:PutParameter", "parameter/devbridge/hello/ann/secrets/token"),
        ("ecr:PutImage", "repository/devbridge/hello/ann"),
    ],
    "looker": [],
    "asker": [],
}
"""What each of them may do, that the embedded cloud does not ask about."""
NOT_HELLO: Final = ("hello-world", "hello-ann", "hell", "x-hello")
NOT_ANN: Final = ("bob", "ann-marie", "an", "prod", "ann-stub", "x-ann")


def moved(row: Row, app: str = "hello", stage: str = "ann") -> Row:
    """The same of another app or stage."""
    action, resource = row
    for before, after in (("--", "-"), ("_", "_"), ("/", "/")):
        for known in ("ann", "prod"):
            resource = resource.replace(
                f"hello{before}{known}{after}", f"{app}{before}{stage}{after}"
            )
    for known in ("ann", "prod"):
        if resource.endswith(f"hello/{known}"):
            resource = f"{resource.removesuffix(f'hello/{known}')}{app}/{stage}"
    assert (action, resource) != row
    return action, resource


@pytest.mark.parametrize("who", MAY)
def test_simulated_each_may_what_is_theirs_and_no_more(account: Account, who: str) -> None:
    every = {row for rows in MAY.values() for row in rows}
    everybody = {row for row in every if row[1] == "*"}
    for row in MAY[who]:
        assert account.may(who, *row), row
        for app in NOT_HELLO:
            assert not account.may(who, *moved(row, app=app, stage="ann")), (row, app)
    for row in every - {*MAY[who]} - everybody:
        if who in ("looker", "asker"):
            assert account.may(who, *row) is False, row
    assert not account.may(who, "iam:PassRole", "role/admin")
    assert not account.may(who, "iam:CreateRole", "role/admin")


@pytest.mark.parametrize("stage", NOT_ANN)
def test_who_develops_on_one_stage_reaches_no_other(account: Account, stage: str) -> None:
    for row in MAY["ann"]:
        assert not account.may("ann", *moved(row, stage=stage)), (row, stage)


def test_what_reads_queues_and_streams_is_changed_for_ones_own_functions_alone() -> None:
    """The embedded cloud's simulation knows no keys of Lambda's: as IAM compares ARNs."""

    def may(statements: list[dict[str, Any]], app: str, stage: str) -> bool:
        (only,) = (each for each in statements if each.get("Sid") == "WhatReadsForFunctions")
        assert {action.partition(":")[2] for action in only["Action"]} == {
            f"{what}EventSourceMapping" for what in ("Create", "Delete", "Update")
        }
        pattern = only["Condition"]["ArnLike"]["lambda:FunctionArn"]
        function = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{app}_{stage}_local-invoker"
        parts = zip(function.split(":"), pattern.split(":"), strict=True)
        return all(fnmatchcase(part, allowed) for part, allowed in parts)

    assert may(DEPLOY, "hello", "prod")
    assert may(DEVELOP, "hello", "ann")
    assert not any(may(DEPLOY, app, "prod") for app in NOT_HELLO)
    assert not any(may(DEVELOP, "hello", stage) for stage in NOT_ANN)


@pytest.mark.parametrize("what", ["/apis/a1", "/apis/a1/routes/r1", "/tags/arn"])
def test_whose_an_api_is_tell_its_tags(what: str) -> None:
    def denied(statements: list[dict[str, Any]], app: str, stage: str) -> bool:
        tags = {"devbridge:app": app, "devbridge:stage": stage}
        return any(
            _denies(each, f"arn:aws:apigateway:eu-west-1::{what}", tags) for each in statements
        )

    assert not denied(DEPLOY, "hello", "prod")
    assert not denied(DEVELOP, "hello", "ann")
    for stage in ("prod", "ann-2", "an"):
        assert denied(DEVELOP, "hello", stage)
    for app in NOT_HELLO:
        assert denied(DEPLOY, app, "prod")
        assert denied(DEVELOP, app, "ann")


def test_whose_machines_and_file_systems_are_tell_their_tags() -> None:
    for what in (
        "batch:eu-west-1:1:compute-environment/x",
        "ec2:eu-west-1:1:launch-template/lt-1",
        "ec2:eu-west-1:1:security-group/sg-1",
        "elasticfilesystem:eu-west-1:1:access-point/fsap-1",
        "elasticfilesystem:eu-west-1:1:file-system/fs-1",
    ):
        arn = f"arn:aws:{what}".replace(":1:", f":{ACCOUNT}:")
        for app in ("hello", *NOT_HELLO):
            denied = any(_denies(each, arn, {"devbridge:app": app}) for each in MACHINES)
            assert denied is (app != "hello")


def _denies(statement: dict[str, Any], resource: str, tags: dict[str, str]) -> bool:
    """As IAM evaluates a denial whose condition is about the resource's tags."""
    listed = statement["Resource"]
    patterns = [listed] if isinstance(listed, str) else listed
    if statement["Effect"] != "Deny" or not any(fnmatchcase(resource, each) for each in patterns):
        return False
    found = {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
    operators = {
        "StringNotEquals": lambda key, value: found.get(key) != value,
        "Null": lambda key, value: (key not in found) == (value == "true"),
    }
    return all(
        operators[operator](key, value)
        for operator, keys in statement["Condition"].items()
        for key, value in keys.items()
    )


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iot:Subscribe", "topicfilter/devbridge/hello/#"),
        ("iot:Subscribe", "topicfilter/devbridge/hello/+/requests"),
        ("iot:Subscribe", "topicfilter/devbridge/hello/ann/replies/1"),
        ("iot:Connect", "client/*"),
        ("iot:Connect", "client/devbridge-hello--bob--daemon"),
        ("iot:Connect", f"client/{Topics('hello', 'ann').stub_client_id('1')}"),
        ("iot:Publish", "topic/devbridge/hello/bob/replies/1"),
    ],
)
def test_who_develops_on_one_stage_does_not_listen_to_others(
    account: Account, action: str, resource: str
) -> None:
    assert not account.may("ann", action, resource)


def test_who_develops_on_one_stage_hands_over_its_large_calls_and_no_others(
    account: Account,
) -> None:
    objects = Objects(account.users["ann"])
    objects.put("calls/hello/ann/x/answer", b"[1]")
    assert objects.get("calls/hello/ann/x/answer") == b"[1]"
    for key in ("calls/hello/bob/x/answer", "calls/hello-world/ann/x/answer", "calls/hello/ann"):
        with pytest.raises(ClientError, match="AccessDenied"):
            objects.put(key, b"[1]")
        with pytest.raises(ClientError, match="AccessDenied"):
            objects.get(key)


def tampered(body: bytes, name: str, text: bytes) -> bytes:
    """A zip with another file in place of the one of that name."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(made, "w") as new:
        assert name in old.namelist()
        for entry in old.infolist():
            new.writestr(entry, text if entry.filename == name else old.read(entry))
    return made.getvalue()


THEIRS: Final = {
    "jobs/local.py": b"def handler(payload): return 'code of the pull request'\n",
    "fastjsonschema/__init__.py": b"WHO = 'the pull request'\n",
    "api/hello.py": b"def handler(event, context): return 'code of the pull request'\n",
}


def overwrite(account: Account) -> int:
    """Write over every zip of the app that has such a file; their number."""
    s3 = account.root.client("s3")
    found = 0
    for item in s3.list_objects_v2(Bucket=ASSETS, Prefix="assets/hello/")["Contents"]:
        place = {"Bucket": ASSETS, "Key": item["Key"]}
        body = s3.get_object(**place)["Body"].read()
        for name, text in THEIRS.items():
            if name in zipfile.ZipFile(io.BytesIO(body)).namelist():
                s3.put_object(**place, Body=tampered(body, name, text))
                found += 1
    return found


def called(account: Account) -> object:
    answer = account.root.client("lambda").invoke(FunctionName="hello_prod_hello-fn")
    return json.loads(answer["Payload"].read())


def test_what_is_written_over_zips_is_not_run_and_the_next_deployment_repairs_it(
    account: Account,
) -> None:
    account.deploy(account.root)
    assert overwrite(account) == 3
    assert run(account, account.root) == RIGHT
    assert not account.diff(account.root)  # which cannot know
    told = account.deploy(account.root)
    repaired = [each.text for each in told if "is not run" in each.text]
    assert len(repaired) == 3
    assert {text.partition(":")[0] for text in repaired} == {
        "Job 'local'",
        "packages of Job 'local'",
        "Function 'hello'",
    }
    assert run(account, account.root) == RIGHT
    assert called(account) == "the developer"
    assert [each.text for each in account.deploy(account.root)] == []


def test_a_validation_that_fails_names_the_resource_the_cause_and_what_to_do(
    account: Account,
) -> None:
    taken = (
        f"import troposphere.s3\napp.add(troposphere.s3.Bucket('Taken', BucketName={ASSETS!r}))\n"
    )
    with pytest.raises(DeployError) as caught:
        account.deploy(account.root, more=taken)
    said = str(caught.value)
    assert "AWS::S3::Bucket 'Taken'" in said
    assert "already exists" in said
    assert "everything is as it was before" in said
    blind = account.user(
        "blind",
        [
            {
                **DEPLOY[0],
                "Action": [
                    each for each in DEPLOY[0]["Action"] if each != "cloudformation:DescribeEvents"
                ],
            },
            *DEPLOY[1:],
        ],
    )
    with pytest.raises(DeployError, match="allow whoever deploys cloudformation:DescribeEvents"):
        account.deploy(blind, more=taken)
