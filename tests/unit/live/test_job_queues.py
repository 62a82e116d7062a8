"""What the daemon does with messages, as the roles of their jobs may."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.errors import CloudError
from devbridge.live.job_queues import JobQueues
from runner.dead_letters import DeadLetter, Delivered

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:q"
MESSAGE = Delivered(QUEUE, "receipt")


class Sqs:
    """What SQS was asked, and by whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.code = ""
        self.keys: list[str] = []
        queues = JobQueues(self, self, self)  # type: ignore[arg-type]
        self.queues = queues
        self.jobs = {"a": SimpleNamespace(role_arn="arn:role")}

    def client_as(self, service: str, key: Any) -> Any:
        self.keys.append(key.access_key)
        return self

    @contextlib.contextmanager
    def explained(self) -> Any:
        yield

    async def get(self, role: str) -> dict[str, str]:
        return {"AccessKeyId": f"key of {role}", "SecretAccessKey": "s", "Token": "t"}

    def get_queue_url(self, **asked: str) -> dict[str, str]:
        assert asked == {"QueueName": "q", "QueueOwnerAWSAccountId": "123456789012"}
        return {"QueueUrl": "https://q"}

    def __getattr__(self, name: str) -> Any:
        def ask(**asked: Any) -> None:
            if self.code:
                raise ClientError({"Error": {"Code": self.code}}, name)
            self.asked.append((name, asked))

        return ask


async def test_a_message_is_hidden_and_deleted_as_its_jobs_role_may() -> None:
    sqs = Sqs()
    assert await sqs.queues.hide("a", MESSAGE, 30)
    assert await sqs.queues.delete("a", MESSAGE)
    known = {"QueueUrl": "https://q", "ReceiptHandle": "receipt"}
    assert sqs.asked == [
        ("change_message_visibility", {**known, "VisibilityTimeout": 30}),
        ("delete_message", known),
    ]
    assert sqs.keys == ["key of arn:role"], "a client is kept"


async def test_a_dead_letter_is_sent() -> None:
    sqs = Sqs()
    await sqs.queues.send("a", DeadLetter(QUEUE, "body"))
    ((name, asked),) = sqs.asked
    assert (name, asked["QueueUrl"], asked["MessageBody"]) == ("send_message", "https://q", "body")


@pytest.mark.parametrize(
    "code",
    [
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "AWS.SimpleQueueService.MessageNotInflight",
    ],
)
async def test_a_message_that_is_with_somebody_else_has_gone(code: str) -> None:
    sqs = Sqs()
    sqs.code = code
    assert not await sqs.queues.hide("a", MESSAGE, 30)


async def test_what_sqs_refuses_is_an_error_of_ours() -> None:
    sqs = Sqs()
    sqs.code = "AccessDenied"
    with pytest.raises(CloudError, match="AccessDenied"):
        await sqs.queues.delete("a", MESSAGE)


async def test_there_is_no_role_of_a_job_that_has_left_the_app() -> None:
    with pytest.raises(CloudError, match="the app has no job 'b' any more"):
        await Sqs().queues.hide("b", MESSAGE, 30)
