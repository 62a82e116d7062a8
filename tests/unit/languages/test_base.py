from __future__ import annotations

from pathlib import Path

from devbridge.languages.base import Asking, Packing
from devbridge.types.model import Slow


def test_by_default_nothing_is_known_of_live_runs_and_schemas() -> None:
    packing = Packing(python=Path("python"), version="3.13", cache=Path("cache"))
    assert (packing.local, dict(packing.schemas), dict(packing.live)) == (False, {}, {})


def test_by_default_nobody_stops_who_asks() -> None:
    asking = Asking(python=Path("python"))
    asking.slow(Slow("importing a.py", 2.0, ""))
    assert not asking.stopped()
