"""AWS clients of an embedded cloud, as its root, for tests and benchmarks: all are made here."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from devbridge.cloud import keys
from devbridge.cloud.session import LOCAL_REGION, local_session


def endpoint_of(app: Path) -> str:
    """Where the embedded cloud answers that runs in the app's folder."""
    state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
    return f"http://127.0.0.1:{state['port']}"


def root_client(endpoint_url: str, service: str, **options: Any) -> Any:
    """A client as the embedded cloud's root; `options` as boto3 takes them."""
    session = boto3.Session(botocore_session=local_session(keys.of_endpoint(endpoint_url)))
    options = {"region_name": LOCAL_REGION, **options}
    return session.client(service, endpoint_url=endpoint_url, **options)  # type: ignore[call-overload]


def signed_headers(
    url: str, method: str = "GET", body: bytes = b"", *, service: str = "execute-api"
) -> dict[str, str]:
    """The headers with which the embedded cloud's root signs that request."""
    key = keys.of_endpoint(url)
    request = AWSRequest(method, url, {"Host": urlsplit(url).netloc}, body)
    SigV4Auth(Credentials(key.access_key, key.secret_key), service, LOCAL_REGION).add_auth(request)
    return dict(request.headers)


def administer(endpoint_url: str, method: str, path: str) -> tuple[int, bytes]:
    """One of ministack's own paths, for root: status and body of the answer."""
    parts = urlsplit(endpoint_url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    connection.request(method, path, headers=signed_headers(endpoint_url + path, method))
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def reset(endpoint_url: str) -> None:
    """Empty the embedded cloud."""
    status, body = administer(endpoint_url, "POST", "/_ministack/reset")
    assert status == 200, body
