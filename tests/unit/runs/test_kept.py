from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.runs.kept import Kept
from tests.unit.runs.clouds import S3

KMS = "arn:aws:kms:eu-west-1:123456789012:key/1"
PAYLOAD = "payloads/demo/prod/factorial/token.json"
RUN = "runs/demo/prod/factorial/token"


class Bucket(S3):
    """Notes what each object was put with, and refuses with an error that a test gives."""

    def __init__(self) -> None:
        super().__init__(bucket="assets")
        self.puts: list[dict[str, Any]] = []
        self.refuses = ""

    def put_object(self, **given: Any) -> None:
        self._refuse("PutObject")
        self.puts.append(given)
        super().put_object(**given)

    def get_object(self, **given: Any) -> Any:
        self._refuse("GetObject")
        return super().get_object(**given)

    def _refuse(self, operation: str) -> None:
        if self.refuses:
            answer: Any = {"Error": {"Code": self.refuses, "Message": "no"}}
            raise ClientError(answer, operation)


def kept(bucket: Bucket, key: str | None = None) -> Kept:
    return Kept(lambda: bucket, "assets", "demo/prod/factorial", key)


def test_a_payload_is_stored_once_and_the_first_one_counts() -> None:
    bucket = Bucket()
    assert kept(bucket).put_payload("token", b"1") == (PAYLOAD, True)
    assert kept(bucket).put_payload("token", b"2") == (PAYLOAD, False)
    assert bucket.objects == {PAYLOAD: b"1"}
    assert bucket.puts[0]["ContentType"] == "application/json"


def test_only_payloads_are_encrypted_with_the_key_that_is_named() -> None:
    bucket = Bucket()
    kept(bucket, KMS).put_payload("token", b"1")
    kept(bucket, KMS).remember("token", "id")
    kept(bucket).put_payload("other", b"1")
    encrypted = [(put.get("ServerSideEncryption"), put.get("SSEKMSKeyId")) for put in bucket.puts]
    assert encrypted == [("aws:kms", KMS), (None, None), (None, None)]


def test_a_payload_that_s3_refuses_is_an_error() -> None:
    bucket = Bucket()
    bucket.refuses = "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        kept(bucket).put_payload("token", b"1")


def test_a_key_is_remembered_with_the_run_that_it_has_started() -> None:
    bucket = Bucket()
    assert kept(bucket).remembered("token") == ""
    kept(bucket).remember("token", "project:uuid")
    assert kept(bucket).remembered("token") == "project:uuid"
    assert bucket.objects == {RUN: b"project:uuid"}
    bucket.objects[RUN] = b"\xff"
    assert kept(bucket).remembered("token") == "\ufffd"


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "AccessDenied", "403"])
def test_what_is_not_there_or_may_not_be_seen_is_nothing(code: str) -> None:
    bucket = Bucket()
    bucket.refuses = code
    assert kept(bucket).read("results/r") is None


def test_other_refusals_are_errors() -> None:
    bucket = Bucket()
    bucket.refuses = "SlowDown"
    with pytest.raises(ClientError, match="SlowDown"):
        kept(bucket).read("results/r")


def test_what_is_deleted_is_gone_and_what_is_gone_may_be_deleted() -> None:
    bucket = Bucket()
    kept(bucket).put_payload("token", b"1")
    kept(bucket).delete(PAYLOAD)
    kept(bucket).delete(PAYLOAD)
    assert bucket.objects == {}
