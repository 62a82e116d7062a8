from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.mappings.templates import change, plain

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def mapping(**more: Any) -> dict[str, Any]:
    return {"EventSourceArn": QUEUE, "BatchSize": 5, "Enabled": True, "State": "Enabled", **more}


def test_numbers_and_truths_may_be_texts() -> None:
    given = {"BatchSize": "7", "Enabled": "false", "ScalingConfig": {"MaximumConcurrency": "2"}}
    expected = {"BatchSize": 7, "Enabled": False, "ScalingConfig": {"MaximumConcurrency": 2}}
    assert plain(given) == expected


@pytest.mark.parametrize("said", [True, False])
def test_what_was_enabled_or_disabled_since_stays_so_when_another_property_changes(
    said: bool,
) -> None:
    found = mapping(Enabled=not said, State="as it is")
    change(found, {"Enabled": said, "BatchSize": 5}, {"Enabled": said, "BatchSize": 6})
    assert (found["Enabled"], found["State"], found["BatchSize"]) == (not said, "as it is", 6)


def test_what_the_template_changes_is_changed() -> None:
    found = mapping()
    change(found, {"Enabled": True}, {"Enabled": False, "FilterCriteria": {"Filters": []}})
    assert (found["Enabled"], found["State"]) == (False, "Disabled")
    assert found["FilterCriteria"] == {"Filters": []}


def test_what_the_template_says_no_more_is_as_if_it_had_never_been_said() -> None:
    found = mapping(ScalingConfig={"MaximumConcurrency": 2})
    change(found, {"ScalingConfig": {"MaximumConcurrency": 2}, "BatchSize": 5}, {})
    assert "ScalingConfig" not in found
    assert found["BatchSize"] == 10
