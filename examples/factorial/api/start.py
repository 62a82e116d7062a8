"""The API's function: it starts the job and answers at once. Save this file, and the next request
has the new code."""

import base64
import json
from typing import Any

from devbridge.job import Job


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    try:
        num = requested_num(event)
    except (TypeError, ValueError):
        return answer(400, {"error": 'num must be a whole number: send {"num": 5}, or ?num=5'})
    run = Job.factorial.run(payload={"num": num})
    return answer(202, {"jobId": run.job_id})


def requested_num(event: dict[str, Any]) -> int:
    """`num` of the query string, or of the JSON body, or 100."""
    body = event.get("body") or "{}"
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    given = {**json.loads(body), **(event.get("queryStringParameters") or {})}
    return int(str(given.get("num", 100)))


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
