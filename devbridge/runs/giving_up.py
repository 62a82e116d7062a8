"""The message of a deployed run that has failed for good goes to its dead-letter queue.

Its runner sends it where there is one that could tell how the run has ended; for one that has died,
and for a container's command, the invoker does, once AWS tells it of the end.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from devbridge.runs.deciding import Decided, Known
from devbridge.runs.kept import Kept
from runner.dead_letters import DeadLetter, dead_letters
from runner.triggered import triggered

GiveUp = Callable[[Known, Decided], None]


def keep(_known: Known, _decided: Decided) -> None:
    """No run of this job was started by a message."""


def giver(kept: Kept, sqs: Callable[[], Any]) -> GiveUp:
    """Sends the messages of runs whose end nobody else has told.

    Args:
        sqs: gives botocore's client, when it is needed.
    """

    def give_up(known: Known, decided: Decided) -> None:
        """
        Raises:
            ClientError, BotoCoreError: it is to be tried again.
        """
        if known.over or (known.look is not None and known.look.told and not known.container):
            return
        claim = known.claim
        body = (claim.payload or "").encode()
        if claim.payload_at:
            body = kept.read(claim.payload_at) or b""
        record, found = decided.record, triggered(body)
        if found is None:
            return
        state, failure = record.state.value, record.failure
        for letter in dead_letters(found, known.run_id, state, failure, record.attempt):
            send(sqs(), letter)

    return give_up


def send(sqs: Any, letter: DeadLetter) -> None:
    """Send one message.

    Args:
        sqs: botocore's client.

    Raises:
        ClientError, BotoCoreError: it was not sent.
    """
    account, name = letter.queue.split(":")[4:]
    url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    given = letter.parameters(url)
    given["MessageAttributes"] = {
        # It is base64, as Lambda has it and the API takes it; botocore encodes it itself.
        name: {**each, "BinaryValue": base64.b64decode(each["BinaryValue"])}
        if "BinaryValue" in each
        else each
        for name, each in given["MessageAttributes"].items()
    }
    sqs.send_message(**given)
