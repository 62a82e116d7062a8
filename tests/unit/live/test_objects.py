"""What is too large for the wire, in the bucket of the account and region."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from devbridge.daemon import calls
from devbridge.live.objects import Objects

BUCKET = "devbridge-assets-123456789012-eu-west-1"
KEY = "calls/demo/ann/x/event"


@pytest.fixture
def s3() -> Iterator[Stubber]:
    client = boto3.client(
        "s3", "eu-west-1", aws_access_key_id="AKIA", aws_secret_access_key="secret"
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def objects(s3: Stubber) -> calls.Objects:
    cloud: Any = SimpleNamespace(
        account="123456789012", region="eu-west-1", client={"s3": s3.client}.__getitem__
    )
    return Objects(cloud)


def test_an_object_is_read_from_the_bucket_that_stubs_write_to(
    objects: calls.Objects, s3: Stubber
) -> None:
    body = StreamingBody(io.BytesIO(b"[1]"), 3)
    s3.add_response("get_object", {"Body": body}, {"Bucket": BUCKET, "Key": KEY})
    assert objects.get(KEY) == b"[1]"


def test_an_object_is_written_there(objects: calls.Objects, s3: Stubber) -> None:
    s3.add_response("put_object", {}, {"Bucket": BUCKET, "Key": KEY, "Body": b"[1]"})
    objects.put(KEY, b"[1]")


def test_what_s3_refuses_is_raised(objects: calls.Objects, s3: Stubber) -> None:
    s3.add_client_error("get_object", "NoSuchKey")
    with pytest.raises(ClientError, match="NoSuchKey"):
        objects.get(KEY)
    s3.add_client_error("put_object", "AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        objects.put(KEY, b"")
