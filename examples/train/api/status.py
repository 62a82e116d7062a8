"""GET /trainings/{id}: how far it is, and what has become of it."""

from typing import Any

from api.http import answer

from devbridge.errors import UnknownRun
from devbridge.job import Job


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    job_id = event["pathParameters"]["id"]
    try:
        status = Job.train.status(job_id)
    except UnknownRun as error:
        return answer(404, {"error": str(error)})
    told: dict[str, Any] = {"state": status.state, "attempt": status.attempt}
    if status.state == "SUCCEEDED":
        told["result"] = Job.train.result(job_id)
    elif status.error_type:
        told["error"] = f"{status.error_type}: {status.error_message}"
    return answer(200, told)
