from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from troposphere import Ref, s3, sns, sqs

from devbridge.constructs import App, Bucket, Function, Job, Queue, Secret, Table, Topic
from devbridge.constructs.app import loading
from devbridge.deploy import environment
from devbridge.deploy.attributes import Deployed, known
from tests.unit.deploy.synth.conftest import MakeApp, app_of
from tests.unit.deploy.templates import allowed, lint, made, of_type, properties, resources

DATA: dict[str, Callable[..., object]] = {
    "XTable": lambda app, **options: Table(app, "x", partition_key="id", **options),
    "XBucket": lambda app, **options: Bucket(app, "x", **options),
    "XQueue": lambda app, **options: Queue(app, "x", **options),
}


@pytest.mark.parametrize("title", DATA)
@pytest.mark.parametrize(
    ("removal", "mode", "policy"),
    [
        (None, "dev", "Delete"),
        (None, "deployed", "Retain"),
        ("retain", "dev", "Retain"),
        ("delete", "deployed", "Delete"),
    ],
)
def test_what_holds_data_is_kept_or_deleted_as_it_says_or_as_the_stage_is(
    title: str, removal: str | None, mode: str, policy: str, synthed_app: MakeApp
) -> None:
    template = synthed_app(lambda app: DATA[title](app, removal=removal), mode=mode)
    resource = resources(template)[title]
    assert resource["UpdateReplacePolicy"] == policy
    # What a failed creation has made goes, whatever it is.
    assert resource["DeletionPolicy"] == {"Retain": "RetainExceptOnCreate"}.get(policy, policy)


def test_a_bucket_is_private_encrypted_and_for_tls_only(synthed_app: MakeApp) -> None:
    template = synthed_app(lambda app: Bucket(app, "files", removal="retain"))
    bucket = properties(template, "FilesBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "AES256" in str(bucket["BucketEncryption"])
    assert "VersioningConfiguration" not in bucket
    (statement,) = properties(template, "FilesBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert resources(template)["FilesBucketPolicy"]["UpdateReplacePolicy"] == "Retain"


def test_a_bucket_keeps_versions_if_it_is_told_to(synthed_app: MakeApp) -> None:
    template = synthed_app(lambda app: Bucket(app, "files", versioned=True))
    configuration = properties(template, "FilesBucket")["VersioningConfiguration"]
    assert configuration == {"Status": "Enabled"}


def test_a_cloud_without_tls_has_buckets_without_that_policy(synthed_app: MakeApp) -> None:
    template = synthed_app(lambda app: Bucket(app, "files"), tls=False)
    assert "FilesBucketPolicy" not in resources(template)


# --- what a reviewer asks for -------------------------------------------------------------------

KEY = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123"


def test_a_policy_of_the_users_own_is_the_only_one(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "*:*",
                    "Resource": "*",
                }
            ],
        }
        for name in ("a", "b"):
            Queue(app, name)
            Topic(app, name)
            Bucket(app, name)
        app.add(sqs.QueuePolicy("Q", Queues=[Ref("AQueue")], PolicyDocument=document))
        app.add(sns.TopicPolicy("T", Topics=[Ref("ATopic")], PolicyDocument=document))
        app.add(s3.BucketPolicy("B", Bucket=Ref("ABucket"), PolicyDocument=document))

    found = resources(made(app_of(define)))
    for kind in ("Queue", "Topic", "Bucket"):
        assert f"A{kind}Policy" not in found
        assert f"B{kind}Policy" in found


