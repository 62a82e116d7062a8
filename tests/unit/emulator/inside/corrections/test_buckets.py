from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from devbridge.emulator.inside.corrections.buckets import keep_tags
from tests.unit.emulator.inside.conftest import MakeModule

TAGS = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]


def test_a_bucket_keeps_its_tags_from_its_creation_and_from_each_update(
    ministack: MakeModule,
) -> None:
    kept: dict[str, dict[str, str]] = {}
    ministack("services.s3", _bucket_tags=kept)
    handlers: dict[str, Any] = {
        "create": lambda title, properties, stack: ("bucket", {"of": title}),
        "update": lambda physical, old, new, *rest: (physical, {"of": rest}),
    }
    provisioners = SimpleNamespace(
        _STACK_TAG_PROPERTY={}, _RESOURCE_HANDLERS={"AWS::S3::Bucket": handlers}
    )
    keep_tags(provisioners)
    assert provisioners._STACK_TAG_PROPERTY == {"AWS::S3::Bucket": ("Tags", "list")}
    assert handlers["create"]("B", {"Tags": TAGS}, "stack") == ("bucket", {"of": "B"})
    assert kept == {"bucket": {"a": "1", "b": "2"}}
    updated = handlers["update"]("bucket", {"Tags": TAGS}, {"Tags": TAGS[:1]}, "stack", "B")
    assert updated == ("bucket", {"of": ("stack", "B")})
    assert kept == {"bucket": {"a": "1"}}
