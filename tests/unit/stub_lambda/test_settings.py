from __future__ import annotations

import pytest

from devbridge.errors import DevbridgeError
from devbridge.transport.base import AwsCredentials, Endpoint
from stub_lambda.settings import Settings, credentials

HOST = "a1-ats.iot.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "DEVBRIDGE_APP": "app",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "factorial",
        "DEVBRIDGE_IOT_ENDPOINT": HOST,
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_on_aws_the_broker_is_dialled_by_its_name() -> None:
    settings = Settings.from_environment()
    assert settings == Settings(
        app="app", stage="dev", job="factorial", endpoint=Endpoint(HOST, "eu-west-1")
    )
    assert settings.topics.requests == "devbridge/app/dev/requests"


def test_on_the_embedded_cloud_the_broker_is_where_the_cloud_is(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert Settings.from_environment().endpoint == Endpoint(HOST, "eu-west-1", ("127.0.0.1", 4566))


def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DEVBRIDGE_JOB")
    with pytest.raises(DevbridgeError, match="DEVBRIDGE_JOB is missing"):
        Settings.from_environment()


def test_an_unknown_offline_policy_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "hope")
    with pytest.raises(DevbridgeError, match="queue, error, cloud"):
        Settings.from_environment()


def test_credentials_are_those_of_now(environment: pytest.MonkeyPatch) -> None:
    assert credentials() is None
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert credentials() == AwsCredentials("AKIA", "s", None)
    environment.setenv("AWS_SESSION_TOKEN", "t")
    assert credentials() == AwsCredentials("AKIA", "s", "t")
