from __future__ import annotations

import pytest

from devbridge.protocol.ids import is_id

ID = "0b1c2d3e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (ID, True),
        (ID.upper(), False),
        (f"{ID}\n", False),
        (ID.replace("-", ""), False),
        (f"project:{ID}", False),
        ("", False),
        (None, False),
    ],
)
def test_an_id_is_a_uuid_in_its_canonical_form(value: object, is_one: bool) -> None:
    assert is_id(value) is is_one
