"""Records of a Kinesis stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from devbridge.constructs.app import Construct
from devbridge.constructs.code import Code
from devbridge.constructs.event_patterns import LAMBDA, Rules
from devbridge.constructs.streams import Stream
from devbridge.constructs.triggers.streaming import Streamed
from devbridge.sources.base import Problem


@dataclass(frozen=True)
class OnStream(Streamed):
    """Runs the job for each record of a Kinesis stream. The payload is the record's data: its JSON
    value, the text where it is none, or its base64 where it is no text either.

    The stream keeps a record for its `retention`, whoever reads it: what is older when somebody
    runs `devbridge dev` again starts nothing.

    Args:
        stream: of this app.
        consumer: read with a throughput of its own (enhanced fan-out), which AWS bills by the hour
            and shard; False: with what all readers of a shard share.
        filter: as `Streamed` says: ``{"data": {"kind": ["order"]}}``.
        name, loop, batch_size, batch, window, starting, retries: as `Trigger`, `Batched` and
            `Streamed` say.
    """

    kind: ClassVar[str] = "stream"
    rules: ClassVar[Rules] = replace(LAMBDA, example='{"data": {"kind": ["order"]}}')

    stream: Stream
    consumer: bool = False

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.stream.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.stream

    def problem(self, owner: Code) -> Problem | None:
        """See `Trigger.problem`."""
        if not isinstance(self.stream, Stream):
            return repr(self.stream), "a Stream of this app"
        if not isinstance(self.consumer, bool):
            return f"consumer {self.consumer!r}", "True or False"
        return self.batch_problem(owner) or self.stream_problem()
