"""In Python: starts the job in TypeScript, whose payload's type it knows."""

import base64
import json
from typing import Any

from devbridge.job import Job


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    text: str = event.get("body") or "hello"
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text).decode()
    run = Job.shout.run(payload={"text": text, "times": 2})
    return {"statusCode": 202, "body": json.dumps({"jobId": run.job_id})}
