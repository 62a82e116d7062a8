"""What this cloud serves at all: what is signed with a key of its own, and what a door lets in.

Every user of this machine can connect to the port, and every page in the developer's browser. So
each request is judged here before ministack looks at it. It is served if its signature is right
(`access` says whose are known), or if one of `DOORS` opens for it; all else is refused. The Host
must be one of this cloud's names: a page whose name is made to lead here has another. A page of
another machine gets in only with a signature, or through a door whose own CORS configuration
decides about it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from . import access, apis, roles
from .host import ministack

HEALTH: Final = "/_devbridge/health"
"""Answers whether this cloud runs, and nothing else."""

_ADMINISTRATION: Final = ("/_ministack", "/_localstack")
"""ministack's own paths: for root alone."""
_ONCE: Final = frozenset(
    {
        "authorization",
        "content-length",
        "host",
        "origin",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-target",
    }
)
"""Headers that a request has once at most: who judges it shall read what who serves it reads."""
_SIGNATURES: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature"}
)
_LONGEST_PRESIGN: Final = 7 * 24 * 3600
_SKEW: Final = 15 * 60
_KEY_SET: Final = re.compile(
    r"/([\w-]+_[A-Za-z0-9]+)/\.well-known/(?:jwks\.json|openid-configuration)"
)
_COGNITO: Final = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
}

App = Callable[[Mapping[str, Any], Any, Any], Any]


class Refused(Exception):
    """The request is not served: an error of AWS, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Asked:
    """A request, before its body is read."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.socket: bool = scope["type"] == "websocket"
        self.method: str = "GET" if self.socket else scope["method"]
        self.path: str = scope["path"]
        raw_path = scope.get("raw_path") or quote(self.path).encode()
        self.raw_path: str = raw_path.decode("latin-1")
        self.query_string: str = scope.get("query_string", b"").decode("utf-8", "replace")
        self.raw_headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.headers: dict[str, str] = {}
        self.repeated: set[str] = set()
        for raw_name, raw_value in self.raw_headers:
            name, value = raw_name.decode("latin-1").lower(), _decoded(raw_value)
            if name in self.headers:
                self.repeated.add(name)
                value = f"{self.headers[name]},{value}"
            self.headers[name] = value

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True)

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    @property
    def foreign(self) -> bool:
        """Whether a page of another machine, or of none, sends it."""
        origin = self.headers.get("origin")
        return origin is not None and not _loopback(urlsplit(origin).hostname or "")

    @property
    def signs(self) -> bool:
        """Whether it has what a signature of AWS consists of, right or wrong."""
        return self.signs_header or self.signs_query

    @property
    def signs_header(self) -> bool:
        return self.headers.get("authorization", "").startswith("AWS")

    @property
    def signs_query(self) -> bool:
        return not _SIGNATURES.isdisjoint(name.lower() for name in self.query)

    @property
    def preflight(self) -> bool:
        return self.method == "OPTIONS" and "access-control-request-method" in self.headers


@dataclass(frozen=True)
class Door:
    """A way in without a signature."""

    name: str
    opens: Callable[[Asked], bool]
    cors: bool = False
    """Whether its own configuration says which pages may use it; otherwise none of elsewhere."""


def _is_api(asked: Asked) -> bool:
    # What is below @connections is the API's owner's.
    return apis.is_api(asked.host) and "/@connections/" not in asked.path


def _is_function_url(asked: Asked) -> bool:
    return not asked.socket and apis.is_function_url(asked.host)


def _bucket_of(asked: Asked) -> str | None:
    """The bucket that exists, where the request is about one and nothing else."""
    app = ministack("app")
    if asked.socket or "x-amz-target" in asked.headers:
        return None
    if app.detect_service(asked.method, asked.path, asked.headers, asked.query) != "s3":
        return None
    target = app._s3_cors_target(asked.host, asked.path)
    return target and str(target[0])


