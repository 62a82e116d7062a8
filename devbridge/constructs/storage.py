"""What keeps data: Table and Bucket."""

from __future__ import annotations

from typing import Literal

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.references import Reference

Removal = Literal["retain", "delete"]


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
        self.partition_key = partition_key
        self.sort_key = sort_key
        self.removal = removal
        self.register()

    @property
    def arn(self) -> Reference:
        """The deployed table's ARN."""
        return Reference(self, "arn")

    @property
    def table_name(self) -> Reference:
        """The deployed table's name."""
        return Reference(self, "table_name")


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

    @property
    def arn(self) -> Reference:
        """The deployed bucket's ARN; of its objects, ``bucket.arn + "/*"``."""
        return Reference(self, "arn")

    @property
    def bucket_name(self) -> Reference:
        """The deployed bucket's name."""
        return Reference(self, "bucket_name")
