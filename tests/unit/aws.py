"""Services of AWS in memory behind botocore's real clients, whose models check what is asked."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from tests.unit.codebuild import client

ACCOUNT = "111122223333"
REGION = "eu-west-1"


class Refused(Exception):
    """What a service answers in place of what was asked for."""

    def __init__(self, code: str, message: str = "no", status: int = 400, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"Error": {"Code": code, "Message": message}, **more}
        self.status = status


class Fake:
    """One service: each method in upper case is an operation. `calls` has those that were asked."""

    service = ""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses: Callable[[str], Exception | None] = lambda _operation: None
        """What is raised in place of an operation, if anything."""
        self._own = threading.local()

    @cached_property
    def client(self) -> Any:
        """Made when it is asked for: that takes most of the time of many tests."""
        made = client(self.service)
        made.meta.events.register(f"before-parameter-build.{self.service}", self._note)
        made.meta.events.register(f"before-call.{self.service}", self._answer)
        return made

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self._own.asked = params

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls.append(model.name)
        status, answer = 200, {}
        if error := self.refuses(model.name):
            if not isinstance(error, Refused):
                raise error
            status, answer = error.status, error.answer
        else:
            try:
                answer = getattr(self, model.name)(**self._own.asked)
            except Refused as refused:
                status, answer = refused.status, refused.answer
        told = {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4()), "HTTPHeaders": {}}
        return SimpleNamespace(status_code=status), {**answer, "ResponseMetadata": told}


class FakeBatch(Fake):
    """AWS Batch, whose jobs stay as they are until a test changes them."""

    service = "batch"

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, dict[str, Any]] = {}

    def SubmitJob(self, *, jobName: str, jobQueue: str, **asked: Any) -> Any:  # noqa: N802, N803
        job_id = str(uuid.uuid4())
        self.jobs[job_id] = {
            "jobId": job_id,
            "jobName": jobName,
            "jobQueue": jobQueue,
            "status": "RUNNABLE",
            "createdAt": int(time.time() * 1000),
            "attempts": [],
            "ecsProperties": asked["ecsPropertiesOverride"],
            "definition": asked["jobDefinition"],
        }
        return {"jobId": job_id, "jobName": jobName}

    def ListJobs(self, *, jobQueue: str, filters: Any) -> Any:  # noqa: N802, N803
        (named,) = filters
        assert named["name"] == "JOB_NAME"
        found = [
            {"jobId": job["jobId"], "jobName": job["jobName"]}
            for job in self.jobs.values()
            if job["jobQueue"] == jobQueue and job["jobName"] in named["values"]
        ]
        return {"jobSummaryList": found}

    def DescribeJobs(self, *, jobs: list[str]) -> Any:  # noqa: N802
        assert 0 < len(jobs) <= 100
        return {"jobs": [self.jobs[job] for job in jobs if job in self.jobs]}

    def TerminateJob(self, *, jobId: str, reason: str) -> Any:  # noqa: N802, N803
        if jobId in self.jobs and self.jobs[jobId]["status"] not in ("SUCCEEDED", "FAILED"):
            ended = {"status": "FAILED", "statusReason": reason, "isTerminated": True}
            self.jobs[jobId] |= ended
        return {}

    def variables(self, job_id: str) -> dict[str, str]:
        """What a job was given."""
        (task,) = self.jobs[job_id]["ecsProperties"]["taskProperties"]
        return {v["name"]: v["value"] for v in task["containers"][0]["environment"]}


class FakeEcs(Fake):
    """Amazon ECS, whose tasks stay as they are until a test changes them."""

    service = "ecs"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.asked: dict[str, dict[str, Any]] = {}
        self.failures: list[dict[str, str]] = []
        """Why no task is started."""

    def RunTask(self, *, cluster: str, clientToken: str, **asked: Any) -> Any:  # noqa: N802, N803
        if self.failures:
            return {"tasks": [], "failures": self.failures}
        if clientToken not in self.tokens:
            arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{uuid.uuid4().hex}"
            self.tokens[clientToken], self.asked[arn] = arn, asked
            self.tasks[arn] = {
                "taskArn": arn,
                "lastStatus": "PROVISIONING",
                "startedBy": asked["startedBy"],
                "containers": [{"name": "job"}],
            }
        return {"tasks": [self.tasks[self.tokens[clientToken]]], "failures": []}

    def DescribeTasks(self, *, cluster: str, tasks: list[str]) -> Any:  # noqa: N802
        assert 0 < len(tasks) <= 100
        if cluster == "gone":
            raise Refused("ClusterNotFoundException")
        found = [task for task in tasks if task in self.tasks]
        missing = [{"arn": task, "reason": "MISSING"} for task in tasks if task not in found]
        return {"tasks": [self.tasks[task] for task in found], "failures": missing}

    def StopTask(self, *, cluster: str, task: str, reason: str) -> Any:  # noqa: N802
        assert f"/{cluster}/" in task
        found = self.tasks[task]
        if found["lastStatus"] != "STOPPED":
            found |= {"lastStatus": "STOPPED", "stopCode": "UserInitiated", "stoppedReason": reason}
        return {"task": found}

    def variables(self, arn: str) -> dict[str, str]:
        """What a task was given."""
        (container,) = self.asked[arn]["overrides"]["containerOverrides"]
        return {v["name"]: v["value"] for v in container["environment"]}


class FakeLambda(Fake):
    """AWS Lambda, which takes events and runs nothing."""

    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def Invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Any:  # noqa: N802, N803
        assert InvocationType == "Event"
        self.events.append({"function": FunctionName, **json.loads(Payload)})
        return {"StatusCode": 202}


class FakeDynamo(Fake):
    """One table with the keys `job` and `entry`, and DynamoDB's transactions."""

    service = "dynamodb"

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def entries(self, beginning: str = "") -> list[str]:
        """The entries that begin so, in order."""
        return sorted(entry for _, entry in self.items if entry.startswith(beginning))

    def number(self) -> int:
        """What ``count`` says."""
        return next((int(i["n"]["N"]) for (_, e), i in self.items.items() if e == "count"), 0)

    def GetItem(self, *, Key: Any, ConsistentRead: bool, **_: Any) -> Any:  # noqa: N802, N803
        assert ConsistentRead
        found = self.items.get(_key(Key))
        return {} if found is None else {"Item": found}

    def PutItem(self, *, Item: Any, **_: Any) -> Any:  # noqa: N802, N803
        self.items[_key(Item)] = dict(Item)
        return {}

    def DeleteItem(self, *, Key: Any, **_: Any) -> Any:  # noqa: N802, N803
        self.items.pop(_key(Key), None)
        return {}

    def UpdateItem(self, **asked: Any) -> Any:  # noqa: N802
        if not self._holds(asked):
            raise Refused("ConditionalCheckFailedException")
        self._update(asked)
        return {}

    def Query(self, **asked: Any) -> Any:  # noqa: N802
        assert asked["ConsistentRead"]
        values = asked["ExpressionAttributeValues"]
        job, beginning = values[":job"]["S"], values[":beginning"]["S"]
        found = [
            self.items[key]
            for key in sorted(self.items)
            if key[0] == job and key[1].startswith(beginning)
        ]
        return {"Items": found[: asked.get("Limit")]}

    def TransactWriteItems(self, *, TransactItems: list[Any], **_: Any) -> Any:  # noqa: N802, N803
        steps = [next(iter(each.items())) for each in TransactItems]
        keys = [_key(step.get("Key") or step["Item"]) for _, step in steps]
        assert len(set(keys)) == len(keys), "an item may be named once in a transaction"
        holds = [self._holds(step) for _, step in steps]
        if not all(holds):
            codes = [{"Code": "None" if held else "ConditionalCheckFailed"} for held in holds]
            raise Refused("TransactionCanceledException", CancellationReasons=codes)
        for kind, step in steps:
            if kind == "Put":
                self.items[_key(step["Item"])] = dict(step["Item"])
            elif kind == "Delete":
                self.items.pop(_key(step["Key"]), None)
            else:
                self._update(step)
        return {}

    def _holds(self, step: Any) -> bool:
        item = self.items.get(_key(step.get("Key") or step["Item"]))
        condition = step.get("ConditionExpression")
        if condition == "attribute_not_exists(n) OR n < :limit":
            limit = int(step["ExpressionAttributeValues"][":limit"]["N"])
            return item is None or int(item["n"]["N"]) < limit
        if condition is None:
            return True
        return (item is None) == {
            "attribute_exists(entry)": False,
            "attribute_not_exists(entry)": True,
        }[condition]

    def _update(self, step: Any) -> None:
        item = self.items.setdefault(_key(step["Key"]), dict(step["Key"]))
        values = step["ExpressionAttributeValues"]
        match step["UpdateExpression"]:
            case "SET n = if_not_exists(n, :none) + :one":
                before = item.get("n", values[":none"])["N"]
                item["n"] = {"N": str(int(before) + 1)}
            case "SET n = n - :one":
                item["n"] = {"N": str(int(item["n"]["N"]) - 1)}
            case "SET placed = :yes":
                item["placed"] = values[":yes"]
            case other:
                raise AssertionError(other)


def _key(item: Any) -> tuple[str, str]:
    return item["job"]["S"], item["entry"]["S"]