def _is_bucket_preflight(asked: Asked) -> bool:
    return asked.preflight and _bucket_of(asked) is not None


def _is_signed_form(asked: Asked) -> bool:
    return (
        asked.method == "POST"
        and not asked.query_string
        and not asked.signs
        and asked.headers.get("content-type", "").startswith("multipart/form-data")
        and _bucket_of(asked) is not None
    )


def _is_unsigned_cognito(asked: Asked) -> bool:
    service, _, operation = asked.headers.get("x-amz-target", "").partition(".")
    if asked.socket or service not in _COGNITO or (asked.method, asked.path) != ("POST", "/"):
        return False
    if asked.query_string or asked.signs:
        return False
    unsigned = ministack("core.iam_actions").unsigned_operations(_COGNITO[service])
    return operation in unsigned


def _is_key_set(asked: Asked) -> bool:
    found = _KEY_SET.fullmatch(asked.path)
    if asked.socket or asked.method != "GET" or not found or asked.signs:
        return False
    pool = ministack("app")._get_module("cognito")._get_pool_unscoped(found[1])
    return pool is not None


def _exactly(path: str) -> Callable[[Asked], bool]:
    return lambda asked: (asked.socket, asked.method, asked.path) == (False, "GET", path)


DOORS: Final = (
    Door("an API's routes", _is_api, cors=True),
    Door("a function's URL", _is_function_url, cors=True),
    Door("a preflight for a bucket", _is_bucket_preflight, cors=True),
    Door("a signed form for a bucket", _is_signed_form, cors=True),
    Door("Cognito's unsigned operations", _is_unsigned_cognito),
    Door("Cognito's keys", _is_key_set),
    Door("the health check", _exactly(HEALTH)),
    Door("the credentials of builds", _exactly(roles.PATH)),  # with the build's token
)


