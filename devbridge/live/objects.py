"""What is too large for the wire, in the bucket of the account and region."""

from __future__ import annotations

from devbridge import names
from devbridge.cloud.session import Cloud


class Objects:
    """`devbridge.daemon.calls.Objects`, in S3, with the developer's credentials."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._bucket = names.asset_bucket(cloud.account, cloud.region)

    def get(self, key: str) -> bytes:
        """The content of an object.

        Raises:
            ClientError, BotoCoreError: it cannot be read.
        """
        found = self._cloud.client("s3").get_object(Bucket=self._bucket, Key=key)
        body: bytes = found["Body"].read()
        return body

    def put(self, key: str, body: bytes) -> None:
        """Store one.

        Raises:
            ClientError, BotoCoreError: it cannot be written.
        """
        self._cloud.client("s3").put_object(Bucket=self._bucket, Key=key, Body=body)
