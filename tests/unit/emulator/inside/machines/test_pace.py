from __future__ import annotations

import pytest

from devbridge.emulator.inside.machines import pace


def test_a_test_may_let_time_pass_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (pace.minute(), pace.seconds(90)) == (60, 90)
    monkeypatch.setenv("DEVBRIDGE_CODEBUILD_MINUTE", "0.5")
    assert (pace.minute(), pace.seconds(120)) == (0.5, 1)
