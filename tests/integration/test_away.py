"""Each way to be away while messages come, for a short time: see docs/chaos.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.emulator.state import Running
from tests.chaos.away import WAYS, Plan, away


@pytest.mark.timeout(200)
@pytest.mark.parametrize("way", WAYS)
def test_no_message_is_lost_or_doubled_while_nobody_is_there(
    embedded: Running, tmp_path: Path, way: str
) -> None:
    options = ("--endpoint", embedded.endpoint_url, "--grace", "1")
    verdict = away(Plan(way, messages=12, seed=1), tmp_path / "app", options[1], options)
    assert verdict.broken == []
    assert sum(verdict.counts.values()) == 36
