"""What stands behind the door has all of it."""

from __future__ import annotations

import inspect

import pytest

from devbridge.deploy.synth.compute.base import Compute
from devbridge.deploy.synth.compute.known import COMPUTES

DOOR = {name for name in vars(Compute) if not name.startswith("_")}


@pytest.mark.parametrize("compute", COMPUTES, ids=lambda each: each.name)
def test_each_has_all_that_the_door_has_and_nothing_beside(compute: Compute) -> None:
    assert {name for name in dir(compute) if not name.startswith("_")} == DOOR


@pytest.mark.parametrize("compute", COMPUTES, ids=lambda each: each.name)
def test_each_takes_what_the_door_takes(compute: Compute) -> None:
    for name in DOOR - {"name", "makes", "first", "shape"}:
        asked = [*inspect.signature(getattr(Compute, name)).parameters][1:]
        assert [*inspect.signature(getattr(compute, name)).parameters] == asked
