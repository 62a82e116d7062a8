from __future__ import annotations

import datetime
import json
import socket
import string
from collections.abc import Mapping
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from runner import aws, signed
from runner.signed import AwsError, Credentials, Unavailable
from tests.unit.runner.scripted import Server

NOW = 1_800_000_000.0
SIGNERS = {"s3": S3SigV4Auth, "ssm": SigV4Auth}
KEYS = st.text(string.ascii_letters + string.digits + "+/", min_size=1, max_size=40)


def signed_by_botocore(
    method: str,
    url: str,
    service: str,
    headers: Mapping[str, str],
    body: bytes,
    who: Credentials,
) -> dict[str, str]:
    request = AWSRequest(method, url, headers=dict(headers), data=body)
    # As botocore's client does for S3; otherwise the hash of what is sent over TLS is left out.
    request.context["client_config"] = mock.Mock(s3={"payload_signing_enabled": True})
    signer = SIGNERS[service](
        BotoCredentials(who.access_key, who.secret_key, who.token), service, "eu-west-1"
    )
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    service=st.sampled_from(sorted(SIGNERS)),
    key=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30),
    body=st.binary(max_size=50),
    who=st.builds(Credentials, KEYS, KEYS, st.none() | KEYS),
    version=st.just("") | KEYS,
)
def test_a_signature_is_what_botocore_makes(
    method: str, service: str, key: str, body: bytes, who: Credentials, version: str
) -> None:
    # The client asks SSM for "/" only.
    path = quote(key, safe="/~") if service == "s3" else ""
    query = f"?versionId={quote(version, safe='~')}" if version and service == "s3" else ""
    url = f"https://bucket.{service}.eu-west-1.amazonaws.com/{path}{query}"
    headers = {"content-type": "application/json", "x-amz-target": "AmazonSSM.X"}
    ours = signed.sign(method, url, "eu-west-1", service, headers, body, who, NOW)
    theirs = signed_by_botocore(method, url, service, headers, body, who)
    assert ours["authorization"] == theirs["authorization"]
    assert {k: v for k, v in ours.items() if k != "host"} == theirs


def test_credentials_do_not_print_their_secrets() -> None:
    assert repr(Credentials("AKIA", "secret", "token")) == "Credentials(access_key='AKIA')"


# --- the client, with a server that answers by a script -----------------------------------------


REFUSED = b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"


@pytest.mark.parametrize(
    "passing",
    [
        (500, b""),
        (503, b"<Error><Code>SlowDown</Code><Message>m</Message></Error>"),
        (429, b""),
        (400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'),
        (400, b'{"__type": "com.amazon.coral#ThrottlingException"}'),
    ],
)
def test_what_may_pass_by_itself_is_tried_again(server: Server, passing: tuple[int, bytes]) -> None:
    server.answers = [passing, passing, (200, b"{}")]
    assert aws.call("ssm", "AmazonSSM.X", Name="n") == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((403, REFUSED), "AccessDenied not you"),
        ((400, b'{"__type": "x#InvalidInputException", "message": "no"}'), "InvalidInputException"),
        ((404, b"<html>"), "404"),
    ],
)
def test_a_refusal_is_an_error_at_once(
    server: Server, answer: tuple[int, bytes], said: str
) -> None:
    server.answers = [answer]
    with pytest.raises(AwsError, match=said):
        aws.get_object("bucket", "key")


def test_what_does_not_pass_is_given_up(server: Server) -> None:
    server.answers = [(500, b"")] * signed.TRIES
    with pytest.raises(Unavailable, match=r"GET http://127.0.0.1:\d+/bucket/key: 500"):
        aws.get_object("bucket", "key")


def test_it_is_sent_as_often_as_the_caller_says(server: Server) -> None:
    server.answers = [(500, b""), (500, b""), (200, b"{}")]
    url = f"{signed.endpoint('s3')}/x"
    with pytest.raises(Unavailable):
        signed.send("GET", url, "s3", {}, b"", signed.body_of, tries=2)
    assert len(server.requests) == 2
    assert signed.send("GET", url, "s3", {}, b"", signed.body_of, tries=1) == b"{}"


def test_a_silence_longer_than_the_caller_waits_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it never accepts
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="timed out"):
            signed.send("GET", url, "s3", {}, b"", signed.body_of, tries=1, timeout=0.05)


def test_a_server_that_cannot_be_reached_is_unavailable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="refused"):
        aws.delete_object("bucket", "key")


@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_containers_credentials_come_first(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, how: str
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role")
    if how == "variable":
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "abc")
    else:
        (tmp_path / "token").write_text("abc")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # it is never asked for those
    document = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t"}
    server.answers = [(200, json.dumps(document).encode())]
    assert signed.credentials() == Credentials("ASIA", "s", "t")
    assert server.requests[0][2]["authorization"] == "abc"


def test_codebuilds_own_credentials_are_at_a_relative_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x")
    answer = b'{"AccessKeyId": "ASIA", "SecretAccessKey": "s"}'
    with mock.patch("runner.signed._exchange", return_value=answer) as exchange:
        assert signed.credentials() == Credentials("ASIA", "s", None)
    assert exchange.call_args.args[2] == "http://169.254.170.2/v2/credentials/x"


def test_no_credentials_at_all_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AwsError, match="there are no credentials of a role here"):
        signed.credentials()


@pytest.mark.parametrize(
    ("region", "suffix"),
    [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")],
)
def test_without_an_endpoint_it_is_the_regions(
    monkeypatch: pytest.MonkeyPatch, region: str, suffix: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert signed.s3_url("b", "k") == f"https://b.s3.{region}.{suffix}/k"
    assert signed.endpoint("ssm") == f"https://ssm.{region}.{suffix}"


def test_an_endpoint_of_the_service_comes_before_that_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all/")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://lambda")
    assert signed.endpoint("ssm") == "http://all"
    assert signed.endpoint("lambda") == "http://lambda"
    assert signed.s3_url("b", "a b", "v/1") == "http://all/b/a%20b?versionId=v%2F1"
