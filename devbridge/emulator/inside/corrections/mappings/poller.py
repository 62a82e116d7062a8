"""The thread that looks at all mappings, in the place of ministack's: nothing that it does waits
for a function, and it sleeps until there is something to do."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from ...host import ministack
from . import sources
from .queues import QueueReader
from .streams import StreamReader

log = logging.getLogger("mappings")

_LOOK: Final = 1.0
"""Seconds after which all is looked at again, though nothing was told."""
_GAP: Final = 0.005
"""Seconds between two looks: what comes meanwhile is told of together."""


class Reader(Protocol):
    """What reads one mapping's source."""

    def look(
        self, mapping: dict[str, Any], function: Mapping[str, Any], config: Mapping[str, Any]
    ) -> float:
        """Start what can be started; when there may be more."""


_READERS: Final[Mapping[str, Callable[[], Reader]]] = {
    "sqs": QueueReader,
    "kinesis": StreamReader,
    "dynamodb": StreamReader,
}


class Poller:
    """All mappings' readers."""

    def __init__(self) -> None:
        self._lambdas = ministack("services.lambda_svc")
        self._readers: dict[str, Reader] = {}

    def run(self) -> None:
        """Look at all mappings for ever."""
        wake = self._lambdas._esm_wake
        while True:
            wake.clear()
            pause = min(self.look() - time.time(), _LOOK)
            time.sleep(_GAP)
            if pause > _GAP:
                wake.wait(pause - _GAP)

    def look(self) -> float:
        """Look at all mappings once; when there may be more to do."""
        due, there = math.inf, set()
        for account, region, mapping in self._lambdas._iter_all_esms():
            there.add(mapping["UUID"])
            if is_enabled(mapping):
                try:
                    due = min(due, self._look_at(account, region, mapping))
                except Exception:
                    log.exception("the mapping %s cannot be read", mapping["UUID"])
        for gone in self._readers.keys() - there:
            del self._readers[gone]
        return due

    def _look_at(self, account: str, region: str, mapping: dict[str, Any]) -> float:
        lambdas = self._lambdas
        service = mapping["EventSourceArn"].split(":")[2]
        if mapping["UUID"] not in self._readers:
            self._readers[mapping["UUID"]] = _READERS[service]()
        tokens = lambdas._request_account_id.set(account), lambdas._request_region.set(region)
        try:
            function, config = lambdas._get_func_record_for_qualifier(
                mapping["FunctionName"], mapping.get("Qualifier")
            )
            if function is None:
                return math.inf
            return self._readers[mapping["UUID"]].look(mapping, function, config)
        finally:
            lambdas._request_account_id.reset(tokens[0])
            lambdas._request_region.reset(tokens[1])


def is_enabled(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping reads; templates have texts for truths."""
    return str(mapping.get("Enabled", True)).lower() != "false"


def read_as_lambda() -> None:
    """Correct `services.lambda_svc`."""
    lambdas = ministack("services.lambda_svc")
    limit, stream_name = lambdas._sqs_esm_concurrency, lambdas._kinesis_stream_name_from_arn_spec

    def concurrency(mapping: Any, function: Any, config: Any, _queue: Any = None) -> Any:
        # Of a FIFO queue, too: a group waits by itself while one of its messages is away.
        return limit(mapping, function, config)

    def anchor(mapping_id: str, source_arn: str, position: str) -> None:
        """Where a mapping begins is where its stream is when it is made."""
        if source_arn.split(":")[2:3] in (["kinesis"], ["dynamodb"]):
            stream = sources.stream_of(source_arn, "")
            if stream and mapping_id not in lambdas._kinesis_positions:
                lambdas._kinesis_positions[mapping_id] = sources.start(stream, position)

    def name_of_stream(spec: Any) -> Any:
        name, _, consumer = str(spec.resource).removeprefix("stream/").partition("/consumer/")
        return name if spec.service == "kinesis" and consumer else stream_name(spec)

    lambdas._sqs_esm_concurrency, lambdas._init_stream_position = concurrency, anchor
    lambdas._kinesis_stream_name_from_arn_spec = name_of_stream
    lambdas._poll_loop = lambda: Poller().run()
