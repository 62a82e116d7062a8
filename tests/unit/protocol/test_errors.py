from __future__ import annotations

import pytest

from devbridge.protocol import codec, fragments
from devbridge.protocol.errors import Malformed, NewerVersion, ProtocolError, TooLarge
from devbridge.protocol.messages import VERSION


@pytest.mark.parametrize("error", [Malformed, NewerVersion, TooLarge])
def test_whoever_cannot_use_a_message_need_catch_one_error(error: type[ProtocolError]) -> None:
    assert issubclass(error, ProtocolError)
    assert not issubclass(error, ValueError), "which is what json raises of values"


def test_a_newer_version_is_told_apart_from_damage_and_says_what_this_one_knows() -> None:
    with pytest.raises(
        NewerVersion, match=f"version {VERSION + 1}; this devbridge knows {VERSION}"
    ):
        codec.decode(b'{"v":%d,"type":"unheard"}\n' % (VERSION + 1))
    with pytest.raises(Malformed):
        codec.decode(b'{"v":%d,"type":"unheard"}\n' % VERSION)


def test_texts_are_in_lower_case_and_have_the_numbers() -> None:
    with pytest.raises(TooLarge) as caught:
        fragments.split(bytes(codec.MAX_MESSAGE + 1), b"i" * 16)
    assert str(caught.value) == (
        f"the message has {codec.MAX_MESSAGE + 1} bytes, the limit is {codec.MAX_MESSAGE}"
    )
