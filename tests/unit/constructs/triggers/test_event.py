"""Events of a bus."""

from __future__ import annotations

from devbridge.constructs import App, OnEvent
from tests.unit.constructs.test_triggering import job, refusal


def test_a_pattern_is_checked(app: App) -> None:
    assert job(app, OnEvent({"source": ["shop"]})).triggers
    assert "source is 'shop'" in refusal(app, OnEvent({"source": "shop"}, name="x"), name="b")


def test_patterns_of_one_source_have_names_of_their_own(app: App) -> None:
    sold, bought = ({"source": ["shop"], "detail-type": [kind]} for kind in ("Sold", "Bought"))
    assert job(app, OnEvent(sold), OnEvent(bought)).triggers
    assert OnEvent(sold).label != OnEvent(bought).label