ENCRYPTED = {
    "XTable": (
        "SSESpecification",
        {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
    ),
    "XBucket": (
        "BucketEncryption",
        {
            "ServerSideEncryptionConfiguration": [
                {
                    "BucketKeyEnabled": True,
                    "ServerSideEncryptionByDefault": {
                        "KMSMasterKeyID": KEY,
                        "SSEAlgorithm": "aws:kms",
                    },
                }
            ]
        },
    ),
    "XQueue": ("KmsMasterKeyId", KEY),
    "XTopic": ("KmsMasterKeyId", KEY),
}
MAKERS = {**DATA, "XTopic": lambda app, **options: Topic(app, "x", **options)}


@pytest.mark.parametrize("title", ENCRYPTED)
@pytest.mark.parametrize("of_app", [True, False])
def test_a_key_of_the_app_or_its_own_encrypts_and_who_binds_may_use_it(
    title: str, of_app: bool, root: Path
) -> None:
    with loading(root):
        app = App("demo", encryption_key=KEY if of_app else None)
        made_of = MAKERS[title](app, **({} if of_app else {"encryption_key": KEY}))
        assert isinstance(made_of, Table | Bucket | Queue | Topic)
        Function(app, "f", handler="api/start.handler", bind=[made_of])
    template = made(app)
    assert lint(template) == []
    name, value = ENCRYPTED[title]
    assert properties(template, title)[name] == value
    assert "SqsManagedSseEnabled" not in properties(template, title)
    may = allowed(template, "FFunctionRole")
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert may[action] == [KEY]


def test_without_a_key_nobody_may_use_any(root: Path) -> None:
    with loading(root):
        app = App("demo")
        bound = [make(app) for make in MAKERS.values()]
        Function(app, "f", handler="api/start.handler", bind=bound)  # type: ignore[arg-type]
    assert "kms" not in made(app).body.lower()


def test_logs_and_environments_have_the_key_of_the_app(root: Path) -> None:
    with loading(root):
        app = App("demo", encryption_key=KEY)
        job = Job(app, "j", handler="jobs/a.handler", bind=[Secret(app, "token")])
        Function(app, "f", handler="api/start.handler", bind=[job])
    template = made(app, mode="deployed")
    assert lint(template) == []
    groups = of_type(template, "AWS::Logs::LogGroup").values()
    assert [group["Properties"]["KmsKeyId"] for group in groups] == [KEY] * 3
    functions = of_type(template, "AWS::Lambda::Function").values()
    assert [function["Properties"]["KmsKeyArn"] for function in functions] == [KEY] * 2
    for role in ("JJobRole", "FFunctionRole", "InvokerRole"):
        assert allowed(template, role)["kms:Decrypt"] == [KEY]
    variables = properties(template, "JJobInvoker")["Environment"]["Variables"]
    assert variables["DEVBRIDGE_KEY"] == KEY


@pytest.mark.parametrize(
    ("removal", "mode", "protected"),
    [(None, "deployed", True), (None, "dev", False), ("retain", "dev", True)],
)
def test_a_table_is_protected_where_it_is_retained(
    removal: str | None, mode: str, protected: bool, synthed_app: MakeApp
) -> None:
    def define(app: App) -> None:
        options: Any = {"removal": removal, "deletion_protection": True}
        Table(app, "x", partition_key="id", point_in_time_recovery=True, **options)
        Table(app, "y", partition_key="id", removal=removal)  # type: ignore[arg-type]

    template = synthed_app(define, mode=mode)
    found = properties(template, "XTable")
    assert found.get("DeletionProtectionEnabled", False) is protected
    assert found["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    other = properties(template, "YTable")
    assert not {"DeletionProtectionEnabled", "PointInTimeRecoverySpecification"} & other.keys()


# --- streams of tables, and what exists ---------------------------------------------------------


@pytest.mark.parametrize("view", ["new_image", "old_image", "new_and_old_images", "keys_only"])
def test_a_table_has_a_stream_if_it_is_told_to(view: Any, synthed_app: MakeApp) -> None:
    template = synthed_app(lambda app: Table(app, "notes", partition_key="id", stream=view))
    stream = properties(template, "NotesTable")["StreamSpecification"]
    assert stream == {"StreamViewType": view.upper()}
    arn = json.loads(template.body)["Outputs"]["NotesTableStream"]["Value"]
    assert arn == {"Fn::GetAtt": ["NotesTable", "StreamArn"]}


def test_a_table_has_a_stream_if_something_wants_it(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        Table(app, "notes", partition_key="id").want_stream()
        Table(app, "other", partition_key="id")

    template = synthed_app(define)
    stream = properties(template, "NotesTable")["StreamSpecification"]
    assert stream == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert "StreamSpecification" not in properties(template, "OtherTable")
    assert "OtherTableStream" not in template.body


HERE = "eu-west-1:123456789012"
TABLE_STREAM = f"arn:aws:dynamodb:{HERE}:table/notes/stream/2026-01-31T12:00:00.000"


def existing(app: App) -> None:
    queue = Queue.existing(app, "orders", arn=f"arn:aws:sqs:{HERE}:orders-1")
    topic = Topic.existing(app, "news", arn=f"arn:aws:sns:{HERE}:news-1")
    bucket = Bucket.existing(app, "files", arn="arn:aws:s3:::files-1", encryption_key=KEY)
    table = Table.existing(
        app, "notes", arn=f"arn:aws:dynamodb:{HERE}:table/notes", stream_arn=TABLE_STREAM
    )
    Queue(app, "work", dead_letter=queue)
    Function(
        app,
        "f",
        handler="api/start.handler",
        bind=[queue, topic, bucket, table],
        environment={"STREAM": table.stream_arn, "URL": queue.queue_url + "?"},
        permissions=[{"actions": ["s3:GetObjectTagging"], "resources": [bucket.arn + "/a/*"]}],
    )
    app.output("Orders", queue.arn)


def test_what_exists_is_used_and_not_made(synthed_app: MakeApp) -> None:
    template = synthed_app(existing)
    kinds = {each["Type"] for each in resources(template).values()}
    assert not kinds & {"AWS::SNS::Topic", "AWS::S3::Bucket", "AWS::DynamoDB::Table"}
    assert [*of_type(template, "AWS::SQS::Queue")] == ["WorkQueue"]
    redrive = properties(template, "WorkQueue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == f"arn:aws:sqs:{HERE}:orders-1"
    outputs = json.loads(template.body)["Outputs"]
    assert outputs["Orders"]["Value"] == f"arn:aws:sqs:{HERE}:orders-1"
    assert not {"OrdersQueue", "NewsTopic", "FilesBucket", "NotesTable"} & outputs.keys()


def test_what_exists_is_bound_as_what_is_made(synthed_app: MakeApp) -> None:
    template = synthed_app(existing, mode="deployed")
    may = allowed(template, "FFunctionRole")
    table = f"arn:aws:dynamodb:{HERE}:table/notes"
    assert may["dynamodb:Query"] == [table, f"{table}/index/*"]
    assert may["sqs:SendMessage"] == [f"arn:aws:sqs:{HERE}:orders-1"]
    assert may["sns:Publish"] == [f"arn:aws:sns:{HERE}:news-1"]
    assert may["s3:ListBucket"] == ["arn:aws:s3:::files-1"]
    assert may["s3:PutObject"] == ["arn:aws:s3:::files-1/*"]
    assert may["s3:GetObjectTagging"] == ["arn:aws:s3:::files-1/a/*"]
    assert may["kms:Decrypt"] == [KEY]
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders-1"
    assert properties(template, "FFunction")["Environment"]["Variables"] == {
        "STREAM": TABLE_STREAM,
        "URL": f"{url}?",
        "DEVBRIDGE_Queue_queueUrl_orders": url,
        "DEVBRIDGE_Topic_topicArn_news": f"arn:aws:sns:{HERE}:news-1",
        "DEVBRIDGE_Bucket_bucketName_files": "files-1",
        "DEVBRIDGE_Table_tableName_notes": "notes",
    }


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_devbridge_bind_and_live_jobs_know_what_exists(mode: str, root: Path) -> None:
    with loading(root):
        app = App("demo")
        existing(app)
    given = environment(app, "dev", {"WorkQueue": "https://work"})
    assert given["DEVBRIDGE_Table_tableName_notes"] == "notes"
    assert given["DEVBRIDGE_Queue_queueUrl_work"] == "https://work"
    queue = app.of_type(Queue)[0]
    assert known(queue.queue_name, "dev", Deployed("aws", "x", "1", {})) == "orders-1"
    assert allowed(made(app, mode=mode), "BindRole")["sns:Publish"] == [
        f"arn:aws:sns:{HERE}:news-1"
    ]
