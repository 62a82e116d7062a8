"""Records of a stream."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Job, OnStream, Stream
from tests.unit.constructs.triggers.conftest import Refused


def test_several_jobs_read_one_stream(app: App) -> None:
    clicks = Stream(app, "clicks")
    for name, options in (("a", {}), ("b", {"consumer": True, "starting": "trim_horizon"})):
        trigger = OnStream(clicks, **options)  # type: ignore[arg-type]
        assert Job(app, name, handler="jobs/a.handler", triggers=[trigger]).triggers == (trigger,)
    assert (trigger.label, trigger.queued) == ("clicks", False)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"consumer": "yes"}, "consumer 'yes'"), ({"starting": "now"}, "starting 'now'")],
)
def test_what_kinesis_does_not_have_is_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnStream(Stream(app, "clicks"), **options))


def test_it_listens_to_a_stream(refused: Refused) -> None:
    assert "'clicks'" in refused(OnStream("clicks", name="x"))  # type: ignore[arg-type]
