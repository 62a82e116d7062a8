"""AWS Signature Version 4: what is signed, and with which key.

The requests differ (a header here, a query there) and are written by who sends them. botocore does
this, too, but a job need not have it, and the stub would take longer to start.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import NamedTuple

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer(NamedTuple):
    """Signs the requests of one moment to one service."""

    moment: str
    """``YYYYMMDDTHHMMSSZ``, which X-Amz-Date says."""
    region: str
    service: str

    @staticmethod
    def at(now: float | None, region: str, service: str) -> Signer:
        """`now` is in seconds since the epoch; None: this moment."""
        return Signer(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)), region, service)

    @property
    def scope(self) -> str:
        """What the key is good for; the credential says it."""
        return f"{self.moment[:8]}/{self.region}/{self.service}/aws4_request"

    def sign(self, secret_key: str, canonical_request: str) -> str:
        """The signature, in hexadecimal digits."""
        hashed = hashlib.sha256(canonical_request.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{self.moment}\n{self.scope}\n{hashed}"
        key = b"AWS4" + secret_key.encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, to_sign.encode(), "sha256").hex()
