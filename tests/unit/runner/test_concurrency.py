from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from runner.concurrency import ahead, in_progress

NOW = 1_800_000_000.0
DAY = 86_400


def build(name: str, age: float, status: str = "IN_PROGRESS") -> dict[str, Any]:
    return {"id": f"p:{name}", "startTime": NOW - age, "buildStatus": status}


class CodeBuild:
    """Builds in pages, the newest first."""

    def __init__(self, *pages: Sequence[dict[str, Any]]) -> None:
        self.pages = pages
        self.listed = 0

    def list_builds(self, projectName: str, sortOrder: str, nextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        assert (projectName, sortOrder) == ("p", "DESCENDING")
        self.listed += 1
        number = int(nextToken)
        more = {"nextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"ids": [one["id"] for one in self.pages[number]], **more}

    def get(self, ids: Sequence[str]) -> dict[str, Any]:
        assert ids
        return {"builds": [b for page in self.pages for b in page if b["id"] in ids]}

    def in_progress(self) -> list[str]:
        found = in_progress(self.list_builds, self.get, "p", NOW)
        return [one["id"] for one in found]


def test_what_is_in_progress_is_found_on_all_pages() -> None:
    codebuild = CodeBuild([build("c", 1), build("b", 2, "FAILED")], [], [build("a", 36 * 3600)])
    assert codebuild.in_progress() == ["p:c", "p:a"]


def test_pages_with_builds_that_must_have_ended_are_not_read() -> None:
    old = [build(str(n), 3 * DAY, "SUCCEEDED") for n in range(3)]
    codebuild = CodeBuild([build("c", 1)], old, old, old)
    assert codebuild.in_progress() == ["p:c"]
    assert codebuild.listed == 2


def test_a_page_with_one_that_may_still_run_is_not_the_last() -> None:
    longest = (36 + 8 + 1) * 3600
    for age, found in ((longest - 1, ["p:a"]), (longest + 1, [])):
        page = [build("c", age, "SUCCEEDED"), build("b", 3 * DAY, "SUCCEEDED")]
        assert CodeBuild(page, [build("a", age)]).in_progress() == found


def test_a_project_without_builds_has_none_in_progress() -> None:
    assert CodeBuild([]).in_progress() == []


def test_those_that_were_started_before_are_ahead() -> None:
    running = [build("c", 1), build("b", 2), build("a", 3)]
    assert [ahead(running, f"p:{name}") for name in "abc"] == [0, 1, 2]


def test_builds_of_the_same_moment_are_ordered_by_their_ids() -> None:
    running = [build("b", 1), build("a", 1)]
    assert [ahead(running, f"p:{name}") for name in "ab"] == [0, 1]


def test_a_build_that_is_not_listed_yet_has_all_others_ahead() -> None:
    assert ahead([build("a", 1), build("b", 2)], "p:new") == 2


def test_times_may_be_datetimes() -> None:
    running = [build("b", 1), build("a", 2)]
    for one in running:
        one["startTime"] = datetime.datetime.fromtimestamp(one["startTime"], datetime.UTC)
    assert ahead(running, "p:b") == 1
