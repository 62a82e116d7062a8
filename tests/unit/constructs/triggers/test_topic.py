"""Messages of a topic."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, OnTopic, Topic
from tests.unit.constructs.triggers.conftest import Refused


def test_it_is_called_as_its_topic_is(app: App) -> None:
    trigger = OnTopic(Topic(app, "news"), filter={"to": ["see"]})
    assert (trigger.label, trigger.queued) == ("news", True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"filter_on": "all"}, "filter_on 'all'"),
        ({"filter": {"to": "see"}}, "filter: to is 'see'"),
        ({"filter": {"to": {"a": ["b"]}}}, "filter: to is an object"),
    ],
)
def test_a_filter_is_as_sns_has_it(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnTopic(Topic(app, "news"), **options))


def test_a_body_may_be_filtered_in_its_depth(app: App) -> None:
    trigger = OnTopic(Topic(app, "news"), filter={"to": {"a": ["b"]}}, filter_on="body")
    assert trigger.problem(trigger.topic) is None


def test_a_fifo_topic_is_refused(app: App, refused: Refused) -> None:
    assert "a standard Topic" in refused(OnTopic(Topic(app, "news", fifo=True)))


def test_it_listens_to_a_topic(refused: Refused) -> None:
    assert "'news'" in refused(OnTopic("news", name="x"))  # type: ignore[arg-type]
