"""What the daemon does with messages in queues, as the roles of their jobs may."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
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
_GONE: Final = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")
"""What SQS says of a message that is not with who has received it any more."""


class JobQueues:
    """`daemon.held.Queues`, and what sends dead letters."""

    def __init__(self, cloud: Cloud, daemon: Daemon, roles: RoleCredentials) -> None:
        self._cloud = cloud
        self._daemon = daemon
        self._roles = roles
        self._client = functools.lru_cache(_ROLES)(lambda key: cloud.client_as("sqs", key))

    async def send(self, job: str, letter: DeadLetter) -> None:
        """Send a message to a dead-letter queue.

        Raises:
            DevbridgeError: it was not sent.
        """
        await self._as(job, letter.queue, lambda sqs: giving_up.send(sqs, letter))

    async def hide(self, job: str, message: Delivered, seconds: int) -> bool:
        """See `Queues`."""

        def hide(sqs: Any) -> None:
            known = {"QueueUrl": _url(sqs, message.queue), "ReceiptHandle": message.receipt}
            sqs.change_message_visibility(**known, VisibilityTimeout=seconds)

        return await self._as(job, message.queue, hide)

    async def delete(self, job: str, message: Delivered) -> bool:
        """See `Queues`."""

        def delete(sqs: Any) -> None:
            url = _url(sqs, message.queue)
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
                if error.response["Error"]["Code"].rpartition(".")[2] in _GONE:
                    return False
                raise CloudError(str(error), where=queue) from error
        return True


def _url(sqs: Any, queue: str) -> str:
    account, name = queue.split(":")[4:]
    found = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    return str(found["QueueUrl"])
