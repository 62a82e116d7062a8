"""The signed path with which AWS IoT accepts a WebSocket (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

from devbridge.transport.base import AwsCredentials, Endpoint
from runner.sigv4 import ALGORITHM, Signer

PATH: Final = "/mqtt"
VALID: Final = 300
"""Seconds for which a signed path may be used to connect."""
_SERVICE: Final = "iotdevicegateway"
_EMPTY_HASH: Final = hashlib.sha256(b"").hexdigest()


def signed_path(
    endpoint: Endpoint, credentials: AwsCredentials, *, now: float | None = None
) -> str:
    """The path and query to connect with, valid for `VALID` seconds from `now` (seconds since
    the epoch).

    AWS IoT wants the session token outside of the signature, appended after it.
    """
    signer = Signer.at(now, endpoint.region, _SERVICE)
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{credentials.access_key}/{signer.scope}"),
            ("X-Amz-Date", signer.moment),
            ("X-Amz-Expires", str(VALID)),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    request = f"GET\n{PATH}\n{query}\nhost:{endpoint.host}\n\nhost\n{_EMPTY_HASH}"
    signature = signer.sign(credentials.secret_key, request)
    path = f"{PATH}?{query}&X-Amz-Signature={signature}"
    if credentials.token:
        path += f"&X-Amz-Security-Token={quote(credentials.token, safe='')}"
    return path
