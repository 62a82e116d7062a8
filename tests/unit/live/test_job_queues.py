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
        self.code = self.message = ""
        self.failed: list[str] = []
        self.looked_up = 0
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
        self.looked_up += 1
        return {"QueueUrl": "https://q"}

    def change_message_visibility_batch(self, **asked: Any) -> dict[str, Any]:
        if self.code and not self.failed:
            raise ClientError({"Error": {"Code": self.code}}, "ChangeMessageVisibilityBatch")
        self.asked.append(("hide", asked))
        failed = [each for each in asked["Entries"] if each["ReceiptHandle"] in self.failed]
        told = {"Code": self.code, "Message": self.message, "SenderFault": True}
        return {"Failed": [{"Id": each["Id"], **told} for each in failed]}

    def __getattr__(self, name: str) -> Any:
        def ask(**asked: Any) -> None:
            if self.code:
                said = {"Code": self.code, "Message": self.message}
                raise ClientError({"Error": said}, name)  # type: ignore[typeddict-item]
            self.asked.append((name, asked))

        return ask


async def test_messages_are_hidden_by_tens_and_deleted_as_their_jobs_role_may() -> None:
    sqs = Sqs()
    many = [Delivered(QUEUE, f"r{number}") for number in range(11)]
    assert await sqs.queues.hide("a", many, 30) == []
    assert await sqs.queues.delete("a", MESSAGE)
    hidden = [
        {"Id": str(number % 10), "ReceiptHandle": f"r{number}", "VisibilityTimeout": 30}
        for number in range(11)
    ]
    assert sqs.asked == [
        ("hide", {"QueueUrl": "https://q", "Entries": hidden[:10]}),
        ("hide", {"QueueUrl": "https://q", "Entries": hidden[10:]}),
        ("delete_message", {"QueueUrl": "https://q", "ReceiptHandle": "receipt"}),
    ]
    assert sqs.keys == ["key of arn:role"], "a client is kept"
    assert sqs.looked_up == 1, "a queue's URL is kept"


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
    sqs.code, sqs.failed = code, ["receipt"]
    other = Delivered(QUEUE, "other")
    assert await sqs.queues.hide("a", [other, MESSAGE], 30) == [MESSAGE]
    assert not await sqs.queues.delete("a", MESSAGE)


async def test_one_that_was_hidden_for_as_long_as_sqs_allows_has_not_gone() -> None:
    sqs = Sqs()
    sqs.code, sqs.failed = "InvalidParameterValue", ["receipt"]
    sqs.message = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    many = [MESSAGE, *(Delivered(QUEUE, f"r{number}") for number in range(10))]
    with pytest.raises(CloudError, match="beyond the limit"):
        await sqs.queues.hide("a", many, 30)
    assert len(sqs.asked) == 2, "the others are hidden all the same"


async def test_what_sqs_refuses_is_an_error_of_ours() -> None:
    sqs = Sqs()
    sqs.code = "AccessDenied"
    with pytest.raises(CloudError, match="AccessDenied"):
        await sqs.queues.delete("a", MESSAGE)


@pytest.mark.parametrize("queue", ["", "q", f"{QUEUE}:more"])
async def test_what_is_no_queue_is_an_error_and_ends_nothing(queue: str) -> None:
    sqs = Sqs()
    for act in (
        lambda: sqs.queues.delete("a", Delivered(queue, "receipt")),
        lambda: sqs.queues.hide("a", [Delivered(queue, "receipt")], 30),
    ):
        with pytest.raises(CloudError, match="is not the ARN of a queue"):
            await act()
    assert sqs.asked == []


async def test_there_is_no_role_of_a_job_that_has_left_the_app() -> None:
    with pytest.raises(CloudError, match="the app has no job 'b' any more"):
        await Sqs().queues.hide("b", [MESSAGE], 30)
