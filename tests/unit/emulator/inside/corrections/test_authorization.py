from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import authorization
from devbridge.emulator.inside.corrections.authorization import Several, resources
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.mark.parametrize(
    ("service", "action", "body", "arns"),
    [
        ("codebuild", "StopBuild", b'{"id": "p:1"}', ["codebuild:r:1:project/p"]),
        (
            "codebuild",
            "BatchGetBuilds",
            b'{"ids": ["p:1", "q:2", "arn:aws:codebuild:r:1:build/p:3"]}',
            ["codebuild:r:1:project/p", "codebuild:r:1:project/q"],
        ),
        ("codebuild", "StartBuild", b'{"projectName": "p"}', []),
        (
            "logs",
            "PutLogEvents",
            b'{"logGroupName": "/g", "logStreamName": "s"}',
            ["logs:r:1:log-group:/g:log-stream:s"],
        ),
        (
            "ssm",
            "GetParameters",
            b'{"Names": ["/a/b", "c"]}',
            ["ssm:r:1:parameter/a/b", "ssm:r:1:parameter/c"],
        ),
        ("ssm", "GetParameters", b"{", []),
        ("s3", "GetObject", b"", []),
        ("ecs", "RunTask", b'{"taskDefinition": "f:3"}', ["ecs:r:1:task-definition/f:3"]),
        ("ecs", "RunTask", b'{"taskDefinition": "f"}', ["ecs:r:1:task-definition/f:*"]),
        ("ecs", "StopTask", b'{"cluster": "c", "task": "t"}', ["ecs:r:1:task/c/t"]),
        (
            "ecs",
            "DescribeTasks",
            b'{"cluster": "arn:aws:ecs:r:1:cluster/c", "tasks": ["a", "arn:aws:ecs:r:1:task/c/b"]}',
            ["ecs:r:1:task/c/a", "ecs:r:1:task/c/b"],
        ),
        (
            "batch",
            "SubmitJob",
            b'{"jobDefinition": "d:2", "jobQueue": "q"}',
            ["batch:r:1:job-definition/d:2", "batch:r:1:job-queue/q"],
        ),
        ("batch", "TerminateJob", b'{"jobId": "j"}', ["batch:r:1:job/j"]),
    ],
)
def test_iam_is_asked_about_what_the_request_is_about(
    service: str, action: str, body: bytes, arns: list[str]
) -> None:
    assert resources(service, action, body, "r", "1") == [f"arn:aws:{arn}" for arn in arns]


@pytest.mark.parametrize(
    ("path", "query", "body", "named"),
    [
        ("/schedules/s", {}, b'{"GroupName": "g"}', ["schedule/g/s"]),
        ("/schedules/s", {"groupName": ["g"]}, b"", ["schedule/g/s"]),
        ("/schedules/s", {"groupName": "g"}, b"", ["schedule/g/s"]),
        ("/schedules/s", {}, b"{", ["schedule/default/s"]),
        ("/schedules", {}, b"", []),
        ("/schedule-groups/g", {}, b"", []),
    ],
)
def test_a_schedule_is_named_by_its_path_and_its_group(
    path: str, query: dict[str, Any], body: bytes, named: list[str]
) -> None:
    base = "arn:aws:scheduler:r:1"
    found = authorization.of_scheduler(path, query, body, base)
    assert found == [f"{base}:{each}" for each in named]


@pytest.fixture
def asked(ministack: MakeModule) -> list[str]:
    """The resources that IAM was asked about; it allows none that ends with "b"."""
    found: list[str] = []

    def enforce(*_: Any, resource_arn: str = "*", **__: Any) -> str | None:
        found.append(str(resource_arn))
        return "denied" if resource_arn.endswith("b") else None

    ministack("core.iam_actions", extract_resource_arn=lambda *_: "ministack's")
    ministack("core.iam_evaluator", enforce=enforce)
    authorization.correct()
    return found


