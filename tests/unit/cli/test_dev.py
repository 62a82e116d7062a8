from __future__ import annotations

from devbridge.cli.dev import retyped


def test_the_jobs_whose_payload_types_changed_are_named() -> None:
    before = {"same": {"type": "object"}, "changed": {"type": "object"}, "untyped": {}}
    after = {"same": {"type": "object"}, "changed": {"type": "string"}, "typed": {}}
    assert retyped(before, after) == ["changed", "typed", "untyped"]
