"""What the daemon does with messages in queues, as the roles of their jobs may."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from devbridge.cloud.session import Cloud
from devbridge.daemon.credentials import RoleCredentials
from devbridge.daemon.daemon import Daemon
from devbridge.errors import CloudError
from devbridge.runs import giving_up
from devbridge.transport.base import AwsCredentials
from runner.dead_letters import DeadLetter, Delivered

_ROLES: Final = 8
"""Clients that are kept for acting as jobs' roles may: one takes longer to make than to use."""
_ARN: Final = 6
"""Parts of a queue's ARN."""
_AT_ONCE: Final = 10
"""Messages of one request."""
_GONE: Final = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")
"""What SQS says of a message that is not with who has received it any more."""


class JobQueues:
    """`daemon.held.Queues`, and what sends dead letters."""

    def __init__(self, cloud: Cloud, daemon: Daemon, roles: RoleCredentials) -> None:
        self._cloud = cloud
        self._daemon = daemon
        self._roles = roles
        self._urls: dict[str, str] = {}
        self._client = functools.lru_cache(_ROLES)(lambda key: cloud.client_as("sqs", key))

    async def send(self, job: str, letter: DeadLetter) -> None:
        """Send a message to a dead-letter queue.

        Raises:
            DevbridgeError: it was not sent.
        """
        await self._as(job, letter.queue, lambda sqs: giving_up.send(sqs, letter))

    async def hide(
        self, job: str, messages: Sequence[Delivered], seconds: int
    ) -> Collection[Delivered]:
        """See `Queues`."""
        gone: list[Delivered] = []
        refused: list[str] = []

        def hide(some: Sequence[Delivered], sqs: Any) -> None:
            for each, code, said in self._hide(sqs, some, seconds):
                if _has_gone(code, said):
                    gone.append(each)
                else:
                    refused.append(f"{code}: {said}")

        for first in range(0, len(messages), _AT_ONCE):
            some = messages[first : first + _AT_ONCE]
            await self._as(job, some[0].queue, functools.partial(hide, some))
        if refused:
            raise CloudError(refused[0], where=messages[0].queue)
        return gone

    def _hide(
        self, sqs: Any, messages: Sequence[Delivered], seconds: int
    ) -> Iterator[tuple[Delivered, str, str]]:
        """Those that could not be hidden, each with SQS's code and message."""
        entries = [
            {"Id": str(number), "ReceiptHandle": each.receipt, "VisibilityTimeout": seconds}
            for number, each in enumerate(messages)
        ]
        url = self._url(sqs, messages[0].queue)
        answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        for failed in answer.get("Failed", ()):
            yield messages[int(failed["Id"])], failed["Code"], failed.get("Message", "")

    async def delete(self, job: str, message: Delivered) -> bool:
        """See `Queues`."""

        def delete(sqs: Any) -> None:
            url = self._url(sqs, message.queue)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)

        return await self._as(job, message.queue, delete)

    async def _as(self, job: str, queue: str, act: Callable[[Any], None]) -> bool:
        """Act as the job's role may; False: the message has gone."""
        if (spec := self._daemon.jobs.get(job)) is None:
            raise CloudError(f"the app has no job {job!r} any more", where=queue)
        given = await self._roles.get(spec.role_arn)
        key = AwsCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
        return await asyncio.to_thread(self._act, key, queue, act)

    def _act(self, key: AwsCredentials, queue: str, act: Callable[[Any], None]) -> bool:
        with self._cloud.explained():
            try:
                act(self._client(key))
            except ClientError as error:
                said = error.response["Error"]
                if _has_gone(said["Code"], said.get("Message", "")):
                    return False
                raise CloudError(str(error), where=queue) from error
        return True

    def _url(self, sqs: Any, queue: str) -> str:
        if queue not in self._urls:
            parts = queue.split(":")
            if len(parts) != _ARN:  # whoever has started the run says what its message's queue is
                raise CloudError(f"{queue!r} is not the ARN of a queue")
            *_, account, name = parts
            found = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
            self._urls[queue] = str(found["QueueUrl"])
        return self._urls[queue]


def _has_gone(code: str, message: str) -> bool:
    """Whether SQS says that a message is not with who has received it any more. The code is the
    same for one that was hidden for 12 hours, which is all that SQS allows."""
    return code.rpartition(".")[2] in _GONE and "VisibilityTimeout" not in message
