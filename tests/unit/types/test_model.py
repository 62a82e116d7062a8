from __future__ import annotations

from devbridge.types.model import JobTypes, schemas


def test_only_what_can_be_checked_before_it_is_sent_has_a_schema() -> None:
    types = {"a": JobTypes(accepted={"type": "integer"}), "b": JobTypes(payload={"type": "null"})}
    assert schemas(types) == {"a": {"type": "integer"}}
