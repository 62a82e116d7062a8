"""What runs on an embedded cloud: listed, and taken away as AWS takes away a host."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from devbridge.emulator.inside.machines.running import PATH
from devbridge.emulator.state import HOST, Running
from devbridge.errors import EmbeddedCloudFailed

_SECONDS: Final = 60.0


class Interrupted(NamedTuple):
    """What came of an interruption."""

    machines: list[dict[str, Any]]
    """Those that are taken away."""
    known: list[dict[str, Any]]
    """Those of that name that were there, with or without a machine."""


def listed(running: Running, cloud_dir: Path) -> list[dict[str, Any]]:
    """All that runs there, or waits for its turn.

    Raises:
        EmbeddedCloudFailed: it gives no answer.
    """
    found: list[dict[str, Any]] = _ask(running, cloud_dir, "GET", PATH)["machines"]
    return found


def interrupt(running: Running, cloud_dir: Path, name: str, *, kill: bool) -> Interrupted:
    """Take away the machines of what has that name.

    Raises:
        EmbeddedCloudFailed: it gives no answer.
    """
    query = urlencode({"id": name, **({"kill": "1"} if kill else {})})
    answer = _ask(running, cloud_dir, "POST", f"{PATH}?{query}")
    return Interrupted(answer["interrupted"], answer["known"])


def _ask(running: Running, cloud_dir: Path, method: str, path: str) -> Any:
    """As root, whom alone it answers."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    from devbridge.cloud import keys
    from devbridge.cloud.session import LOCAL_REGION

    key = keys.of_endpoint(running.endpoint_url, cloud_dir)
    request = AWSRequest(method, running.endpoint_url + path, {"Host": f"{HOST}:{running.port}"})
    credentials = Credentials(key.access_key, key.secret_key)
    SigV4Auth(credentials, "execute-api", LOCAL_REGION).add_auth(request)
    connection = http.client.HTTPConnection(HOST, running.port, timeout=_SECONDS)
    try:
        connection.request(method, path, headers=dict(request.headers))
        response = connection.getresponse()
        body = response.read()
        if response.status not in (200, 404):
            raise OSError(f"{response.status} {body[:200].decode(errors='replace')}")
        return json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EmbeddedCloudFailed(
            f"the embedded cloud does not say what runs on it: {error}",
            where=running.endpoint_url,
            remedy=f"see {cloud_dir / 'ministack.log'}",
        ) from error
    finally:
        connection.close()
