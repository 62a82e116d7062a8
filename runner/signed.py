"""Requests to AWS, signed with the role's credentials: where to, and until they get through.

The standard library only: a job need not have boto3. The credentials are those that the container
or the function gives, whatever the job's environment may say.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
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
_T = TypeVar("_T")


class AwsError(Exception):
    """AWS refused a request."""

    status = 0
    """HTTP's number, if there was an answer."""
    code = ""
    """AWS's word for it."""


class Unavailable(AwsError):
    """AWS could not be reached, or had no time, several times in a row."""


@dataclass(frozen=True)
class Credentials:
    """A snapshot of AWS credentials: enough to sign one request."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)


def region() -> str:
    """Where this runs."""
    return os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]


def endpoint(service: str) -> str:
    """Where a service answers, without a slash at its end."""
    name = service.upper()
    url = os.environ.get(f"AWS_ENDPOINT_URL_{name}") or os.environ.get("AWS_ENDPOINT_URL")
    return url.rstrip("/") if url else f"https://{service}.{region()}.{_suffix()}"


def s3_url(bucket: str, key: str, version: str = "") -> str:
    """Where an object is: this version of it, or the last."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    place = f"{url.rstrip('/')}/{bucket}" if url else f"https://{bucket}.s3.{region()}.{_suffix()}"
    query = f"?versionId={quote(version, safe='~')}" if version else ""
    return f"{place}/{quote(key, safe='/~')}{query}"


def _suffix() -> str:
    return "amazonaws.com.cn" if region().startswith("cn-") else "amazonaws.com"


def send(
    method: str,
    url: str,
    service: str,
    headers: Mapping[str, str],
    body: bytes,
    take: Callable[[Any], _T],
    *,
    tries: int = TRIES,
    timeout: float = TIMEOUT,
) -> _T:
    """What `take` makes of the answer. Whatever may pass by itself is tried again.

    Args:
        tries: how often it is sent, at most.
        timeout: seconds that the connection may be silent.

    Raises:
        AwsError: the request was refused.
        Unavailable: it never got through.
    """
    for count in range(tries):
        if count:
            _pause(0.2 * 2**count)
        try:
            signed = sign(method, url, region(), service, headers, body, credentials(), time.time())
            return _exchange(_VIA_PROXY, method, url, signed, body, take, timeout)
        except urllib.error.HTTPError as error:
            with error:
                code, message = _refusal(error.read())
            status = error.code
            what = f"{method} {url}: {code or status} {message}".strip()
            # A conditional write that met another one is decided when it is sent again.
            if status < 500 and status not in (409, 429) and "Throttling" not in code:
                refusal = AwsError(what)
                refusal.status, refusal.code = status, code
                raise refusal from None
        except OSError as error:  # URLError is one
            what = f"{method} {url}: {error}"
    raise Unavailable(what)


def _exchange(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    take: Callable[[Any], _T],
    timeout: float = TIMEOUT,
) -> _T:
    request = urllib.request.Request(url, body or None, dict(headers), method=method)  # noqa: S310
    with opener.open(request, timeout=timeout) as response:
        return take(response)


def _refusal(body: bytes) -> tuple[str, str]:
    """An error's code and message, in S3's XML or in JSON."""
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
        given = json.loads(_exchange(_DIRECT, "GET", url, headers, b"", body_of))
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given.get("Token"))
    try:
        return Credentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN"),
        )
    except KeyError as error:
        raise AwsError(f"there are no credentials of a role here ({error} is not set)") from None


def body_of(response: Any) -> bytes:
    """All that was answered."""
    body: bytes = response.read()
    return body


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
        url: its path is encoded as it is to be sent, once; its query has one parameter at most.
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
    path, signed = parts.path or "/", ";".join(names)
    request = f"{method}\n{path}\n{parts.query}\n{lines}\n{signed}\n{digest}"
    all_headers["authorization"] = (
        f"{ALGORITHM} Credential={who.access_key}/{signer.scope}, SignedHeaders={signed},"
        f" Signature={signer.sign(who.secret_key, request)}"
    )
    return all_headers
