"""The tags of buckets, by which they are found when their stack is gone: ministack forgets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..host import ministack


def keep_tags(provisioners: Any) -> None:
    """Give a bucket its tags, and those of its stack."""
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create, update = handlers["create"], handlers["update"]

    def keep(answer: Any, properties: Mapping[str, Any]) -> Any:
        tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
        ministack("services.s3")._bucket_tags[answer[0]] = tags
        return answer

    handlers["create"] = lambda title, properties, stack: keep(
        create(title, properties, stack), properties
    )
    handlers["update"] = lambda physical, old, new, *rest: keep(
        update(physical, old, new, *rest), new
    )
