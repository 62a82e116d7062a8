"""The ways in without a signature of the request: `DOORS` is all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..corrections import apis, load_balancers
from ..host import ministack
from ..machines import metadata, roles
from . import access
from .asked import Asked, Refused

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


def _is_load_balancer(asked: Asked) -> bool:
    return not asked.socket and load_balancers.is_load_balancer(asked.host, asked.path)


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


def _is_plain(asked: Asked) -> bool:
    """Whether the host is this cloud's own: names below it belong to services that ministack asks
    before it looks at what is wanted."""
    return asked.host.partition(":")[0].lower() in ("127.0.0.1", "localhost")


def _is_unsigned_cognito(asked: Asked) -> bool:
    service, _, operation = asked.headers.get("x-amz-target", "").partition(".")
    if asked.socket or service not in _COGNITO or (asked.method, asked.path) != ("POST", "/"):
        return False
    if asked.query_string or asked.signs or not _is_plain(asked):
        return False
    unsigned = ministack("core.iam_actions").unsigned_operations(_COGNITO[service])
    return operation in unsigned


def _is_key_set(asked: Asked) -> bool:
    found = _KEY_SET.fullmatch(asked.path)
    if asked.socket or asked.method != "GET" or not found or asked.signs or not _is_plain(asked):
        return False
    pool = ministack("app")._get_module("cognito")._get_pool_unscoped(found[1])
    return pool is not None


def _exactly(path: str) -> Callable[[Asked], bool]:
    return lambda asked: (asked.socket, asked.method, asked.path) == (False, "GET", path)


def _is_metadata(asked: Asked) -> bool:
    return not asked.socket and asked.method == "GET" and asked.path.startswith(metadata.PATH)


def _check_signed_form(asked: Asked, body: bytes) -> None:
    """The signature is checked by ministack's S3, which takes a form without one as well."""
    parts = ministack("services.s3")._parse_multipart_form(asked.headers["content-type"], body)
    fields = {name.lower(): value.decode("latin-1") for name, _, _, value in parts or ()}
    signature = fields.get("x-amz-signature") or fields.get("signature")
    scope = fields.get("x-amz-credential") or fields.get("awsaccesskeyid")
    if not (fields.get("policy") and signature and scope):
        raise Refused("AccessDenied", "the form is not signed")
    access.form_signer.set(scope.partition("/")[0])


def _check_identity(asked: Asked, body: bytes) -> None:
    """Credentials are for the identities of a pool, in the role that it has for them; ministack
    gives some to anybody, in a role that it makes up."""
    if not asked.headers["x-amz-target"].endswith(".GetCredentialsForIdentity"):
        return
    try:
        request = json.loads(body)
        identity, logins = str(request["IdentityId"]), request.get("Logins")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused("InvalidParameterException", "the request names no identity") from error
    pools = ministack("app")._get_module("cognito")._identity_pools.values()
    pool = next((each for each in pools if identity in each["_identities"]), None)
    if pool is None:
        raise Refused("ResourceNotFoundException", f"Identity {identity!r} not found.")
    known = logins or pool["_identities"][identity].get("Logins")
    if not pool.get("_roles", {}).get("authenticated" if known else "unauthenticated"):
        raise Refused("InvalidIdentityPoolConfigurationException", "the pool has no such role")


DOORS: Final = (
    Door("an API's routes", _is_api, cors=True),
    Door("a function's URL", _is_function_url, cors=True),
    Door("a load balancer's listeners", _is_load_balancer),
    Door("a preflight for a bucket", _is_bucket_preflight, cors=True),
    Door("a signed form for a bucket", _is_signed_form, cors=True, reads=_check_signed_form),
    Door("Cognito's unsigned operations", _is_unsigned_cognito, reads=_check_identity),
    Door("Cognito's keys", _is_key_set),
    Door("the health check", _exactly(HEALTH)),
    Door("the credentials of roles", _exactly(roles.PATH)),  # with the token of what runs
    Door("the metadata of tasks", _is_metadata),  # the same
)
