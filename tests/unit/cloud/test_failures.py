from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as botocore

from devbridge.cloud.failures import explain
from devbridge.errors import EXIT_CREDENTIALS, CloudError, CredentialsError, DevbridgeError


def refused(code: str) -> botocore.ClientError:
    return botocore.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")


def explained(error: Exception, **where: Any) -> DevbridgeError:
    explanation = explain(error, **where)
    assert explanation is not None
    return explanation


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (botocore.NoCredentialsError(), "no AWS credentials", "run aws configure --profile p"),
        (
            botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "AWS_SECRET_ACCESS_KEY is missing",
            "run aws configure --profile p",
        ),
        (botocore.UnauthorizedSSOTokenError(), "SSO session", "run aws sso login --profile p"),
        (
            botocore.SSOTokenLoadError(error_msg="x"),
            "SSO session",
            "run aws sso login --profile p",
        ),
        (
            botocore.TokenRetrievalError(provider="sso", error_msg="x"),
            "SSO session",
            "run aws sso login --profile p",
        ),
        (
            botocore.CredentialRetrievalError(provider="custom-process", error_msg="boom"),
            "boom",
            "~/.aws/config",
        ),
        (refused("ExpiredToken"), "expired (ExpiredToken)", "run aws configure --profile p"),
        (refused("ExpiredTokenException"), "expired", "run aws configure --profile p"),
        (refused("InvalidClientTokenId"), "does not accept", "run aws configure --profile p"),
        (refused("SignatureDoesNotMatch"), "does not accept", "run aws configure --profile p"),
    ],
)
def test_a_credential_failure_names_the_command_that_renews(
    error: Exception, what: str, remedy: str
) -> None:
    explanation = explained(error, profile="p")
    assert isinstance(explanation, CredentialsError)
    assert what in explanation.what
    assert explanation.where == "profile p"
    assert remedy in str(explanation.remedy)
    assert explanation.exit_code == EXIT_CREDENTIALS


def test_an_emulator_that_refuses_our_key_is_not_mended_with_aws_s_commands() -> None:
    url = "http://127.0.0.1:4566"
    explanation = explained(refused("InvalidClientTokenId"), endpoint_url=url)
    assert (explanation.where, explanation.exit_code) == (url, EXIT_CREDENTIALS)
    assert "aws configure" not in str(explanation)
    assert "devbridge dev --local" in str(explanation.remedy)


def test_without_a_profile_the_command_names_none() -> None:
    assert explained(botocore.UnauthorizedSSOTokenError()).remedy == "run aws sso login"


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ("sso_session = corp", "run aws sso login --profile p"),
        ("sso_start_url = https://x", "run aws sso login --profile p"),
        ("login_session = arn:aws:x", "run aws login --profile p"),
        ("region = eu-west-1", "run aws configure --profile p"),
    ],
)
def test_expired_credentials_are_renewed_the_way_their_profile_gets_them(
    settings: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[profile p]\n{settings}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert explained(refused("ExpiredToken"), profile="p").remedy == remedy


def test_expired_credentials_from_the_environment_are_exported_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    assert "export AWS_ACCESS_KEY_ID" in str(explained(refused("ExpiredToken")).remedy)
    assert "export" not in str(explained(refused("ExpiredToken"), profile="p").remedy)


def test_an_unknown_profile_lists_those_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile one]\nregion = x\n[default]\nregion = y\n")
    (tmp_path / "credentials").write_text("[two]\naws_access_key_id = AKIA\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    explanation = explained(botocore.ProfileNotFound(profile="three"), profile="three")
    assert explanation.what == "there is no AWS profile three"
    assert explanation.where == "the profiles are: one, default, two"


@pytest.mark.parametrize(
    "error",
    [
        botocore.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        botocore.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        botocore.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        botocore.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"),
        botocore.ProxyConnectionError(proxy_url="http://127.0.0.1:1", error="x"),
        botocore.SSLError(endpoint_url="http://127.0.0.1:1", error=OSError("x")),
    ],
)
def test_an_endpoint_that_cannot_be_reached_is_named(error: Exception) -> None:
    explanation = explained(error, endpoint_url="http://127.0.0.1:1")
    assert isinstance(explanation, CloudError)
    assert explanation.where == "http://127.0.0.1:1"
    assert "proxy" in str(explained(error).remedy)


def test_a_missing_region_is_told() -> None:
    assert "--region" in str(explained(botocore.NoRegionError()).remedy)


@pytest.mark.parametrize("error", [refused("AccessDenied"), ValueError("x")])
def test_what_only_the_caller_understands_is_not_explained(error: Exception) -> None:
    assert explain(error) is None
