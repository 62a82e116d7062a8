"""A short chaos run with a fixed seed: see tests.chaos and docs/chaos.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.emulator.state import Running
from tests.chaos.run import Plan, chaos
from tests.integration.brokers import mosquitto_executable

pytestmark = pytest.mark.skipif(mosquitto_executable() is None, reason="needs mosquitto")


@pytest.mark.timeout(300)
async def test_no_promise_is_broken_in_a_short_chaos(embedded: Running, tmp_path: Path) -> None:
    plan = Plan(seed=7, seconds=20.0, jobs=150, callers=3, concurrency=8, messages=20)
    assert await chaos(plan, tmp_path / "run", embedded.endpoint_url) == 0
