"""What the runner asks of AWS, by itself: S3 objects, and CodeBuild's list of builds.

The standard library only: a job need not have boto3. The credentials are the build's role's, as
the container gives them, whatever the job's environment may say.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from runner.sigv4 import ALGORITHM, Signer

TRIES = 5
TIMEOUT = 60.0
"""Seconds that a connection may be silent."""
_CONTAINER = "http://169.254.170.2"
_CODE = re.compile(r"<Code>([^<]*)</Code>.*?<Message>([^<]*)</Message>", re.DOTALL)
_VIA_PROXY = urllib.request.build_opener()
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_pause = time.sleep


class AwsError(Exception):
    """AWS refused a request."""


class Unavailable(AwsError):
    """AWS could not be reached, or had no time, several times in a row."""


@dataclass(frozen=True)
class Credentials:
    """A snapshot of AWS credentials: enough to sign one request."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)


def get_object(bucket: str, key: str) -> bytes:
    """The content of an S3 object.

    Raises:
        AwsError: there is no such object, or it may not be read.
    """
    return _s3("GET", bucket, key)


def put_object(bucket: str, key: str, body: bytes, *, encryption_key: str = "") -> None:
    """Store a JSON text, encrypted with that KMS key, or as the bucket says.

    Raises:
        AwsError: it may not be written.
    """
    # Left to urllib, it would be a form.
    headers = {"content-type": "application/json"}
    if encryption_key:
        headers["x-amz-server-side-encryption"] = "aws:kms"
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = encryption_key
    _s3("PUT", bucket, key, body, headers)


def delete_object(bucket: str, key: str) -> None:
    """Delete an S3 object, if there is one.

    Raises:
        AwsError: it may not be deleted.
    """
    _s3("DELETE", bucket, key)


def codebuild(operation: str) -> Callable[..., dict[str, Any]]:
    """An operation of CodeBuild, to be called with its parameters by keyword.

    Raises (when called):
        AwsError: CodeBuild refused it.
    """
    return functools.partial(_codebuild, operation)


def _codebuild(operation: str, **parameters: Any) -> dict[str, Any]:
    region = _region()
    url = _endpoint("CODEBUILD") or f"https://codebuild.{region}.{_suffix(region)}"
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"CodeBuild_20161006.{operation}",
    }
    body = json.dumps(parameters).encode()
    answer: dict[str, Any] = json.loads(_send("POST", f"{url}/", "codebuild", headers, body))
    return answer


def _s3(
    method: str, bucket: str, key: str, body: bytes = b"", headers: Mapping[str, str] = {}
) -> bytes:
    region = _region()
    url = _endpoint("S3")
    place = f"{url}/{bucket}" if url else f"https://{bucket}.s3.{region}.{_suffix(region)}"
    return _send(method, f"{place}/{quote(key, safe='/~')}", "s3", headers, body)


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _endpoint(service: str) -> str | None:
    url = os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")
    return url.rstrip("/") if url else None


# --- sending ------------------------------------------------------------------------------------


def _send(method: str, url: str, service: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The answer's body. Whatever may pass by itself is tried again.

    Raises:
        AwsError: the request was refused.
        Unavailable: it never got through.
    """
    for count in range(TRIES):
        if count:
            _pause(0.2 * 2**count)
        try:
            signed = sign(
                method, url, _region(), service, headers, body, credentials(), time.time()
            )
            return _exchange(_VIA_PROXY, method, url, signed, body)
        except urllib.error.HTTPError as error:
            with error:
                code, message = _refusal(error.read())
            what = f"{method} {url}: {code or error.code} {message}".strip()
            if error.code < 500 and error.code != 429 and "Throttling" not in code:
                raise AwsError(what) from None
        except OSError as error:  # URLError is one
            what = f"{method} {url}: {error}"
    raise Unavailable(what)


def _exchange(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> bytes:
    request = urllib.request.Request(url, body or None, dict(headers), method=method)  # noqa: S310
    with opener.open(request, timeout=TIMEOUT) as response:
        answer: bytes = response.read()
        return answer


def _refusal(body: bytes) -> tuple[str, str]:
    """An error's code and message, in S3's XML or CodeBuild's JSON."""
    text = body.decode("utf-8", "replace")
    if found := _CODE.search(text):
        return found[1], found[2]
    try:
        document = json.loads(text)
        code = str(document.get("__type", "")).rpartition("#")[2]
        return code, str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        return "", ""


def credentials() -> Credentials:
    """The role's, from the container's endpoint; else those of the environment.

    Raises:
        OSError: the endpoint does not answer.
        AwsError: there are none.
    """
    relative = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = (
        _CONTAINER + relative if relative else os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    )
    if url:
        token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if path := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            with open(path) as file:
                token = file.read()
        headers = {"Authorization": token} if token else {}
        given = json.loads(_exchange(_DIRECT, "GET", url, headers))
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given.get("Token"))
    try:
        return Credentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN"),
        )
    except KeyError as error:
        raise AwsError(f"the build has no credentials of a role ({error} is not set)") from None


def sign(
    method: str,
    url: str,
    region: str,
    service: str,
    headers: Mapping[str, str],
    body: bytes,
    who: Credentials,
    now: float,
) -> dict[str, str]:
    """The headers, with AWS's Signature Version 4 of the request.

    Args:
        url: its path is encoded as it is to be sent, once; it has no query.
        headers: all are signed; their names are in lower case.
        now: seconds since the epoch.
    """
    parts, signer = urlsplit(url), Signer.at(now, region, service)
    digest = hashlib.sha256(body).hexdigest()
    all_headers = {**headers, "host": parts.netloc, "x-amz-date": signer.moment}
    if service == "s3":
        all_headers["x-amz-content-sha256"] = digest
    if who.token:
        all_headers["x-amz-security-token"] = who.token
    names = sorted(all_headers)
    lines = "".join(f"{name}:{all_headers[name].strip()}\n" for name in names)
    request = f"{method}\n{parts.path or '/'}\n\n{lines}\n{';'.join(names)}\n{digest}"
    all_headers["authorization"] = (
        f"{ALGORITHM} Credential={who.access_key}/{signer.scope}, SignedHeaders={';'.join(names)},"
        f" Signature={signer.sign(who.secret_key, request)}"
    )
    return all_headers
