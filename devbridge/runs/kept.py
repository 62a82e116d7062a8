"""What the asset bucket keeps of a job's runs: see `runner.places`. The standard library only."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from devbridge.runs.records import End, Last, Told
from runner.claims import Claim, Place
from runner.places import Places, uuid_in_list

RESULT_DAYS: Final = 30
"""How long S3 keeps large results, and what errors say. What it knows of a run is kept longer, and
so long its key is the same run."""

_MISSING: Final = ("NoSuchKey", "NoSuchBucket", "404", "AccessDenied", "403")
"""What S3 says of a key that does not exist; without the right to list, that access is denied."""
_EXISTS: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
"""What it says to the second of two who make an object that must not be there."""


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
            encryption_key: the ARN of the KMS key for what has something of a payload; None for
                the bucket's own.
        """
        self._s3 = s3
        self.bucket = bucket
        self.places = Places(place)
        self._encrypted = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption_key}
            if encryption_key
            else {}
        )

    # --- the records of a run -------------------------------------------------------------------

    def claim(self, uuid: str) -> Claim | None:
        """What was asked for; None: nothing."""
        body = self.read(self.places.claim(uuid))
        return None if body is None else Claim.of(body)

    def make_claim(self, uuid: str, claim: Claim) -> bool:
        """Whether it is this one that starts the run."""
        secret = claim.payload is not None
        return self._make(self.places.claim(uuid), claim.body(), secret=secret)

    @contextlib.contextmanager
    def alone(self, uuid: str, restarts: int, since: float) -> Iterator[bool]:
        """Whether nobody else has begun to start the run since then (seconds since the epoch). What
        fails in the block may be begun again at once."""
        for number in itertools.count():
            key = self.places.start(uuid, restarts, number)
            if self._make(key, b"{}"):
                break
            if (found := self._read(key)) is not None and found[1] >= since:
                yield False
                return
        try:
            yield True
        except Exception:
            self.delete(key)
            raise

    def place(self, uuid: str) -> Place | None:
        """Which of the provider's things runs it; None: none does yet."""
        body = self.read(self.places.place(uuid))
        return None if body is None else Place.of(body)

    def put_place(self, uuid: str, place: Place) -> None:
        """It was started there."""
        self._put(self.places.place(uuid), place.body())

    def end(self, uuid: str) -> End | None:
        """That it was cancelled, or has ended without a word of its own."""
        found = self._read(self.places.end(uuid))
        return None if found is None else End.of(*found)

    def make_end(self, uuid: str, end: End) -> bool:
        """Whether it ends so: it has no other end of this kind."""
        return self._make(self.places.end(uuid), end.body())

    def told(self, uuid: str) -> Told | None:
        """What the runner has told."""
        found = self._read(self.places.told(uuid))
        return None if found is None else Told.of(*found)

    def last(self, schedule: str) -> Last | None:
        """The last run of a schedule; None: it has none."""
        found = self._found(self.places.last(schedule))
        if found is None:
            return None
        body: bytes = found["Body"].read()
        return Last(body.decode(), found["LastModified"].timestamp(), found["ETag"])

    def put_last(self, schedule: str, uuid: str, before: Last | None) -> bool:
        """Put a run in the place of that one; whether it was still there."""
        key, body = self.places.last(schedule), uuid.encode()
        if before is None:
            return self._make(key, body)
        return self._made(key, body, IfMatch=before.etag)

    def checkpoint(self, uuid: str) -> bytes | None:
        """The last value that its handler has yielded, and that was stored."""
        return self.read(self.places.checkpoint(uuid))

    def put_checkpoint(self, uuid: str, value: bytes) -> None:
        """Where a run is to begin."""
        self._put(self.places.checkpoint(uuid), value, secret=True)

    def list(self, uuid: str, created_at: float) -> None:
        """Put a run into the list."""
        self._put(self.places.in_list(uuid, created_at), b"")

    def newest(self, beginning: str = "", after: str = "") -> Iterator[str]:
        """The uuids of the runs in the list that begin so, the newest run first.

        Args:
            after: the key in the list behind which it begins.
        """
        from botocore.exceptions import ClientError

        more = {"StartAfter": after} if after else {}
        while True:
            asked = {"Bucket": self.bucket, "Prefix": self.places.listed, **more}
            try:
                page = self._s3().list_objects_v2(**asked)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchBucket":
                    return  # nothing was ever deployed here
                raise
            uuids = (uuid_in_list(each["Key"]) for each in page.get("Contents") or ())
            yield from (uuid for uuid in uuids if uuid.startswith(beginning))
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def forget(self, uuid: str, claim: Claim) -> bool:
        """Leave nothing of a run that was never started; whether that is allowed."""
        places = self.places
        listed = places.in_list(uuid, claim.created_at)
        return self.delete(listed, places.payload(uuid), places.claim(uuid))

    # --- what it was given, and what it has returned ----------------------------------------------

    def put_payload(self, uuid: str, payload: bytes) -> str:
        """Store a payload unless one of the same run waits there: that is the one that counts.

        Returns:
            The object's key.
        """
        key = self.places.payload(uuid)
        self._make(key, payload, secret=True)
        return key

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

    def read(self, key: str) -> bytes | None:
        """An object's content; None if it is not there any more."""
        found = self._read(key)
        return None if found is None else found[0]

    def delete(self, *keys: str) -> bool:
        """Delete objects, if that is allowed; whether it is."""
        # Unlike DeleteObject it does not raise if it may not: then the object expires.
        objects = [{"Key": key} for key in keys]
        done = self._s3().delete_objects(Bucket=self.bucket, Delete={"Objects": objects})
        return not done.get("Errors")

    # --- objects ----------------------------------------------------------------------------------

    def _read(self, key: str) -> tuple[bytes, float] | None:
        """An object's content, and when S3 got it."""
        if (found := self._found(key)) is None:
            return None
        body: bytes = found["Body"].read()
        return body, found["LastModified"].timestamp()

    def _found(self, key: str) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self._s3().get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise

    def _put(self, key: str, body: bytes, *, secret: bool = False, **more: str) -> None:
        """`secret`: it has something of a payload. What says only where a run is, and that, can be
        read by who may not use the job's key."""
        self._s3().put_object(
            Bucket=self.bucket,
            Key=key,
            **(self._encrypted if secret else {}),
            Body=body,
            ContentType="application/json",
            **more,
        )

    def _make(self, key: str, body: bytes, *, secret: bool = False) -> bool:
        """Make an object, unless it is there: whether it was made."""
        return self._made(key, body, secret=secret, IfNoneMatch="*")

    def _made(self, key: str, body: bytes, *, secret: bool = False, **condition: str) -> bool:
        """Put an object on a condition: whether it held."""
        from botocore.exceptions import ClientError

        try:
            self._put(key, body, secret=secret, **condition)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _EXISTS or ("IfMatch" in condition and code in _MISSING[:1]):
                return False
            raise
        return True
