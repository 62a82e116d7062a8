"""Queues that lose nothing, and redrive: ministack makes a queue's list of messages anew when one
is deleted or moved, and a message that another thread sends meanwhile is gone; and it has none of
the tasks that bring dead letters back.

"Configure a dead-letter queue redrive" and StartMessageMoveTask, Amazon SQS.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from ..host import ministack

Json = Mapping[str, Any]
Queue = dict[str, Any]
Message = dict[str, Any]

FASTEST: Final = 500
"""Messages that a task may move in a second."""
LISTED: Final = 10
"""The most tasks that are listed of a queue."""
MOVED: Final = "moved_at"
"""Of a message in a dead-letter queue: since when, which is its age there."""
NO_SOURCE: Final = "CouldNotDetermineMessageSource"

_tasks: list[_Task] = []
"""All tasks since the cloud was started, the latest last: AWS forgets them, too."""


def keep_and_redrive() -> None:
    """Correct `services.sqs`."""
    sqs = ministack("services.sqs")
    reset = sqs.reset

    def reset_with_tasks() -> None:
        reset()
        _tasks.clear()

    def delete_messages_for_mapping(url: str, handles: Collection[str]) -> None:
        if handles:
            with sqs._queues_lock:
                _remove(sqs._get_q(url), lambda each: each.get("receipt_handle") in handles)

    sqs._expire_retained, sqs._dlq_sweep, sqs.reset = _expire, _move_dead, reset_with_tasks
    sqs._act_delete_message, sqs._act_delete_message_batch = _delete, _delete_batch
    sqs._delete_messages_for_esm = delete_messages_for_mapping
    sqs._HANDLERS.update(
        {
            "DeleteMessage": _delete,
            "DeleteMessageBatch": _delete_batch,
            "StartMessageMoveTask": _start,
            "ListMessageMoveTasks": _list,
            "CancelMessageMoveTask": _cancel,
        }
    )


def _remove(queue: Queue, chosen: Callable[[Message], bool]) -> list[Message]:
    """Take messages out of a queue's own list, which others append to."""
    removed = []
    for message in [each for each in list(queue["messages"]) if chosen(each)]:
        with suppress(ValueError):  # another has taken it
            queue["messages"].remove(message)
            removed.append(message)
    return removed


def _received(queue: Queue, handle: str) -> list[Message]:
    """Take out what was received under that handle."""
    return _remove(queue, lambda each: each.get("receipt_handle") == handle)


def _delete(request: Json, own: str) -> dict[str, Any]:
    sqs = ministack("services.sqs")
    queue = sqs._get_q(request.get("QueueUrl", own), "sqs:DeleteMessage")
    handle = request.get("ReceiptHandle", "")
    if not handle:
        message = "The request must contain the parameter ReceiptHandle."
        raise sqs._Err("MissingParameter", message)
    if not _received(queue, handle):
        raise sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return {}


def _delete_batch(request: Json, own: str) -> dict[str, Any]:
    sqs = ministack("services.sqs")
    queue = sqs._get_q(request.get("QueueUrl", own), "sqs:DeleteMessage")
    entries = request.get("Entries", [])
    sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
    invalid = {
        "Code": "ReceiptHandleIsInvalid",
        "Message": "The input receipt handle is invalid.",
        "SenderFault": True,
    }
    answer: dict[str, Any] = {"Successful": [], "Failed": []}
    for entry in entries:
        handle, name = entry.get("ReceiptHandle", ""), {"Id": entry.get("Id", "")}
        if handle and _received(queue, handle):
            answer["Successful"].append(name)
        else:
            answer["Failed"].append({**name, **invalid})
    return answer


def _expire(queue: Queue) -> None:
    """Drop what is older than the queue keeps it."""
    now = time.time()
    oldest = now - float(queue["attributes"].get("MessageRetentionPeriod", 345600))

    def since(message: Message) -> float:
        return float(message.get("enqueued_at") or message.get("sent_at") or now)

    _remove(queue, lambda each: since(each) <= oldest)


def _move_dead(queue: Queue) -> None:
    """Move what has been received too often to the dead-letter queue."""
    sqs, now = ministack("services.sqs"), time.time()
    arn, most = dead_letters_of(queue)
    target = sqs._queue_by_arn(arn) if arn else None
    if target is None:
        return
    for message in _remove(
        queue, lambda each: each.get("receive_count", 0) >= most and each["visible_at"] <= now
    ):
        # "For FIFO queues, the enqueue timestamp resets when the message is moved".
        since = {"enqueued_at": now} if target.get("is_fifo") else {}
        source = {"DeadLetterQueueSourceArn": queue["attributes"]["QueueArn"]}
        moved = {"receipt_handle": None, "visible_at": now, MOVED: now, **since}
        target["messages"].append({**message, **moved, "sys": {**message.get("sys", {}), **source}})
        sqs.esm_wake.set()


def dead_letters_of(queue: Queue) -> tuple[str, int]:
    """The ARN of a queue's dead-letter queue, and how often a message is received before it goes
    there; nothing, if it has none."""
    try:
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        return str(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])
    except (ValueError, TypeError, KeyError):
        return "", 0


