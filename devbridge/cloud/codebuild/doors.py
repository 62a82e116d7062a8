"""The ways in without a signature of the request: `DOORS` is all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from . import access, apis, roles
from .asked import Asked, Refused
from .host import ministack

HEALTH: Final = "/_devbridge/health"
"""Answers whether this cloud runs, and nothing else."""
_KEY_SET: Final = re.compile(
    r"/([\w-]+_[A-Za-z0-9]+)/\.well-known/(?:jwks\.json|openid-configuration)"
)
_COGNITO: Final = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
}


@dataclass(frozen=True)
class Door:
    """A way in without a signature."""

    name: str
    opens: Callable[[Asked], bool]
    cors: bool = False
    """Whether its own configuration says which pages may use it; otherwise none of elsewhere."""
    reads: Callable[[Asked, bytes], None] | None = None
    """Looks at the body as well; raises Refused."""


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


def _check_signed_form(asked: Asked, body: bytes) -> None:
    """The signature is checked by ministack's S3, which takes a form without one as well."""
    parts = ministack("services.s3")._parse_multipart_form(asked.headers["content-type"], body)
    fields = {name.lower(): value.decode("latin-1") for name, _, _, value in parts or ()}
    signature = fields.get("x-amz-signature") or fields.get("signature")
    scope = fields.get("x-amz-credential") or fields.get("awsaccesskeyid")
    if not (fields.get("policy") and signature and scope):
        raise Refused("AccessDenied", "the form is not signed")
    access.form_signer.set(scope.partition("/")[0])


DOORS: Final = (
    Door("an API's routes", _is_api, cors=True),
    Door("a function's URL", _is_function_url, cors=True),
    Door("a preflight for a bucket", _is_bucket_preflight, cors=True),
    Door("a signed form for a bucket", _is_signed_form, cors=True, reads=_check_signed_form),
    Door("Cognito's unsigned operations", _is_unsigned_cognito),
    Door("Cognito's keys", _is_key_set),
    Door("the health check", _exactly(HEALTH)),
    Door("the credentials of builds", _exactly(roles.PATH)),  # with the build's token
)
