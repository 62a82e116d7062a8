from __future__ import annotations

import msgspec
import pytest

from devbridge.console import stage_model


def test_all_messages_are_meant_where_none_is_named() -> None:
    asked = msgspec.json.decode(b'{"queue": "orders"}', type=stage_model.Redrive)
    assert asked.ids is None
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"ids": []}', type=stage_model.Redrive)
