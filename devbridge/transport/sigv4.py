"""The signed path with which AWS IoT accepts a WebSocket (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final
from urllib.parse import quote

from devbridge.transport.base import AwsCredentials, Endpoint

PATH: Final = "/mqtt"
VALID: Final = 300
"""Seconds for which a signed path may be used to connect."""
_SERVICE: Final = "iotdevicegateway"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_EMPTY_HASH: Final = hashlib.sha256(b"").hexdigest()


def signed_path(
    endpoint: Endpoint, credentials: AwsCredentials, *, now: float | None = None
) -> str:
    """The path and query to connect with, valid for `VALID` seconds from `now` (seconds since
    the epoch).

    AWS IoT wants the session token outside of the signature, appended after it.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{moment[:8]}/{endpoint.region}/{_SERVICE}/aws4_request"
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            ("X-Amz-Algorithm", _ALGORITHM),
            ("X-Amz-Credential", f"{credentials.access_key}/{scope}"),
            ("X-Amz-Date", moment),
            ("X-Amz-Expires", str(VALID)),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    request = f"GET\n{PATH}\n{query}\nhost:{endpoint.host}\n\nhost\n{_EMPTY_HASH}"
    to_sign = "\n".join(
        (_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest())
    ).encode()
    key = b"AWS4" + credentials.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign, "sha256").hex()
    path = f"{PATH}?{query}&X-Amz-Signature={signature}"
    if credentials.token:
        path += f"&X-Amz-Security-Token={quote(credentials.token, safe='')}"
    return path
