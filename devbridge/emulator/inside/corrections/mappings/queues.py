"""How a mapping reads its queue: batches of any size, windows, and what its function says of them.

ministack takes ten messages at most and has no windows, gives the messages that a filter holds back
to be received again when the others fail, and takes any answer for a success.

"Using Lambda with Amazon SQS", AWS Lambda's developer guide.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...host import ministack
from .answers import REPORTS, failures

log = logging.getLogger("mappings")

Json = Mapping[str, Any]

PAYLOAD: Final = 6 << 20
"""Bytes of an invocation's messages, at most."""
_AROUND: Final = 1 << 10
"""Bytes that an event has around a message's body."""
_REST: Final = 1.0
"""Seconds until a mapping goes on whose function could not start, or whose messages are back at
once when it fails."""
PROCESSED: Final = "OK"
FAILED: Final = "PROBLEM: Function call failed"


def ready(messages: Sequence[Json], fifo: bool, now: float) -> tuple[list[Json], float]:
    """The messages that can be received, and when there may be more. Pure.

    A group of a FIFO queue waits while one of its messages is with somebody.
    """
    found, due, busy = [], math.inf, set()
    for message in messages:
        if message["visible_at"] > now:
            due = min(due, message["visible_at"])
            if message["receive_count"]:
                busy.add(message.get("group_id"))
        else:
            found.append(message)
    return [each for each in found if not fifo or each.get("group_id") not in busy], due


def fitting(messages: Sequence[Json], most: int) -> int:
    """How many of these go into one invocation. Pure."""
    size = 0
    for number, message in enumerate(messages[:most]):
        size += len(message["body"].encode()) + _AROUND
        if size > PAYLOAD:
            return max(number, 1)
    return min(len(messages), most)


def record(message: Json, source_arn: str, account: str, region: str) -> dict[str, Any]:
    """A message as its function gets it. Pure."""
    system = message.get("sys") or {}
    attributes = {
        "ApproximateReceiveCount": str(message["receive_count"]),
        "SentTimestamp": str(int(message["sent_at"] * 1000)),
        "SenderId": system.get("SenderId") or account,
        "ApproximateFirstReceiveTimestamp": str(int(message["first_receive_at"] * 1000)),
    }
    given = {
        "AWSTraceHeader": system.get("AWSTraceHeader"),
        "DeadLetterQueueSourceArn": system.get("DeadLetterQueueSourceArn"),
        "MessageGroupId": message.get("group_id"),
        "MessageDeduplicationId": message.get("dedup_id"),
        "SequenceNumber": message.get("seq"),
    }
    attributes |= {name: str(value) for name, value in given.items() if value is not None}
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": attributes,
        "messageAttributes": {
            name: {key[:1].lower() + key[1:]: value for key, value in each.items()}
            for name, each in (message.get("message_attributes") or {}).items()
        },
        "md5OfBody": message.get("md5_body") or message.get("md5") or "",
        "eventSource": "aws:sqs",
        "eventSourceARN": source_arn,
        "awsRegion": region,
    }


class QueueReader:
    """What reads one mapping's queue."""

    def __init__(self) -> None:
        self._sqs, self._lambdas = ministack("services.sqs"), ministack("services.lambda_svc")
        self._since: float | None = None
        """Since when there are messages that wait for more."""
        self._rest = 0.0
        """Until when it does not read."""

    def look(self, mapping: dict[str, Any], function: Json, config: Json) -> float:
        """Start what can be started.

        Returns:
            When there may be more, unless somebody says so before.
        """
        now, lambdas = time.time(), self._lambdas
        url = self._sqs._queue_url(mapping["EventSourceArn"].rpartition(":")[2])
        queue = self._sqs._queues.get(url)
        if not queue or queue["attributes"].get("QueueArn") != mapping["EventSourceArn"]:
            return math.inf
        limit = lambdas._sqs_esm_concurrency(mapping, function, config)
        while lambdas._esm_inflight.get(mapping["UUID"], 0) < limit:
            if now < self._rest:
                return self._rest
            batch, due = self._take(mapping, url, now)
            if not batch:
                return due
            if records := self._records(mapping, batch, url):
                chosen = {each["receiptHandle"] for each in records}
                batch = [each for each in batch if each["receipt_handle"] in chosen]
                run = (mapping, function, records, batch, url)
                lambdas._dispatch_esm_batch(mapping["UUID"], self._run, *run)
        return math.inf  # its end is told

    def _take(self, mapping: Json, url: str, now: float) -> tuple[list[dict[str, Any]], float]:
        """The next batch, when it is complete or has waited for long enough."""
        sqs, size = self._sqs, int(mapping.get("BatchSize") or 10)
        window = int(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        with sqs._queues_lock:
            queue = sqs._get_q(url)
            sqs._expire_retained(queue)
            sqs._dlq_sweep(queue)
            for message in queue["messages"]:
                sqs._ensure_msg_fields(message)
            found, due = ready(queue["messages"], queue["is_fifo"], now)
            if not found:
                self._since = None
                return [], due
            self._since = self._since or now
            number = fitting(found, size)
            full = number == size or number < len(found)
            if window and not full and now < self._since + window:
                return [], min(due, self._since + window)
            self._since = None
            visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
            return sqs._collect_msgs(queue, number, visibility), due

    def _records(self, mapping: Json, batch: list[dict[str, Any]], url: str) -> list[Any]:
        """The batch's records, without what a filter holds back: that is deleted."""
        account, region = self._lambdas.get_account_id(), self._lambdas.get_region()
        records = [record(each, mapping["EventSourceArn"], account, region) for each in batch]
        chosen: list[Any] = self._lambdas._apply_filter_criteria(records, mapping)
        kept = {each["receiptHandle"] for each in chosen}
        self._sqs._delete_messages_for_esm(url, {each["receiptHandle"] for each in records} - kept)
        return chosen

    def _run(
        self, mapping: dict[str, Any], function: Json, records: Any, batch: Any, url: str
    ) -> None:
        result = self._lambdas._execute_function(function, {"Records": records})
        ids = {each["id"] for each in batch}
        failed = frozenset(ids) if result.get("error") else frozenset()
        if not failed and REPORTS in (mapping.get("FunctionResponseTypes") or ()):
            failed = failures(result.get("body"), ids)
        mapping["LastProcessingResult"] = FAILED if result.get("error") else PROCESSED
        done = {each["receipt_handle"] for each in batch if each["id"] not in failed}
        self._sqs._delete_messages_for_esm(url, done)
        if failed:
            name = mapping["FunctionName"]
            log.info("%s: %d of %d messages have failed", name, len(failed), len(batch))
        at_once = any(each["id"] in failed and each["visible_at"] <= time.time() for each in batch)
        if result.get("throttle") or at_once:
            self._rest = time.time() + _REST
