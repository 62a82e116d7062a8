"""POST /zips {"keys": [...]}: write the caller's order to the table and start the job."""

import re
import uuid
from typing import Any

import orders
import people
from api.http import answer, json_body

from devbridge.job import Job

ASK = {"error": 'send {"keys": ["a.txt", "b.txt"]}'}
ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    try:
        keys = json_body(event)["keys"]
    except (ValueError, TypeError, KeyError):
        return answer(400, ASK)
    if not (isinstance(keys, list) and keys):
        return answer(400, ASK)
    if not all(isinstance(key, str) and key for key in keys):
        return answer(400, ASK)
    order_id = event.get("headers", {}).get("idempotency-key") or str(uuid.uuid4())
    if not ORDER_ID.fullmatch(order_id):
        return answer(400, {"error": f"idempotency-key must match {ORDER_ID.pattern}"})

    different = list(dict.fromkeys(keys))
    orders.add(
        {
            "id": order_id,
            "owner": people.caller(event),
            "keys": different,
            "email": people.address(event),
            "state": "ordered",
        }
    )
    # Whoever got no answer may ask again with the same key: it is one order, packed once.
    run = Job.zip_files.run(payload={"order_id": order_id}, idempotency_key=order_id)
    return answer(202, {"id": order_id, "jobId": run.job_id})
