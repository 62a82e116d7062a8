"""What the asset bucket keeps of a job's runs: payloads, keys of users, and what is too large for
a build's record. The standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

RESULT_DAYS: Final = 30
"""How long S3 keeps large results, and the idempotency keys of users."""

_MISSING: Final = ("NoSuchKey", "404", "AccessDenied", "403")
"""What S3 says of a key that does not exist; without the right to list, that access is denied."""


class Kept:
    """The objects of one deployed job."""

    def __init__(
        self, s3: Callable[[], Any], bucket: str, place: str, encryption_key: str | None = None
    ) -> None:
        """
        Args:
            s3: gives botocore's client, when it is needed.
            bucket: the asset bucket.
            place: ``app/stage/job``.
            encryption_key: the ARN of the KMS key for payloads; None for the bucket's own.
        """
        self._s3 = s3
        self.bucket = bucket
        self._place = place
        self._encrypted = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption_key}
            if encryption_key
            else {}
        )

    def put_payload(self, token: str, payload: bytes) -> tuple[str, bool]:
        """Store a payload unless one of the same token waits there: that is the one that counts.

        Returns:
            The object's key, and whether it was made now.
        """
        from botocore.exceptions import ClientError

        key = f"payloads/{self._place}/{token}.json"
        try:
            self._s3().put_object(
                Bucket=self.bucket,
                Key=key,
                **self._encrypted,
                Body=payload,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return key, False
            raise
        return key, True

    def delete(self, key: str) -> None:
        """Delete an object, if that is allowed."""
        # Unlike DeleteObject it does not raise if it may not: then the object expires.
        self._s3().delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key}]})

    def read(self, key: str) -> bytes | None:
        """An object's content; None if it is not there any more."""
        from botocore.exceptions import ClientError

        try:
            body: bytes = self._s3().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return body

    def payload(self, key: str) -> bytes | None:
        """A run's payload, though the run has read and deleted it; None if no version is left."""
        if (there := self.read(key)) is not None:
            return there
        s3 = self._s3()
        found = s3.list_object_versions(Bucket=self.bucket, Prefix=key).get("Versions") or ()
        version = next((each["VersionId"] for each in found if each["Key"] == key), None)
        if version is None:
            return None
        body = s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)["Body"]
        payload: bytes = body.read()
        return payload

    def remember(self, token: str, job_id: str) -> None:
        """Keep which run a user's key has started."""
        self._s3().put_object(
            Bucket=self.bucket,
            Key=self._run_of(token),
            Body=job_id.encode(),
            ContentType="text/plain",
        )

    def remembered(self, token: str) -> str:
        """The id of the run that a key has started; empty if none is known."""
        record = self.read(self._run_of(token))
        return "" if record is None else record.decode("ascii", "replace")

    def _run_of(self, token: str) -> str:
        return f"runs/{self._place}/{token}"
