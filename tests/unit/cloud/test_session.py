from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from devbridge.cloud import keys
from devbridge.cloud import session as module
from devbridge.cloud.last import remember
from devbridge.cloud.session import (
    Clients,
    Cloud,
    client_config,
    connect,
    local_session,
)
from devbridge.config import Config
from devbridge.emulator.ports import free_port
from devbridge.errors import CloudError, CredentialsError
from devbridge.transport.base import AwsCredentials, Endpoint

MakeConfig = Callable[..., Config]

KEY = AwsCredentials("AKIA", "secret", "token")


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stubber]]:
    """Answers for the clients of a Cloud that is made without asking anybody."""
    clients = Clients(lambda: local_session(KEY), None, "eu-west-1")
    monkeypatch.setattr(module, "Clients", lambda *args: clients)
    stubbers: dict[str, Stubber] = {}

    def stub(service: str) -> Stubber:
        if service not in stubbers:
            stubbers[service] = Stubber(clients.get(service))
            stubbers[service].activate()
        return stubbers[service]

    yield stub
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(
        region="eu-west-1",
        endpoint_url=None,
        account="123456789012",
        principal_arn="arn:aws:iam::123456789012:user/jane",
        profile=None,
        clients=Clients(lambda: local_session(KEY), None, "eu-west-1"),
    )


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:4566", True),
        ("http://localhost:4566", True),
        ("http://api.localhost:4566", True),
        ("http://10.0.0.1:4566", False),
        ("https://localhost.example.com", False),
        ("https://127.0.0.1.nip.io", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert keys.is_loopback(url) is loopback


@mock_aws(config={"core": {"mock_credentials": False}})
def test_connecting_asks_who_we_are(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    cloud = connect(make_config(local=False, region="eu-west-1"))
    assert cloud.region == "eu-west-1"
    assert cloud.endpoint_url is None
    assert cloud.account == "123456789012"
    assert cloud.principal_arn.startswith("arn:aws:sts::123456789012:")
    assert cloud.aws_credentials() == AwsCredentials("AKIA", "secret", None)
    assert "secret" not in repr(cloud)


@mock_aws(config={"core": {"mock_credentials": False}})
def test_profile_and_region_come_from_the_developer_s_files(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile dev]\nregion = eu-central-1\naws_access_key_id = AKIADEV\n"
        "aws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    cloud = connect(make_config(local=False, profile="dev"))
    assert (cloud.region, cloud.profile) == ("eu-central-1", "dev")
    assert cloud.aws_credentials().access_key == "AKIADEV"
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert connect(make_config(local=False, profile="dev")).region == "eu-north-1"
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert connect(make_config(local=False, region="eu-west-2")).region == "eu-west-2"


def test_no_region_is_an_error_with_the_command_that_sets_it(make_config: MakeConfig) -> None:
    with pytest.raises(CloudError, match="no AWS region") as caught:
        connect(make_config(local=False))
    assert "aws configure set region" in str(caught.value.remedy)
    assert str(caught.value.remedy).endswith("; or work without an account: --local")


def test_no_credentials_is_an_error_with_the_command_that_sets_them(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(CredentialsError, match="no AWS credentials") as caught:
        connect(make_config(local=False, region="eu-west-1"))
    assert "aws configure" in str(caught.value.remedy)


def test_an_app_with_an_embedded_cloud_is_told_of_it_where_aws_does_not_answer(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = make_config(local=False)
    config.make_dirs()
    (config.cloud_dir / "port").write_text("4566")
    with pytest.raises(CloudError, match=r"no AWS region(.|\n)*devbridge cloud start"):
        connect(config)
    with pytest.raises(CredentialsError, match=r"no AWS credentials(.|\n)*--local"):
        connect(replace(config, region="eu-west-1"))
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    remember(config, local=True)
    with pytest.raises(CloudError) as told:
        connect(config)
    assert str(told.value).splitlines() == [
        f"stage {config.stage!r} is on the embedded cloud; on AWS: no AWS region is set",
        "  where: the environment and the default profile",
        "  to do: give --local; or, for AWS, give --region eu-west-1, or set it:"
        " aws configure set region eu-west-1",
    ]
    with pytest.raises(CredentialsError) as caught:
        connect(replace(config, profile="work"))
    assert "--local" not in str(caught.value)


@pytest.mark.parametrize("through", ["flag", "environment"])
def test_an_unknown_profile_is_an_error(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    flag = "nobody" if through == "flag" else None
    if not flag:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CredentialsError, match="no AWS profile nobody"):
        connect(make_config(local=False, region="eu-west-1", profile=flag))


def test_half_a_pair_of_keys_is_an_error(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY is missing"):
        connect(make_config(local=False, region="eu-west-1"))


def test_an_sso_profile_without_a_login_names_the_login(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile corp]\nregion = eu-west-1\nsso_session = s\nsso_account_id = 123456789012\n"
        "sso_role_name = Dev\n[sso-session s]\nsso_region = eu-west-1\n"
        "sso_start_url = https://corp.awsapps.com/start\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CredentialsError) as caught:
        connect(make_config(local=False, profile="corp"))
    assert caught.value.remedy == "run aws sso login --profile corp"


def test_expired_credentials_are_told_while_connecting(
    make_config: MakeConfig, stubbed: Callable[[str], Stubber]
) -> None:
    stubbed("sts").add_client_error("get_caller_identity", "ExpiredToken", "expired")
    with pytest.raises(CredentialsError, match="expired"):
        connect(make_config(local=False, region="eu-west-1"))


def test_an_endpoint_where_nobody_listens_is_named(make_config: MakeConfig) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CloudError, match="cannot be reached") as caught:
        connect(make_config(endpoint=url))
    assert caught.value.where == url


def test_on_loopback_nothing_of_the_developer_s_configuration_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_text("[[[")
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_CONFIG_FILE": str(tmp_path / "broken"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "broken"),
        "AWS_ENDPOINT_URL_S3": "https://prod.example",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "HTTP_PROXY": "http://proxy.example",
    }.items():
        monkeypatch.setenv(name, value)
    key = AwsCredentials("AKIAROOT", "secret")
    clients = Clients(partial(local_session, key), "http://127.0.0.1:4566", "us-east-1")
    assert clients.credentials() == key
    client = clients.get("s3")
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.config.proxies == {}


def test_a_local_client_gives_up_sooner_than_one_for_aws() -> None:
    local, aws = client_config("http://localhost:1"), client_config(None)
    assert local.connect_timeout < aws.connect_timeout
    assert local.retries["total_max_attempts"] < aws.retries["total_max_attempts"]
    assert client_config("https://cloud.example").connect_timeout == aws.connect_timeout


def test_there_is_one_client_for_each_service_whatever_thread_asks(cloud: Cloud) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(cloud.client("sts"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1
    assert cloud.client("iot") is not found[0]


def test_on_aws_the_broker_is_dialled_by_its_name(cloud: Cloud) -> None:
    stub = Stubber(cloud.client("iot"))
    host = "a1b2-ats.iot.eu-west-1.amazonaws.com"
    stub.add_response(
        "describe_endpoint", {"endpointAddress": host}, {"endpointType": "iot:Data-ATS"}
    )
    with stub:
        assert cloud.iot_endpoint() == Endpoint(host, "eu-west-1")


def test_expired_credentials_are_told_when_the_broker_is_looked_up(cloud: Cloud) -> None:
    stub = Stubber(cloud.client("iot"))
    stub.add_client_error("describe_endpoint", "ExpiredTokenException")
    with stub, pytest.raises(CredentialsError):
        cloud.iot_endpoint()


@mock_aws(config={"core": {"mock_credentials": False}})
def test_credentials_that_were_replaced_in_a_file_are_found_by_renewing(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    text = "[default]\naws_access_key_id = {}\naws_secret_access_key = s\n"
    credentials.write_text(text.format("AKIAOLD"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    cloud = connect(make_config(local=False, region="eu-west-1"))
    credentials.write_text(text.format("AKIANEW"))
    assert cloud.aws_credentials().access_key == "AKIAOLD"
    cloud.renew()
    assert cloud.aws_credentials().access_key == "AKIANEW"


@mock_aws(config={"core": {"mock_credentials": False}})
def test_credentials_of_another_account_are_refused_when_renewing(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    cloud = connect(make_config(local=False, region="eu-west-1"))
    other = replace(cloud, account="210987654321")
    with pytest.raises(CredentialsError, match="no longer 210987654321"):
        other.renew()


@mock_aws
def test_a_profile_with_mfa_asks_for_one_code_however_many_sessions_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws" / "config"))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[profile base]\naws_access_key_id = AKIA\naws_secret_access_key = s\n"
        "[profile mfa]\nregion = eu-west-1\nsource_profile = base\n"
        "role_arn = arn:aws:iam::123456789012:role/dev\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/ann\n"
    )
    asked = []

    def code(prompt: str) -> str:
        asked.append(prompt)
        return "123456"

    keys = set()
    for _ in range(3):
        session = module._session("mfa")
        providers = session.get_component("credential_provider")
        providers.get_provider("assume-role")._prompter = code
        credentials = session.get_credentials()
        assert credentials is not None
        keys.add(credentials.get_frozen_credentials().access_key)

    assert len(asked) == 1
    assert len(keys) == 1
    cached = list((tmp_path / ".aws" / "cli" / "cache").iterdir())
    assert [file.stat().st_mode & 0o777 for file in cached] == [0o600]


def test_who_waits_for_what_takes_long_asks_once(cloud: Cloud) -> None:
    usual, waiting = cloud.client("lambda"), cloud.waiting("lambda", 960)
    assert waiting is cloud.waiting("lambda", 960)
    assert cloud.client("lambda") is usual
    config = waiting.meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (960, 1)
    assert config.tcp_keepalive  # a minute without a byte is no end of a connection
    config = usual.meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (60, 4)
