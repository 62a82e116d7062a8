"""What carries records in their order: Stream."""

from __future__ import annotations

from datetime import timedelta

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.existing import Arn, Existing
from devbridge.constructs.references import Reference
from devbridge.constructs.storage import Removal
from devbridge.constructs.values import Duration


def _existing_stream(app: App, name: str, *, arn: str, encryption_key: str | None = None) -> Stream:
    """A stream that exists, of the stage's own account and region: nothing of it is made, changed
    or removed.

    Args:
        arn: ``arn:aws:kinesis:REGION:ACCOUNT:stream/NAME``.
        encryption_key: as for Queue.existing.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "Stream", name, arn)
    stream = Stream(app, name, encryption_key=encryption_key)
    stream.encryption_key = encryption_key
    stream.known = {"arn": it.text, "stream_name": it.name}
    return stream


class Stream(Bindable):
    """A Kinesis data stream, encrypted.

    Args:
        shards: 1 to 10000, each for 1 MB and 1000 records a second, and billed by the hour; by
            default as many as the records need, billed by their size.
        retention: how long a record is kept, 24 hours to 365 days, whole hours; AWS bills more for
            more than 24 hours.
        encryption_key: the ARN of a KMS key; by default the app's, else AWS's own.
        removal: as for Table.
        transform: called with its `troposphere.kinesis.Stream`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        shards: int | None = None,
        retention: Duration = "24 hours",
        encryption_key: str | None = None,
        removal: Removal | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if shards is not None and (type(shards) is not int or not 1 <= shards <= values.SHARDS):
            allowed = f"a whole number from 1 to {values.SHARDS}, or None"
            raise self.invalid("shards", shards, allowed)
        kept = values.whole_seconds(retention, values.STREAM_RETENTION)
        if kept is None or kept % timedelta(hours=1):
            raise self.invalid("retention", retention, "24 hours to 365 days, whole hours")
        self.choice("removal", removal, values.REMOVALS)
        self.encryption_key = self.key_of(encryption_key)
        self.shards = shards
        """None: as many as are needed."""
        self.retention = kept
        self.removal = removal
        self.register()

    existing = Existing(_existing_stream)

    @property
    def arn(self) -> Reference:
        """The deployed stream's ARN."""
        return Reference(self, "arn")

    @property
    def stream_name(self) -> Reference:
        """The deployed stream's name."""
        return Reference(self, "stream_name")
