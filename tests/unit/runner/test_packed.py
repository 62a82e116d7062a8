from __future__ import annotations

import sys

from runner.packed import pack, unpack


def test_what_is_unpacked_is_the_same_of_new_objects() -> None:
    name = sys.intern("a_name_of_a_module")
    value = [(name, (), {"READ": None}, True, ("/a.py", 1 << 62, 0))]
    found = unpack(pack(value))
    assert found == value
    assert found[0][0] is not name
