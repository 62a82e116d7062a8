"""Whether a request is signed, as AWS says it, with a key that this cloud has issued.

Signature Version 4 in the Authorization header or in the query; Version 2 in the query of a request
for S3, as boto3 still presigns them by default.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final

from ..host import ministack
from .asked import Asked, Refused

_LONGEST_PRESIGN: Final = 7 * 24 * 3600
_SKEW: Final = 15 * 60


def claimed(asked: Asked) -> Any:
    """The request's signature as ministack reads it, with a key that this cloud has issued; not
    checked yet.

    Raises:
        Refused: it is none that can be checked, or nobody has the key.
    """
    if not asked.signs:
        raise Refused("MissingAuthenticationToken", "the request is not signed")
    if asked.signs_header and asked.signs_query:
        raise Refused("InvalidRequest", "the request is signed in two ways")
    iam = ministack("core.iam_evaluator")
    iam.pin_signed_request(
        asked.method, asked.raw_path, asked.query, asked.raw_headers, handshake=asked.socket
    )
    request = iam._signed_request.get()
    if request is None or request.unverifiable:
        raise Refused("IncompleteSignature", "the signature is none of AWS's")
    if request.sigv2 and "authorization" in asked.headers:
        raise Refused("InvalidRequest", "use Signature Version 4")
    _check_known(request.access_key_id)
    return request


def _check_known(access_key_id: str) -> None:
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


def verify(asked: Asked, request: Any, body: bytes) -> None:
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
