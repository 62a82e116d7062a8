"""What the API's functions share: the event's body, and an answer."""

import base64
import json
from typing import Any


def json_body(event: dict[str, Any]) -> Any:
    """What was sent, whatever content type it has.

    Raises:
        ValueError: it is not JSON.
    """
    body = event.get("body") or ""
    return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)


def answer(status: int, body: Any) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, default=float),
    }