def test_each_of_several_resources_must_be_allowed(asked: list[str], ministack: MakeModule) -> None:
    actions, evaluator = ministack("core.iam_actions"), ministack("core.iam_evaluator")
    headers = {"x-amz-target": "AmazonSSM.GetParameters"}

    def ask(body: bytes) -> Any:
        arn = actions.extract_resource_arn("ssm", "POST", "/", headers, body, {}, "r", "1")
        return evaluator.enforce("key", "ssm:GetParameters", "ssm", resource_arn=arn)

    assert ask(b'{"Names": ["a", "b", "c"]}') == "denied"
    assert [arn.rpartition("/")[2] for arn in asked] == ["a", "b"]
    assert ask(b'{"Names": ["a", "c"]}') is None


def test_reading_a_stream_is_asked_of_the_stream_or_the_consumer(ministack: MakeModule) -> None:
    ministack("services.kinesis", _shard_iterators={"token": {"stream": "clicks"}})
    consumer = "arn:aws:kinesis:r:1:stream/clicks/consumer/a:1"
    for action, request, expected in (
        ("GetRecords", {"ShardIterator": "token"}, ["arn:aws:kinesis:r:1:stream/clicks"]),
        ("GetRecords", {"ShardIterator": "old"}, []),
        ("SubscribeToShard", {"ConsumerARN": consumer}, [consumer]),
    ):
        assert resources("kinesis", action, json.dumps(request).encode(), "r", "1") == expected


def test_what_needs_no_correction_is_asked_as_ministack_asks(
    asked: list[str], ministack: MakeModule
) -> None:
    actions = ministack("core.iam_actions")
    assert actions.extract_resource_arn("s3", "GET", "/", {}, b"", {}, "r", "1") == "ministack's"


def test_a_body_that_is_of_no_interest_is_not_read() -> None:
    deep = b"[" * 200_000  # whoever reads that ends with a RecursionError
    assert resources("s3", "", deep, "r", "1") == []
    assert authorization.keys("ecs", "CreateCluster", deep, "r", "1") == {}


def test_the_cluster_of_a_request_is_a_key_of_conditions(ministack: MakeModule) -> None:
    body = b'{"cluster": "c"}'
    expected = {"ecs:cluster": "arn:aws:ecs:r:1:cluster/c"}
    assert authorization.keys("ecs", "ListTasks", body, "r", "1") == expected
    assert resources("ecs", "ListTasks", body, "r", "1") == ["*"]
    assert authorization.keys("ecs", "CreateCluster", body, "r", "1") == {}
    given: list[Any] = []

    def enforce(*_: Any, service_context: Any = None, **__: Any) -> None:
        given.append(service_context)

    ministack("core.iam_actions", extract_resource_arn=lambda *_: "ministack's")
    ministack("core.iam_evaluator", enforce=enforce)
    authorization.correct()
    headers = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListTasks"}
    actions, evaluator = ministack("core.iam_actions"), ministack("core.iam_evaluator")
    arn = actions.extract_resource_arn("ecs", "POST", "/", headers, body, {}, "r", "1")
    evaluator.enforce("key", "ecs:ListTasks", "ecs", resource_arn=arn, service_context={"a": 1})
    assert given == [{"a": 1, **expected}]


def test_the_operation_of_a_path_is_known() -> None:
    assert authorization.action_of("batch", "/v1/submitjob", {}) == "SubmitJob"
    assert authorization.action_of("batch", "/v1/describejobs", {}) == ""


@pytest.mark.parametrize(
    ("asked", "checked"),
    [
        ("sqs:ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
        ("sqs:DeleteMessage", "sqs:DeleteMessage"),
    ],
)
def test_what_is_done_with_several_messages_is_allowed_with_one(
    ministack: MakeModule, asked: str, checked: str
) -> None:
    actions: list[str] = []
    ministack("core.iam_actions", extract_resource_arn=lambda *_: "*")
    ministack("core.iam_evaluator", enforce=lambda _, action, *__, **___: actions.append(action))
    authorization.correct()
    ministack("core.iam_evaluator").enforce("key", asked, "sqs")
    assert actions == [checked]


def test_the_brokers_resource_may_come_by_its_place(
    asked: list[str], ministack: MakeModule
) -> None:
    several = Several("arn:a")
    several.others = ("arn:c",)
    enforce = ministack("core.iam_evaluator").enforce
    assert enforce("key", "iot:Publish", "iot", "account", several) is None
    assert asked == ["arn:a", "arn:c"]
