from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Stream
from devbridge.constructs.app import loading
from tests.unit.deploy.templates import allowed, lint, made, of_type, properties, resources

KEY = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123"
ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


@pytest.fixture
def app(root: Path) -> App:
    with loading(root):
        return App("demo")


def test_a_stream_grows_by_itself_and_is_encrypted_by_a_key_of_awss(app: App) -> None:
    Stream(app, "clicks")
    template = made(app)
    assert lint(template) == []
    assert properties(template, "ClicksStream") == {
        "RetentionPeriodHours": 24,
        "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
        "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
    }


def test_a_stream_has_the_shards_the_time_and_the_key_that_it_is_given(app: App) -> None:
    Stream(app, "clicks", shards=3, retention="7 days", encryption_key=KEY)
    template = made(app)
    assert lint(template) == []
    assert properties(template, "ClicksStream") == {
        "RetentionPeriodHours": 168,
        "ShardCount": 3,
        "StreamEncryption": {"EncryptionType": "KMS", "KeyId": KEY},
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
    }


@pytest.mark.parametrize(
    ("options", "mode", "policy"),
    [
        ({}, "dev", "Delete"),
        ({}, "deployed", "Retain"),
        ({"removal": "retain"}, "dev", "Retain"),
        ({"removal": "delete"}, "deployed", "Delete"),
    ],
)
def test_its_records_are_kept_or_deleted_as_it_says_or_as_the_stage_is(
    options: Any, mode: str, policy: str, app: App
) -> None:
    Stream(app, "clicks", **options)
    resource = resources(made(app, mode=mode))["ClicksStream"]
    assert resource["UpdateReplacePolicy"] == policy


def test_a_stream_that_exists_is_used_and_not_made(app: App) -> None:
    clicks = Stream.existing(app, "clicks", arn=ARN, encryption_key=KEY)
    Function(app, "f", handler="api/start.handler", bind=[clicks])
    template = made(app)
    assert lint(template) == []
    assert not of_type(template, "AWS::Kinesis::Stream")
    may = allowed(template, "FFunctionRole")
    assert may["kinesis:PutRecords"] == [ARN]
    assert may["kinesis:SubscribeToShard"] == [f"{ARN}/consumer/*"]
    assert may["kms:Decrypt"] == [KEY]
