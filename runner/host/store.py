"""What S3 keeps of a run for all places alike: payload, checkpoint, result, error,
and what is told."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from runner import aws, documents
from runner.host import told as tale
from runner.host.settings import Settings
from runner.host.told import MAX_ERROR, Told
from runner.outcome import SUCCEEDED, End, Failure

MAX_INLINE = 4 * 1024
"""Bytes of a result that is told as it is. A larger one is put into S3."""


class Store:
    """The objects of one run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = settings.places

    def payload(self) -> bytes:
        """The payload, a JSON text. It stays: another machine may have to go on.

        Raises:
            AwsError: it cannot be read.
        """
        if not self._settings.payload_key:
            return os.fsencode(self._settings.payload)
        return aws.get_object(self._settings.bucket, self._settings.payload_key)

    def forget_payload(self) -> None:
        """The run has ended: nobody needs it any more.

        Raises:
            AwsError: it cannot be deleted.
        """
        if self._settings.payload_key:
            aws.delete_object(self._settings.bucket, self._settings.payload_key)

    def checkpoint(self) -> bytes | None:
        """The last one that was kept, if there is any.

        Raises:
            AwsError: it cannot be read.
        """
        if not self._settings.bucket:
            return None
        key = self._places.checkpoint(self._settings.uuid)
        found = aws.find_object(self._settings.bucket, key)
        return found and found[0]

    def keep(self, checkpoint: bytes) -> None:
        """Keep it in place of the last one.

        Raises:
            AwsError: it cannot be stored.
        """
        self._put(self._places.checkpoint(self._settings.uuid), checkpoint)

    def told(self) -> tuple[Told, str] | None:
        """What was told of the run, and the ETag of that, if anything was.

        Raises:
            AwsError: it cannot be read.
        """
        found = aws.find_object(self._settings.bucket, self._places.told(self._settings.uuid))
        try:
            return found and (tale.read(found[0]), found[1])
        except ValueError as error:
            raise aws.AwsError(str(error)) from None

    def tell(self, told: Told, condition: Mapping[str, str] = {}) -> str:
        """Tell it in place of what was told; the ETag.

        Args:
            condition: as that of `aws.put_object`.

        Raises:
            Conflict: the condition does not hold: somebody else has told something.
            AwsError: it cannot be told.
        """
        key, body = self._places.told(self._settings.uuid), tale.text(told)
        try:
            return self._put(key, body, condition)
        except aws.Conflict:
            # The answer to the same request, sent before, may have got lost.
            found = aws.find_object(self._settings.bucket, key)
            if found is None or found[0] != body:
                raise
            return found[1]

    def ended(self) -> bool:
        """Whether somebody else has ended the run: it was cancelled, or taken for dead.

        Raises:
            AwsError: that cannot be read.
        """
        key = self._places.end(self._settings.uuid)
        return aws.find_object(self._settings.bucket, key) is not None

    def result(self, end: End) -> str | None:
        """The result as it is told: a JSON text of ASCII characters, or ``@KEY`` when it is large,
        or not for all who may see the run, and was put into S3.

        Raises:
            AwsError: it cannot be stored.
        """
        if end.state != SUCCEEDED or end.result is None:
            return None
        text = ascii_json(end.result.decode())
        if text == "null" or (self._settings.inline and len(text) <= MAX_INLINE):
            return text
        key = self._places.result(self._settings.uuid)
        self._put(key, end.result)
        return f"@{key}"

    def error(self, failure: Failure) -> str:
        """Put what an error says into S3; its key.

        Raises:
            AwsError: it cannot be stored.
        """
        key = self._places.result(self._settings.uuid).removesuffix("json") + "error.json"
        self._put(key, documents.text(failure, MAX_ERROR).encode())
        return key

    def _put(self, key: str, body: bytes, condition: Mapping[str, str] = {}) -> str:
        settings = self._settings
        return aws.put_object(
            settings.bucket, key, body, encryption_key=settings.key, condition=condition
        )


def ascii_json(text: str) -> str:
    """The same JSON text, in which every other character is escaped."""
    return re.sub(r"[^\x00-\x7e]", lambda found: json.dumps(found[0])[1:-1], text)