@dataclass
class _Task:
    """One task that moves messages."""

    source: str
    destination: str | None
    rate: int | None
    to_move: int
    handle: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.time)
    status: str = "RUNNING"
    moved: int = 0
    failure: str = ""

    def told(self) -> dict[str, Any]:
        """As ListMessageMoveTasks has it."""
        running = self.status == "RUNNING"
        return {
            "Status": self.status,
            "SourceArn": self.source,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": int(self.started * 1000),
            **({"TaskHandle": self.handle} if running else {}),
            **({"DestinationArn": self.destination} if self.destination else {}),
            **({"MaxNumberOfMessagesPerSecond": self.rate} if self.rate else {}),
            **({"FailureReason": self.failure} if self.failure else {}),
        }


async def _start(request: Json, _url: str) -> dict[str, str]:
    sqs = ministack("services.sqs")
    source, destination = str(request.get("SourceArn", "")), request.get("DestinationArn")
    queue = _dead_letter_queue(source)
    if destination and sqs._queue_by_arn(destination) is None:
        raise _not_there("DestinationArn")
    if destination == source:
        raise _invalid("Source queue and destination queue must not be the same.")
    rate = request.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= FASTEST:
        raise _invalid(f"MaxNumberOfMessagesPerSecond must be between 1 and {FASTEST}.")
    if any(each.source == source and each.status == "RUNNING" for each in _tasks):
        raise _invalid(
            "There is already a task running. Only one active task is allowed for a source queue"
            " arn at a given time."
        )
    task = _Task(source, destination, rate and int(rate), len(queue["messages"]))
    _tasks.append(task)
    # In the loop that serves all requests, so that none of them sees a message twice, or never.
    moving = asyncio.create_task(_move(task, queue))
    _moving.add(moving)
    moving.add_done_callback(_moving.discard)
    return {"TaskHandle": task.handle}


_moving: set[asyncio.Task[None]] = set()


async def _move(task: _Task, queue: Queue) -> None:
    """Move what was there when the task began and can be received."""
    ids = {each["id"] for each in list(queue["messages"])}
    while task.status == "RUNNING":
        now = time.time()
        found = (m for m in queue["messages"] if m["id"] in ids and m["visible_at"] <= now)
        message = next(found, None)
        if message is None:
            task.status = "COMPLETED"
            return
        if problem := _moved(message, queue, task.destination):
            task.status, task.failure = "FAILED", problem
            return
        task.moved += 1
        await asyncio.sleep(1 / task.rate if task.rate else 0)
    task.status = "CANCELLED"


def _moved(message: Message, queue: Queue, destination: str | None) -> str:
    """Move one message, and what was in the way."""
    sqs = ministack("services.sqs")
    arn = destination or (message.get("sys") or {}).get("DeadLetterQueueSourceArn")
    if not arn:
        return NO_SOURCE
    target = sqs._queue_by_arn(arn)
    if target is None:
        return "AWS.SimpleQueueService.NonExistentQueue"
    if _remove(queue, lambda each: each is message):
        target["messages"].append(renewed(message, time.time(), _number(target)))
        sqs.esm_wake.set()
    return ""


def _number(queue: Queue) -> str | None:
    if not queue.get("is_fifo"):
        return None
    queue["fifo_seq"] = queue.get("fifo_seq", 0) + 1
    return str(queue["fifo_seq"]).zfill(20)


def renewed(message: Message, now: float, number: str | None) -> Message:
    """A message that is moved back: new to the queue, of the same text and attributes. Pure but for
    its id."""
    sys = {**message.get("sys", {}), "SentTimestamp": str(int(now * 1000))}
    sys.pop("DeadLetterQueueSourceArn", None)
    kept = {key: message[key] for key in message if key not in (MOVED, "enqueued_at")}
    return {
        **kept,
        "id": str(uuid.uuid4()),
        "receipt_handle": None,
        "sent_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
        "sys": sys,
        "seq": number,
    }


def _list(request: Json, _url: str) -> dict[str, Any]:
    source = str(request.get("SourceArn", ""))
    _dead_letter_queue(source)
    count = int(request.get("MaxResults") or 1)
    if not 1 <= count <= LISTED:
        raise _invalid(f"Value {count} for parameter MaxResults must be between 1 and {LISTED}.")
    found = [each.told() for each in reversed(_tasks) if each.source == source]
    return {"Results": found[:count]}


def _cancel(request: Json, _url: str) -> dict[str, int]:
    handle = request.get("TaskHandle")
    task = next((each for each in _tasks if each.handle == handle), None)
    if task is None:
        raise _not_there("TaskHandle")
    if task.status != "RUNNING":
        sqs = ministack("services.sqs")
        raise sqs._Err("UnsupportedOperation", "Only active tasks can be cancelled.", 400)
    task.status = "CANCELLING"
    return {"ApproximateNumberOfMessagesMoved": task.moved}


def _dead_letter_queue(arn: str) -> Queue:
    sqs = ministack("services.sqs")
    queue: Queue | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise _not_there("SourceArn")
    if not any(dead_letters_of(each)[0] == arn for each in list(sqs._queues.values())):
        raise _invalid("Source queue must be configured as a Dead Letter Queue.")
    return queue


def _not_there(parameter: str) -> Exception:
    error: Exception = ministack("services.sqs")._Err(
        "ResourceNotFoundException",
        f"The resource that you specified for the {parameter} parameter doesn't exist.",
        404,
    )
    return error


def _invalid(message: str) -> Exception:
    error: Exception = ministack("services.sqs")._Err("InvalidParameterValue", message)
    return error
