from __future__ import annotations

from typing import Any

import pytest

from runner import aws
from runner.host.settings import Settings
from runner.host.store import MAX_INLINE, Store
from runner.host.told import Told
from runner.outcome import CANCELLED, SUCCEEDED, End, Failure

RUN = {
    "DEVBRIDGE_JOB_NAME": "factorial",
    "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_RUN_ID": "p:1",
    "DEVBRIDGE_BUCKET": "b",
    "DEVBRIDGE_KEY": "arn:key",
}
OWN = "demo/prod/factorial/1"


class Bucket:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects: dict[str, bytes] = {}
        monkeypatch.setattr(aws, "put_object", self.put)
        monkeypatch.setattr(aws, "get_object", lambda bucket, key: self.objects[key])
        monkeypatch.setattr(aws, "delete_object", lambda bucket, key: self.objects.pop(key))
        monkeypatch.setattr(aws, "find_object", self.find)

    def put(
        self, bucket: str, key: str, body: bytes, *, encryption_key: str, condition: Any
    ) -> str:
        assert (bucket, encryption_key, condition) == ("b", "arn:key", {})
        self.objects[key] = body
        return "etag"

    def find(self, bucket: str, key: str) -> Any:
        return (self.objects[key], "etag") if key in self.objects else None


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return Bucket(monkeypatch)


def store(**more: str) -> Store:
    return Store(Settings.read(RUN | more))


def test_a_payload_is_in_the_environment_or_in_s3_where_it_stays_until_the_end(
    bucket: Bucket,
) -> None:
    assert store(DEVBRIDGE_PAYLOAD='"\udcff"').payload() == b'"\xff"'
    store().forget_payload()
    bucket.objects["k"] = b"1"
    one = store(DEVBRIDGE_PAYLOAD_KEY="k")
    assert (one.payload(), one.payload()) == (b"1", b"1")
    one.forget_payload()
    assert bucket.objects == {}


def test_the_last_checkpoint_is_kept(bucket: Bucket) -> None:
    assert store().checkpoint() is None
    store().keep(b"1")
    store().keep(b"2")
    assert store().checkpoint() == b"2"
    assert bucket.objects == {f"checkpoints/{OWN}.json": b"2"}


def test_without_a_bucket_there_is_no_checkpoint() -> None:
    assert store(DEVBRIDGE_BUCKET="").checkpoint() is None


def test_a_result_is_told_where_it_may_be_and_is_small(bucket: Bucket) -> None:
    inline = store(DEVBRIDGE_INLINE="1")
    assert inline.result(End(SUCCEEDED, '"ü"'.encode())) == '"\\u00fc"'
    assert store().result(End(SUCCEEDED, b"null")) == "null"
    assert store().result(End(CANCELLED, b"1")) is None
    assert bucket.objects == {}
    large = b'"' + b"x" * MAX_INLINE + b'"'
    assert inline.result(End(SUCCEEDED, large)) == f"@results/{OWN}.json"
    assert bucket.objects == {f"results/{OWN}.json": large}


def test_an_error_is_stored_beside_the_result(bucket: Bucket) -> None:
    assert store().error(Failure("KeyError", "'x'")) == f"results/{OWN}.error.json"
    assert b"KeyError" in bucket.objects[f"results/{OWN}.error.json"]


def test_what_is_told_is_read_again_and_is_no_more_than_that(bucket: Bucket) -> None:
    assert store().told() is None
    assert store().tell(Told("RUNNING", attempt=2)) == "etag"
    assert store().told() == (Told("RUNNING", attempt=2), "etag")
    bucket.objects[f"told/{OWN}.json"] = b"[]"
    with pytest.raises(aws.AwsError, match="what was told of the run cannot be read"):
        store().told()
