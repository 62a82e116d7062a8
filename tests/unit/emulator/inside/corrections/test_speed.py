from __future__ import annotations

import copy
import io
import json

from devbridge.emulator.inside.corrections.speed import (
    copy_logs_faster,
    match_faster,
    save_faster,
)
from tests.unit.emulator.inside.conftest import MakeModule


def test_the_state_is_written_as_json_writes_it(ministack: MakeModule) -> None:
    persistence = ministack("core.persistence", json=json)
    save_faster()
    written = io.StringIO()
    persistence.json.dump({"a": [1, "ü"]}, written, indent=1, default=str)
    assert written.getvalue() == json.dumps({"a": [1, "ü"]}, indent=1)
    assert persistence.json.loads(written.getvalue()) == {"a": [1, "ü"]}
    assert persistence.json.JSONDecodeError is json.JSONDecodeError


class Records(dict[str, int]):
    """ministack's, of one account and region."""


def test_logs_are_copied_whole_and_a_second_copy_of_each_event_is_not_kept(
    ministack: MakeModule,
) -> None:
    logs = ministack("services.cloudwatch_logs", _log_records=Records(), copy=copy)
    copy_logs_faster()
    logs._log_records["pointer"] = 1
    assert logs._log_records == {}
    groups = {"group": {"streams": [1, 2]}}
    copied = logs.copy.deepcopy(groups)
    assert copied == groups
    assert copied["group"] is not groups["group"]
    assert type(logs.copy.deepcopy(logs._log_records)) is Records


def test_only_filters_with_wildcards_are_compared_level_by_level(ministack: MakeModule) -> None:
    compared: list[str] = []

    def matches(pattern: str, topic: str) -> bool:
        compared.append(pattern)
        return True

    iot = ministack("services.iot", _subscription_matches=matches)
    match_faster()
    patterns = ["a/b", "a/c", "a", "a/b/", "a/+", "a/#", "#"]
    found = [pattern for pattern in patterns if iot._subscription_matches(pattern, "a/b")]
    assert found == ["a/b", "a/+", "a/#", "#"]
    assert compared == ["a/+", "a/#", "#"]