def served_by(app: App, root: access.Root) -> App:
    """The ASGI app behind the gate."""
    port = int(os.environ["GATEWAY_PORT"])

    async def gate(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        asked = Asked(scope)
        try:
            receive = await _admitted(asked, receive, port, root)
        except Refused as refused:
            await _refuse(asked, scope, receive, send, refused)
            return
        if receive is None:
            return
        await app(scope, receive, send)

    return gate


def with_health(app: App) -> App:
    """The ASGI app with the health check."""

    async def healthy(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == HEALTH:
            await answer(send, 200, {"Content-Type": "application/json"}, b'{"status": "ok"}')
        else:
            await app(scope, receive, send)

    return healthy


async def _admitted(asked: Asked, receive: Any, port: int, root: access.Root) -> Any:
    """What the app shall receive the request from; None when its sender has gone.

    Raises:
        Refused: it is not served.
    """
    check_form(asked, port)
    door = next((door for door in DOORS if door.opens(asked)), None)
    if door is not None:
        if asked.foreign and not door.cors:
            raise Refused(
                "AccessDenied", f"{door.name}: not for pages of {asked.headers['origin']}"
            )
        if door.opens is not _is_signed_form:
            return receive
        body = await _body(receive)
        if body is not None:
            _check_signed_form(asked, body)
        return body and _again(body, receive)
    if not asked.signs:
        raise Refused("MissingAuthenticationToken", "the request is not signed")
    if asked.signs_header and asked.signs_query:
        raise Refused("InvalidRequest", "the request is signed in two ways")
    request = _pinned(asked)
    _known(request.access_key_id)
    body = b""
    if not asked.socket:
        received = await _body(receive)
        if received is None:
            return None
        body = received
    _verify(asked, request, body)
    administration = asked.path.startswith(_ADMINISTRATION)
    if administration and request.access_key_id != root.access_key:
        raise Refused("AccessDenied", f"{asked.path} is for root")
    return receive if asked.socket else _again(body, receive)


def check_form(asked: Asked, port: int) -> None:
    """
    Raises:
        Refused: the request is for another host, or can be read in more than one way.
    """
    if not asked.path.startswith("/") or not asked.raw_path.startswith("/"):
        raise Refused("InvalidURI", "the path does not start with /")
    if twice := sorted(_ONCE & asked.repeated):
        raise Refused("InvalidRequest", f"the header {twice[0]} comes more than once")
    name, _, given = asked.host.partition(":")
    # MQTT's clients send the broker's name, as AWS says it: without a port.
    mqtt = asked.socket and ".iot." in name and not given
    if not _loopback(name) or not (mqtt or given == str(port)):
        raise Refused("AccessDenied", "the Host header is not one of this cloud's names")


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _loopback(name: str) -> bool:
    name = name.lower()
    return name in ("127.0.0.1", "localhost") or name.endswith(".localhost")


def _pinned(asked: Asked) -> Any:
    """The request's signature, as ministack reads it.

    Raises:
        Refused: it is none that can be checked.
    """
    iam = ministack("core.iam_evaluator")
    iam.pin_signed_request(
        asked.method, asked.raw_path, asked.query, asked.raw_headers, handshake=asked.socket
    )
    request = iam._signed_request.get()
    if request is None or request.unverifiable:
        raise Refused("IncompleteSignature", "the signature is none of AWS's")
    if request.sigv2 and "authorization" in asked.headers:
        raise Refused("InvalidRequest", "use Signature Version 4")
    return request


def _known(access_key_id: str) -> None:
    """
    Raises:
        Refused: nobody has that key.
    """
    found = _credential(access_key_id)
    if not hasattr(found, "secret_access_key"):
        raise Refused(
            "InvalidClientTokenId" if found.code == "UnrecognizedClientException" else found.code,
            'this cloud has not issued that key; for the root key: eval "$(devbridge cloud env)"',
        )


def _credential(access_key_id: str, **token: str) -> Any:
    iam, responses = ministack("core.iam_evaluator"), ministack("core.responses")
    try:
        owner = iam.find_iam_access_key_account(access_key_id)
    except iam.AmbiguousAccessKeyError:
        owner = None
    account = owner or responses._account_from_sts_session(access_key_id)
    return iam.resolve_credential(access_key_id, account or responses.get_account_id(), **token)


def _verify(asked: Asked, request: Any, body: bytes) -> None:
    """
    Raises:
        Refused: the signature is not right, or not for this request.
    """
    _check_body(asked, body)
    iam = ministack("core.iam_evaluator")
    presigned = request.s3_scoped or request.sigv2
    if not request.sigv2:
        _check_signed_headers(asked, request)
    if presigned:
        # Its holder may add what is not signed, and must not get to another service with it.
        app = ministack("app")
        parameters = app._routing_params(asked.method, asked.path, asked.headers, body, asked.query)
        if app.detect_service(asked.method, asked.path, asked.headers, parameters) != "s3":
            raise Refused("SignatureDoesNotMatch", "a presigned request is for S3 alone")
    if request.s3_scoped:
        _verify_presigned(asked, request, body)
        return
    iam.pin_signed_body(body)
    account = _credential(request.access_key_id).account_id
    checked = iam.authenticate(request.access_key_id, account)
    if checked is None:
        raise Refused("IncompleteSignature", "the signature is none of AWS's")
    if isinstance(checked, iam.AuthError):
        raise Refused(checked.code, checked.message)


def _check_body(asked: Asked, body: bytes) -> None:
    said = asked.headers.get("x-amz-content-sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", said) and hashlib.sha256(body).hexdigest() != said:
        raise Refused("XAmzContentSHA256Mismatch", "the body is not the one that was signed")


def _check_signed_headers(asked: Asked, request: Any) -> None:
    """AWS wants the host signed, and each header of its own."""
    signature = _parsed(request, asked)
    signed = set(signature.signed_headers.lower().split(";"))
    own = {name for name in asked.headers if name.startswith("x-amz-")}
    if missing := sorted(({"host"} | own) - signed):
        raise Refused("AccessDenied", f"the header {missing[0]} is not signed")


def _parsed(request: Any, asked: Asked) -> Any:
    sigv4 = ministack("core.sigv4")
    signature = (
        sigv4.parse_query_signature(asked.query)
        if request.presigned
        else sigv4.parse_header_signature(asked.headers)
    )
    if isinstance(signature, tuple):
        raise Refused(*signature)
    return signature


def _verify_presigned(asked: Asked, request: Any, body: bytes) -> None:
    """A presigned request for S3, which ministack leaves to its S3."""
    sigv4 = ministack("core.sigv4")
    signature = _parsed(request, asked)
    signed_at = sigv4._amz_datetime(signature.amz_date)
    expires = (asked.query.get("X-Amz-Expires") or [""])[0]
    if signed_at is None or not re.fullmatch(r"[0-9]{1,7}", expires):
        raise Refused("AuthorizationQueryParametersError", "X-Amz-Date or X-Amz-Expires is wrong")
    age = time.time() - signed_at.timestamp()
    if int(expires) > _LONGEST_PRESIGN or age < -_SKEW or age > int(expires):
        raise Refused("AccessDenied", "Request has expired")
    token = (asked.query.get("X-Amz-Security-Token") or [""])[0]
    credential = _credential(request.access_key_id, session_token=token)
    if not hasattr(credential, "secret_access_key"):
        raise Refused(credential.code, credential.message)
    failure = sigv4.header_signature_failure(
        signature,
        credential.secret_access_key,
        asked.method,
        asked.raw_path,
        asked.query,
        asked.headers,
        body,
        presigned=True,
    )
    if failure:
        raise Refused(*failure)


def _check_signed_form(asked: Asked, body: bytes) -> None:
    """The signature is checked by ministack's S3, which takes a form without one as well."""
    parts = ministack("services.s3")._parse_multipart_form(asked.headers["content-type"], body)
    fields = {name.lower(): value.decode("latin-1") for name, _, _, value in parts or ()}
    signature = fields.get("x-amz-signature") or fields.get("signature")
    scope = fields.get("x-amz-credential") or fields.get("awsaccesskeyid")
    if not (fields.get("policy") and signature and scope):
        raise Refused("AccessDenied", "the form is not signed")
    access.form_signer.set(scope.partition("/")[0])


async def _body(receive: Any) -> bytes | None:
    """The whole body; None when its sender has gone."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _again(body: bytes, receive: Any) -> Any:
    """Receives what was read already, and then what follows."""
    read = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return read.pop() if read else await receive()

    return replay


async def _refuse(
    asked: Asked, scope: Mapping[str, Any], receive: Any, send: Any, refused: Refused
) -> None:
    if asked.socket:
        await receive()
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        body = json.dumps({"message": refused.message}).encode()
        headers = {"Content-Type": "application/json"}
        await answer(send, 403, headers, body, "websocket.http.response")
        return
    await answer(send, *_in_its_protocol(asked, refused))


def _in_its_protocol(asked: Asked, refused: Refused) -> tuple[int, dict[str, str], bytes]:
    """The refusal as the service would say it, so that SDKs understand it."""
    app, actions = ministack("app"), ministack("core.iam_actions")
    service = app.detect_service(asked.method, asked.path, asked.headers, asked.query)
    status, headers, body = actions.access_denied_response(
        service,
        "",
        "",
        str(uuid.uuid4()),
        error_code=refused.code,
        message=refused.message,
        headers=asked.headers,
    )
    return status, dict(headers), body


async def answer(
    send: Any, status: int, headers: Mapping[str, str], body: bytes, kind: str = "http.response"
) -> None:
    raw = [(name.encode(), str(value).encode()) for name, value in headers.items()]
    raw = [each for each in raw if each[0].lower() != b"content-length"]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": status, "headers": raw})
    await send({"type": f"{kind}.body", "body": body})
