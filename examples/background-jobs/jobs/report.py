"""Another job of the same topic: one that may take so long that it needs a machine of its own."""

from typing import TypedDict

from devbridge.job import job_handler
from devbridge.options import CodeBuild, OnTopic


class Report(TypedDict):
    month: str


@job_handler(
    "report",
    compute=CodeBuild(),
    timeout="2 hours",
    triggers=[OnTopic("jobs", filter={"jobName": ["report"]})],
    alarm="1 day",
)
def handler(payload: Report) -> str:
    print(f"the report of {payload['month']}: 1 has signed up")
    return payload["month"]
