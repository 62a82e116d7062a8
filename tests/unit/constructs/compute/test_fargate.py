from __future__ import annotations

from devbridge.constructs.compute import Fargate


def test_it_is_small_and_on_demand_unless_told_otherwise() -> None:
    assert Fargate() == Fargate(cpu=1, memory="2 GB", spot=False)
