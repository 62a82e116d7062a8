"""Whose turn it is among a job's runs, of which only so many may run at the same time.

The builds of a project that are in progress, in the order in which they were started: the first
ones run, the others wait. The runs themselves and whoever shows them ask the same question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Build = Mapping[str, Any]
"""CodeBuild's build; its times are datetimes, or seconds since the epoch."""

IN_PROGRESS = "IN_PROGRESS"
_OLDEST = (2160 + 480 + 60) * 60
"""Seconds. CodeBuild ends every build within 36 hours, and 8 hours in the queue."""


def in_progress(
    list_builds: Callable[..., Mapping[str, Any]],
    batch_get: Callable[..., Mapping[str, Any]],
    project: str,
    now: float,
) -> list[Build]:
    """The builds of a project that have not ended.

    Args:
        list_builds: CodeBuild's ListBuildsForProject, by keyword.
        batch_get: CodeBuild's BatchGetBuilds, by keyword.
        now: seconds since the epoch.
    """
    found: list[Build] = []
    more: dict[str, str] = {}
    while True:
        page = list_builds(projectName=project, sortOrder="DESCENDING", **more)
        builds = batch_get(ids=page["ids"])["builds"] if page["ids"] else []
        found += [build for build in builds if build["buildStatus"] == IN_PROGRESS]
        if not page.get("nextToken"):
            return found
        if builds and all(epoch(build["startTime"]) < now - _OLDEST for build in builds):
            return found
        more = {"nextToken": page["nextToken"]}


def order(build: Build) -> tuple[float, str]:
    """By what builds are sorted: when they were started, and by id if that was at once."""
    return epoch(build["startTime"]), build["id"]


def ahead(running: Iterable[Build], build_id: str) -> int:
    """How many builds were started before this one, of those in progress: all, if this one is not
    among them yet."""
    ids = [build["id"] for build in sorted(running, key=order)]
    return ids.index(build_id) if build_id in ids else len(ids)


def epoch(moment: datetime | float) -> float:
    """Seconds since the epoch."""
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
