"""botocore clients of the embedded cloud itself, with a role's credentials; IAM counts."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

_lock = threading.Lock()


def endpoint() -> str:
    """Where this very cloud answers."""
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"


def client(service: str, region: str, keys: Mapping[str, str]) -> Any:
    """A client with those credentials: ``access``, ``secret`` and ``token``."""
    with _lock:  # making one is not thread-safe
        session, config = _session()
        return session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint(),
            aws_access_key_id=keys["access"],
            aws_secret_access_key=keys["secret"],
            aws_session_token=keys["token"],
            config=config,
        )


@cache
def _session() -> tuple[Any, Any]:
    from botocore.config import Config
    from botocore.session import Session

    return Session(), Config(
        connect_timeout=2,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        proxies={},
        s3={"addressing_style": "path"},
    )
