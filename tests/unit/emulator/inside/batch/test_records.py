from __future__ import annotations

from typing import Any

from devbridge.emulator.inside.batch import records
from devbridge.emulator.inside.batch.retries import End

ARN = "arn:aws:batch:eu-west-1:1:job/j"
DEFINITION = "arn:aws:batch:eu-west-1:1:job-definition/d:3"
TASK = "arn:aws:ecs:eu-west-1:1:task/c/0a"
PLAIN = {"jobDefinitionArn": DEFINITION, "containerProperties": {"image": "i"}}
ECS = {
    "jobDefinitionArn": DEFINITION,
    "ecsProperties": {"taskProperties": [{"containers": [{"name": "job", "image": "i"}]}]},
}


def job(definition: Any = PLAIN, now: int = 5, **request: Any) -> dict[str, Any]:
    request = {"jobName": "n", **request}
    return records.new_job(request, definition, job_id="j", arn=ARN, queue_arn="q", now=now)


def test_an_attempt_of_a_plain_job_is_kept_with_its_log_and_its_exit_code() -> None:
    made = job()
    records.begin(made, TASK, "host")
    made["startedAt"] = 6
    records.exited(made, {"default": 3}, "")
    records.attempted(made, End("because", 3), 7)
    container = {
        "exitCode": 3,
        "logStreamName": "d/default/0a",
        "taskArn": TASK,
        "containerInstanceArn": "host",
        "networkInterfaces": [],
    }
    assert made["attempts"] == [
        {"container": container, "startedAt": 6, "stoppedAt": 7, "statusReason": "because"}
    ]
    assert (made["statusReason"], made["stoppedAt"]) == ("because", 7)
    records.begin(made, TASK, "")
    assert "exitCode" not in made["container"], "the next attempt has none yet"


def test_an_attempt_of_a_task_is_kept_by_its_containers() -> None:
    made = job(ECS)
    records.begin(made, TASK, "")
    records.exited(made, {}, "CannotPullContainerError")
    records.attempted(made, End("Task failed to start"), 7)
    (task,) = made["attempts"][0]["taskProperties"]
    assert task["containers"] == [
        {"name": "job", "logStreamName": "d/job/0a", "reason": "CannotPullContainerError"}
    ]
    assert made["attempts"][0]["startedAt"] == 7


def test_what_is_not_said_of_attempts_is_one() -> None:
    assert job()["retryStrategy"] == {"attempts": 1, "evaluateOnExit": []}
    given = {**PLAIN, "retryStrategy": {"attempts": 3}, "timeout": {"attemptDurationSeconds": 60}}
    assert job(given)["retryStrategy"]["attempts"] == 3
    assert job(given, retryStrategy={"attempts": 2})["retryStrategy"]["attempts"] == 2
    assert job(given)["timeout"] == {"attemptDurationSeconds": 60}


def test_jobs_are_found_by_their_status_or_by_one_filter() -> None:
    old, new = job(jobName="Own-1", now=5), job(jobName="own-2", now=9)
    old["status"] = records.RUNNING
    both = [old, new]
    assert records.listed(both) == [old]
    assert records.listed(both, status=records.SUBMITTED) == [new]
    assert records.listed(both, name="JOB_NAME", values=["OWN*"]) == [new, old]
    assert records.listed(both, name="JOB_NAME", values=["own-1"]) == [old]
    for value in ("d", "d:3", DEFINITION, "D*"):
        assert records.listed(both, name="JOB_DEFINITION", values=[value]) == [new, old]
    assert records.listed(both, name="BEFORE_CREATED_AT", values=["6"]) == [old]
    assert records.listed(both, name="AFTER_CREATED_AT", values=["6"]) == [new]
    assert records.listed(both, name="OTHER", values=["x"]) == []


def test_a_summary_has_the_exit_code_and_no_more_of_the_container() -> None:
    made = job()
    assert "container" not in records.summary(made)
    records.exited(made, {"default": 3}, "")
    assert records.summary(made)["container"] == {"exitCode": 3}


def test_an_array_is_over_when_all_its_jobs_are() -> None:
    parent = job(arrayProperties={"size": 2})
    child = records.child_of(parent, 1)
    assert (child["jobId"], child["arrayProperties"]) == ("j:1", {"index": 1})
    assert child["jobArn"] == f"{ARN}:1"
    for statuses, status in (
        ((records.RUNNING, records.SUCCEEDED), records.PENDING),
        ((records.SUCCEEDED, records.SUCCEEDED), records.SUCCEEDED),
        ((records.FAILED, records.SUCCEEDED), records.FAILED),
    ):
        assert records.of_children(parent, statuses, 9) == status
    assert parent["arrayProperties"]["statusSummary"][records.FAILED] == 1
