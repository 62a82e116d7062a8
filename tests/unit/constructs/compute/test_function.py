from __future__ import annotations

from devbridge.constructs.compute import Lambda


def test_it_is_small_unless_told_otherwise() -> None:
    assert Lambda() == Lambda(memory_size="1 GB", reserved_concurrency=None)
