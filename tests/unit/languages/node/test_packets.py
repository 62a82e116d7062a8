from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.languages.node.packets import length, packet, parsed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**32 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(number=st.integers(0, 2**31 - 1), value=VALUES, answers=st.booleans())
def test_a_packet_is_read_as_it_was_written(number: int, value: object, answers: bool) -> None:
    written = packet(number, value, answers=answers)
    assert length(written[:4]) == len(written) - 4
    assert parsed(written[4:]) == (number, answers, value)


def test_a_packet_is_what_esbuilds_own_client_writes() -> None:
    """``encodePacket({id: 3, isRequest: true, value: {a: [1, "x", null, true]}})`` of 0.28.2."""
    value = {"a": [1, "x", None, True]}
    expected = "0600000006010000000100000061"
    expected += "05040000000201000000030100000078000101"
    assert packet(3, value, answers=False)[4:].hex() == expected


@given(value=VALUES, cut=st.integers(1, 20))
def test_what_is_no_packet_is_refused(value: object, cut: int) -> None:
    written = packet(1, value, answers=True)[4:]
    with pytest.raises(ValueError, match="not a packet of esbuild's"):
        parsed(written[:-cut])
    with pytest.raises(ValueError, match="1 bytes too many"):
        parsed(written + b"\0")


def test_what_json_has_not_is_not_sent() -> None:
    with pytest.raises(TypeError, match="have no float"):
        packet(1, 1.5, answers=False)
    with pytest.raises(ValueError, match="no kind of value is 9"):
        parsed(b"\0\0\0\0\x09\0\0\0\0")
