"""POST /trainings {"epochs": 30}: start the job."""

from typing import Any

from api.http import answer, json_body

from devbridge.errors import PayloadInvalid
from devbridge.job import Job


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    try:
        run = Job.train.run(payload=json_body(event))
    except (PayloadInvalid, ValueError) as error:
        return answer(400, {"error": str(error)})
    return answer(202, {"id": run.job_id})
