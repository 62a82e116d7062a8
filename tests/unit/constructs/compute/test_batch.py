from __future__ import annotations

from devbridge.constructs.compute import Batch


def test_it_is_small_and_on_demand_unless_told_otherwise() -> None:
    assert Batch() == Batch(cpu=1, memory="2 GB", gpu=0, spot=False)
