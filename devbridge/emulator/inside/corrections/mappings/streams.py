"""How a mapping reads its stream: shard by shard, one batch of each at a time, in order.

ministack tries a batch that fails for ever, in the thread that reads all mappings, and begins a
stream of Kinesis where it was read first instead of where it was when the mapping was made.
"""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...host import ministack
from .. import asynchronous, destinations
from . import decisions, sources
from .answers import REPORTS, failures
from .decisions import Batch, Rules, Step, sequence
from .queues import FAILED, PAYLOAD, PROCESSED

log = logging.getLogger("mappings")

Json = Mapping[str, Any]


@dataclass
class _Place:
    """Where a mapping is in one shard."""

    waiting: list[Batch] = field(default_factory=list)
    """What is to be tried next, in order."""
    running: bool = False
    rest: float = 0.0
    """Until when nothing is tried."""
    since: float | None = None
    """Since when there are records that wait for more."""


class StreamReader:
    """What reads one mapping's stream."""

    def __init__(self) -> None:
        self._lambdas = ministack("services.lambda_svc")
        self._places: dict[str, _Place] = {}

    def look(self, mapping: dict[str, Any], function: Json, config: Json) -> float:
        """Start what can be started.

        Returns:
            When there may be more, unless somebody says so before.
        """
        stream = sources.stream_of(mapping["EventSourceArn"], str(config.get("Role", "")))
        if stream is None:
            return math.inf
        done = positions(self._lambdas, mapping, stream)
        rule, due = decisions.rules(mapping, stream.retention), math.inf
        for name, shard in stream.shards.items():
            place = self._places.setdefault(name, _Place())
            if place.running or any(
                self._reads(parent, stream.shards[parent], done)
                for parent in shard.parents
                if parent in stream.shards
            ):
                continue  # its end is told
            now = time.time()
            if now < place.rest:
                due = min(due, place.rest)
                continue
            done.setdefault(name, "")  # a shard that is new is read from its beginning
            if not place.waiting:
                due = min(due, self._gather(mapping, name, shard, done, now))
            if place.waiting and (step := decisions.aged(place.waiting[0], rule, now)):
                self._go_on(mapping, config, name, step, None)
                due = now
            elif place.waiting:
                place.running = True
                run = (mapping, function, name, place.waiting[0])
                self._lambdas._dispatch_esm_batch(mapping["UUID"], self._run, *run)
        return due

    def _reads(self, name: str, shard: sources.Shard, done: Mapping[str, str]) -> bool:
        """Whether a shard has not been read to its end."""
        place = self._places.get(name, _Place())
        return place.running or bool(place.waiting or shard.newer(done.get(name, ""), 1))

    def _gather(
        self, mapping: Json, name: str, shard: sources.Shard, done: dict[str, str], now: float
    ) -> float:
        """Have the next batch wait to be tried, when it is complete or has waited long enough.

        Returns:
            When there may be more.
        """
        place, size = self._places[name], int(mapping.get("BatchSize") or 100)
        window = int(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        found = shard.newer(done[name], size)
        if not found:
            place.since = None
            return math.inf
        place.since = place.since or now
        if window and len(found) < size and now < place.since + window:
            return place.since + window
        place.since = None
        records = _fitting([shard.event(each) for each in found])
        end = sequence(records[-1])
        chosen = tuple(self._lambdas._apply_filter_criteria(records, mapping))
        if not chosen:
            done[name] = end
            return now
        place.waiting.append(Batch(chosen, end))
        return math.inf

    def _run(self, mapping: dict[str, Any], function: Json, name: str, batch: Batch) -> None:
        place = self._places[name]
        try:
            result = self._lambdas._execute_function(function, {"Records": list(batch.records)})
            stream = sources.stream_of(mapping["EventSourceArn"], "")
            rule = decisions.rules(mapping, stream.retention if stream else 0)
            mapping["LastProcessingResult"] = FAILED if result.get("error") else PROCESSED
            step = _step(mapping, batch, result, rule)
            if mapping["UUID"] in self._lambdas._esms:
                self._go_on(mapping, function["config"], name, step, result)
        except BaseException:
            place.rest = time.time() + 1
            raise
        finally:
            place.running = False

    def _go_on(
        self, mapping: Json, config: Json, name: str, step: Step, result: Json | None
    ) -> None:
        place = self._places[name]
        place.waiting[:1] = step.batches
        place.rest = time.time() + step.pause
        if step.done:
            self._lambdas._kinesis_positions[mapping["UUID"]][name] = step.done
        to = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if not step.dropped:
            return
        number, why = len(step.dropped.records), step.condition
        log.warning("%s: %d records are given up: %s", mapping["FunctionName"], number, why)
        if to:
            told = decisions.told(
                step.dropped,
                step.condition,
                function_arn=mapping["FunctionArn"],
                request_id=str(uuid.uuid4()),
                source_arn=mapping["EventSourceArn"],
                shard=name,
                result=result,
                version=config.get("Version", destinations.LATEST),
                now=time.time(),
            )
            destinations.deliver(to, told, str(config.get("Role", "")), asynchronous.begin)


def positions(lambdas: Any, mapping: Json, stream: sources.Stream) -> dict[str, str]:
    """Until where each of the mapping's shards is done with: ministack keeps that."""
    kept = lambdas._kinesis_positions
    found: dict[str, str] | None = kept.get(mapping["UUID"])
    if found is None or any(not isinstance(each, str) for each in found.values()):
        found = sources.start(stream, str(mapping.get("StartingPosition", "")))
        kept[mapping["UUID"]] = found
    return found


def _step(mapping: Json, batch: Batch, result: Json, rule: Rules) -> Step:
    now = time.time()
    if result.get("throttle"):
        return decisions.throttled(batch, rule, now)
    if result.get("error"):
        return decisions.failed(batch, 0, rule, now)
    if REPORTS in (mapping.get("FunctionResponseTypes") or ()):
        ids = [sequence(each) for each in batch.records]
        if failed := failures(result.get("body"), ids):
            return decisions.failed(batch, min(ids.index(each) for each in failed), rule, now)
    return decisions.succeeded(batch)


def _fitting(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of these as go into one invocation."""
    size = 0
    for number, each in enumerate(records):
        size += len(json.dumps(each))
        if size > PAYLOAD:
            return records[: max(number, 1)]
    return records
