from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.runs.kept import Kept
from devbridge.runs.model import State
from devbridge.runs.records import End
from runner.claims import Claim, Place
from tests.unit.runs.clouds import S3

KMS = "arn:aws:kms:eu-west-1:123456789012:key/1"
PAYLOAD = "payloads/demo/prod/factorial/token.json"
UUID = "0b1c2d3e-0000-4000-8000-000000000001"


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

    def list_objects_v2(self, **given: Any) -> Any:
        self._refuse("ListObjectsV2")
        return super().list_objects_v2(**given)

    def _refuse(self, operation: str) -> None:
        if self.refuses:
            answer: Any = {"Error": {"Code": self.refuses, "Message": "no"}}
            raise ClientError(answer, operation)


def kept(bucket: Bucket, key: str | None = None) -> Kept:
    return Kept(lambda: bucket, "assets", "demo/prod/factorial", key)


def test_a_payload_is_stored_once_and_the_first_one_counts() -> None:
    bucket = Bucket()
    assert kept(bucket).put_payload("token", b"1") == PAYLOAD
    assert kept(bucket).put_payload("token", b"2") == PAYLOAD
    assert bucket.objects == {PAYLOAD: b"1"}
    assert bucket.puts[0]["ContentType"] == "application/json"


def test_what_has_something_of_a_payload_is_encrypted_with_the_key_that_is_named() -> None:
    bucket = Bucket()
    named = kept(bucket, KMS)
    named.put_payload("token", b"1")
    named.put_checkpoint("token", b"1")
    named.make_claim("inline", Claim(1.0, 1, "batch", payload="1"))
    named.make_claim("token", Claim(1.0, 1, "batch", payload_at=PAYLOAD))
    named.put_place("token", Place("job", "batch", 1.0))
    named.make_end("token", End(State.CANCELLED, 1.0))
    named.list("token", 1.0)
    kept(bucket).put_payload("other", b"1")
    encrypted = [put.get("SSEKMSKeyId") for put in bucket.puts]
    assert encrypted == [KMS] * 3 + [None] * 5
    assert bucket.puts[0]["ServerSideEncryption"] == "aws:kms"


def test_a_payload_that_s3_refuses_is_an_error() -> None:
    bucket = Bucket()
    bucket.refuses = "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        kept(bucket).put_payload("token", b"1")


def test_only_one_makes_a_claim_and_only_one_an_end() -> None:
    bucket = Bucket()
    claim, end = Claim(1.5, 3, "batch", payload_at=PAYLOAD), End(State.CANCELLED, 2.5)
    assert kept(bucket).claim(UUID) is None
    assert [kept(bucket).make_claim(UUID, claim) for _ in range(2)] == [True, False]
    assert [kept(bucket).make_end(UUID, end) for _ in range(2)] == [True, False]
    assert kept(bucket).claim(UUID) == claim
    found = kept(bucket).end(UUID)
    assert found is not None
    assert (found.state, found.at) == (State.CANCELLED, 2.5)
    assert found.written_at > 2.5
    bucket.refuses = "SlowDown"
    with pytest.raises(ClientError, match="SlowDown"):
        kept(bucket).make_claim(UUID, claim)


def test_a_place_is_overwritten_by_the_next() -> None:
    bucket, places = Bucket(), [Place("a", "batch", 1.0), Place("b", "batch", 2.0, 1, ("a",))]
    assert kept(bucket).place(UUID) is None
    for place in places:
        kept(bucket).put_place(UUID, place)
        assert kept(bucket).place(UUID) == place


def test_what_the_runner_tells_and_keeps_is_read() -> None:
    bucket = Bucket()
    assert kept(bucket).told(UUID) is None
    assert kept(bucket).checkpoint(UUID) is None
    bucket.objects[f"told/demo/prod/factorial/{UUID}.json"] = b'{"state": "RUNNING"}'
    bucket.objects[f"checkpoints/demo/prod/factorial/{UUID}.json"] = b"[1]"
    told = kept(bucket).told(UUID)
    assert told is not None
    assert told.state is State.RUNNING
    assert kept(bucket).checkpoint(UUID) == b"[1]"


def test_the_list_has_the_newest_first_over_all_pages() -> None:
    bucket = Bucket()
    bucket.page = 2
    for number in range(5):
        kept(bucket).list(f"{number}-{UUID}", 1000.0 + number)
    listed = list(kept(bucket).newest())
    assert listed == [f"{number}-{UUID}" for number in (4, 3, 2, 1, 0)]
    assert list(kept(bucket).newest("3")) == [f"3-{UUID}"]


@pytest.mark.parametrize("code", ["NoSuchBucket", "SlowDown"])
def test_a_bucket_that_is_not_there_lists_nothing(code: str) -> None:
    bucket = Bucket()
    bucket.refuses = code
    if code == "NoSuchBucket":
        assert list(kept(bucket).newest()) == []
        assert kept(bucket).claim(UUID) is None
    else:
        with pytest.raises(ClientError, match=code):
            list(kept(bucket).newest())


def test_of_a_run_that_was_never_started_nothing_is_left() -> None:
    bucket = Bucket()
    claim = Claim(5.0, 1, "batch", payload_at=kept(bucket).put_payload(UUID, b"1"))
    kept(bucket).make_claim(UUID, claim)
    kept(bucket).list(UUID, 5.0)
    kept(bucket).forget(UUID, claim)
    assert bucket.objects == {}


def test_a_payload_is_known_though_its_run_has_deleted_it() -> None:
    bucket = Bucket()
    key = kept(bucket).put_payload(UUID, b"1")
    kept(bucket).delete(key)
    assert kept(bucket).payload(key) == b"1"
    bucket.deleted = {f"{key}.of-another": b"2"}
    assert kept(bucket).payload(key) is None


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


def test_the_last_run_of_a_schedule_is_replaced_by_who_has_seen_it() -> None:
    mine = kept(Bucket())
    assert mine.last("nightly") is None
    assert mine.put_last("nightly", "one", None)
    assert not mine.put_last("nightly", "two", None)
    seen = mine.last("nightly")
    assert seen is not None
    assert seen.uuid == "one"
    assert mine.put_last("nightly", "two", seen)
    assert not mine.put_last("nightly", "three", seen)
    assert mine.last("hourly") is None
