"""What keeps data: Table and Bucket."""

from __future__ import annotations

import re
from typing import Literal

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.existing import Arn, Existing, refused
from devbridge.constructs.references import Reference

Removal = Literal["retain", "delete"]
View = Literal["new_image", "old_image", "new_and_old_images", "keys_only"]
"""What a table's stream has of an item that changes."""


def _existing_table(
    app: App,
    name: str,
    *,
    arn: str,
    stream_arn: str | None = None,
    encryption_key: str | None = None,
) -> Table:
    """A table that exists, of the stage's own account and region: nothing of it is made, changed or
    removed.

    Args:
        arn: ``arn:aws:dynamodb:REGION:ACCOUNT:table/NAME``.
        stream_arn: of its stream, if it has one that is read: ``TABLE-ARN/stream/...``.
        encryption_key: as for Queue.existing.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "Table", name, arn)
    if stream_arn is not None and (
        not isinstance(stream_arn, str) or not _is_stream(it.text, stream_arn)
    ):
        example = f"{it.text}/stream/2026-01-31T12:00:00.000"
        allowed = f"the ARN of that table's stream, such as {example!r}"
        raise refused(app, "Table", name, f"stream_arn {stream_arn!r}", allowed)
    # Its keys are nobody's business who only uses it.
    table = Table(app, name, partition_key="unknown", encryption_key=encryption_key)
    table.encryption_key = encryption_key
    known = {"arn": it.text, "table_name": it.name}
    table.known = known if stream_arn is None else {**known, "stream_arn": stream_arn}
    return table


def _is_stream(table: str, arn: str) -> bool:
    rest = arn.removeprefix(f"{table}/stream/")
    return rest != arn and bool(re.fullmatch(r"[\w:.-]+", rest, re.ASCII))


class Table(Bindable):
    """A DynamoDB table, billed per request, with string keys.

    Args:
        partition_key: name of the partition key's attribute, 1 to 255 bytes.
        sort_key: name of the sort key's attribute, if there is one.
        removal: what becomes of it when it is taken out of the app or the stage is removed:
            "retain" or "delete". By default a dev stage deletes and a deployed one retains.
        encryption_key: the ARN of a KMS key; by default the app's, else one of AWS's.
        point_in_time_recovery: keep what the table was for 35 days; AWS bills it by its size.
        deletion_protection: nobody can delete it before that is taken off, as `devbridge remove
            --delete-data` does; on stages where it is retained.
        stream: what a stream of its changes has of each item that changes, for a day:
            "new_image", what it is then; "old_image", what it was; "new_and_old_images"; or
            "keys_only". By default there is a stream only if something reads it.
        transform: called with its `troposphere.dynamodb.Table`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        removal: Removal | None = None,
        encryption_key: str | None = None,
        point_in_time_recovery: bool = False,
        deletion_protection: bool = False,
        stream: View | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        for what, key in (("partition_key", partition_key), ("sort_key", sort_key)):
            if what == "sort_key" and key is None:
                continue
            if not isinstance(key, str) or not 0 < len(key.encode()) <= 255:
                raise self.invalid(what, key, "an attribute's name of 1 to 255 bytes")
        if partition_key == sort_key:
            raise self.invalid("sort_key", sort_key, "a name other than the partition key's")
        self.choice("removal", removal, values.REMOVALS)
        self.encryption_key = self.key_of(encryption_key)
        self.point_in_time_recovery = self.flag("point_in_time_recovery", point_in_time_recovery)
        self.deletion_protection = self.flag("deletion_protection", deletion_protection)
        if deletion_protection and removal == "delete":
            raise self.invalid("deletion_protection", True, "not with removal='delete'")
        self.choice("stream", stream, values.VIEWS)
        self.stream: View | None = stream
        """None: it has no stream."""
        self.partition_key = partition_key
        self.sort_key = sort_key
        self.removal = removal
        self.register()

    existing = Existing(_existing_table)

    def want_stream(self) -> None:
        """Let it have a stream of new and old images, unless it has one.

        Raises:
            InvalidValue: it exists, and its stream is not known.
        """
        if not self.known:
            self.stream = self.stream or "new_and_old_images"
        elif "stream_arn" not in self.known:
            raise self.refused("stream_arn", ("None", "the ARN of its stream, which is read"))

    @property
    def arn(self) -> Reference:
        """The deployed table's ARN."""
        return Reference(self, "arn")

    @property
    def stream_arn(self) -> Reference:
        """The ARN of the deployed table's stream.

        Raises:
            InvalidValue: it has no stream.
        """
        if self.stream is None and "stream_arn" not in self.known:
            option = "stream_arn" if self.known else "stream"
            allowed = "the ARN of its stream" if self.known else "a stream, which is referred to"
            raise self.refused(option, ("None", allowed))
        return Reference(self, "stream_arn")

    @property
    def table_name(self) -> Reference:
        """The deployed table's name."""
        return Reference(self, "table_name")


def _existing_bucket(app: App, name: str, *, arn: str, encryption_key: str | None = None) -> Bucket:
    """A bucket that exists: nothing of it is made, changed or removed.

    Args:
        arn: ``arn:aws:s3:::NAME``. A bucket of another account must admit who uses it in its
            policy.
        encryption_key: as for Queue.existing.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "Bucket", name, arn)
    bucket = Bucket(app, name, encryption_key=encryption_key)
    bucket.encryption_key = encryption_key
    bucket.known = {"arn": it.text, "bucket_name": it.name}
    return bucket


class Bucket(Bindable):
    """An S3 bucket: private, encrypted, and closed to what is not TLS.

    Args:
        versioned: keep what was overwritten or deleted.
        removal: as for Table; a bucket that is deleted is emptied first.
        encryption_key: as for Table.
        transform: called with its `troposphere.s3.Bucket`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        versioned: bool = False,
        removal: Removal | None = None,
        encryption_key: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        self.choice("removal", removal, values.REMOVALS)
        self.encryption_key = self.key_of(encryption_key)
        self.versioned = self.flag("versioned", versioned)
        self.removal = removal
        self.register()

    existing = Existing(_existing_bucket)

    @property
    def arn(self) -> Reference:
        """The deployed bucket's ARN; of its objects, ``bucket.arn + "/*"``."""
        return Reference(self, "arn")

    @property
    def bucket_name(self) -> Reference:
        """The deployed bucket's name."""
        return Reference(self, "bucket_name")
