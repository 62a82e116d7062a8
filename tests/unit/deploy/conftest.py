from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from devbridge.constructs import Api, App, Job, Table
from devbridge.constructs.app import loading
from devbridge.transport.base import Endpoint
from tests.unit.deploy.cloudformation import Script

ACCOUNT = "123456789012"


@dataclass
class FakeCloud:
    """A cloud whose clients are moto's, or whatever a test puts in."""

    clients: dict[str, Any] = field(default_factory=dict)
    region: str = "eu-west-1"
    endpoint_url: str | None = None
    account: str = ACCOUNT
    principal_arn: str = f"arn:aws:iam::{ACCOUNT}:user/ann"

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(  # type: ignore[call-overload]
                service,
                region_name=self.region,
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
        return self.clients[service]

    def iot_endpoint(self) -> Endpoint:
        return Endpoint("a1-ats.iot.eu-west-1.amazonaws.com", self.region)

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()


def bucket(aws: FakeCloud, name: str, *keys: str) -> Any:
    """Make a bucket that keeps versions, with empty objects of these keys; its client."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in keys:
        s3.put_object(Bucket=name, Key=key, Body=b"")
    return s3


def table(aws: FakeCloud, name: str, **tags: str) -> None:
    """Make a table with these tags of devbridge's."""
    aws.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": f"devbridge:{key}", "Value": value} for key, value in tags.items()],
    )


def tables(aws: FakeCloud) -> list[str]:
    """The names of the tables that there are."""
    return list(aws.client("dynamodb").list_tables()["TableNames"])


@pytest.fixture
def aws() -> Iterator[FakeCloud]:
    """An empty account of moto's."""
    with mock_aws():
        yield FakeCloud()


@pytest.fixture
def script(aws: FakeCloud) -> Iterator[Script]:
    """What CloudFormation will be asked; all of it must be."""
    script = Script(aws.client("cloudformation"))
    with script.stub:
        yield script
    script.stub.assert_no_pending_responses()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, source in (("jobs", "a"), ("api", "start")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{source}.py").write_text("def handler(payload, context): ...\n")
    return tmp_path


@pytest.fixture
def app(root: Path) -> App:
    """A table, a job that binds it, and an API that binds the job."""
    with loading(root):
        app = App("demo")
        notes = Table(app, "notes", partition_key="id", sort_key="when")
        job = Job(
            app,
            "my-job",
            handler="jobs/a.handler",
            bind=[notes],
            timeout="90 minutes",
            memory_size="7 GB",
            environment={"COLOUR": "red"},
            permissions=[{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::b/*"]}],
        )
        Table(app, "other", partition_key="id")
        Api(
            app,
            "api",
            routes={"POST /a": "api/start.handler", "GET /a/{id}": "api/start.handler"},
            bind=[job],
        )
    return app
