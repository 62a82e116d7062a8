"""Events of a bus."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Job, OnEvent
from tests.unit.constructs.triggers.conftest import Refused


def test_it_is_called_by_its_source(app: App) -> None:
    first, second = OnEvent({"source": ["aws.s3"]}), OnEvent({"detail-type": ["x"]})
    job = Job(app, "see", handler="jobs/a.handler", triggers=[first, second])
    assert [each.label.rpartition("-")[0] for each in job.triggers] == ["aws-s3", "event"]
    assert first.queued


@pytest.mark.parametrize("pattern", [{}, {"source": "shop"}, [], None])
def test_a_pattern_that_is_none_is_refused(refused: Refused, pattern: Any) -> None:
    assert "OnEvent: pattern" in refused(OnEvent(pattern, name="x"))
