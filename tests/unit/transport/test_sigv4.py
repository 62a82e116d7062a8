from __future__ import annotations

import datetime
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from devbridge.transport.base import AwsCredentials, Endpoint
from devbridge.transport.sigv4 import VALID, signed_path

ENDPOINT = Endpoint("a1b2-ats.iot.eu-west-1.amazonaws.com", "eu-west-1")
NOW = 1_800_000_000.0


def signed_by_botocore(access_key: str, secret_key: str) -> str:
    request = AWSRequest("GET", f"https://{ENDPOINT.host}/mqtt")
    signer = SigV4QueryAuth(
        Credentials(access_key, secret_key), "iotdevicegateway", "eu-west-1", expires=VALID
    )
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    return str(request.url)


@pytest.mark.parametrize("secret", ["secret", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"])
def test_the_signature_is_what_botocore_makes(secret: str) -> None:
    path = signed_path(ENDPOINT, AwsCredentials("AKIAEXAMPLE", secret), now=NOW)
    expected = urlsplit(signed_by_botocore("AKIAEXAMPLE", secret))
    ours = urlsplit(path)
    assert ours.path == expected.path
    assert parse_qs(ours.query) == parse_qs(expected.query)


def test_the_token_is_appended_after_signing() -> None:
    bare = signed_path(ENDPOINT, AwsCredentials("AKIA", "s"), now=NOW)
    path = signed_path(ENDPOINT, AwsCredentials("AKIA", "s", "to/k+en=="), now=NOW)
    assert path == f"{bare}&X-Amz-Security-Token=to%2Fk%2Ben%3D%3D"
    assert parse_qs(urlsplit(path).query)["X-Amz-Security-Token"] == ["to/k+en=="]


def test_it_is_signed_for_now_by_default() -> None:
    path = signed_path(ENDPOINT, AwsCredentials("AKIA", "s"))
    (date,) = parse_qs(urlsplit(path).query)["X-Amz-Date"]
    signed = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    assert abs((datetime.datetime.now(datetime.UTC) - signed).total_seconds()) < 60
