"""The ids of deployed runs: a project's name, a colon, and what names the run in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from devbridge.runs.base import shortened


def names_deployed(run_id: str) -> bool:
    """Whether this begins as the id of a deployed run does: with its project's name."""
    return ":" in run_id


def short_deployed(ids: Sequence[str], *, alone: bool) -> list[str]:
    """What names each of some deployed runs. Unless they are `alone`, with its project:
    where other runs are too, an id without one may be theirs."""
    parts = [run_id.rpartition(":") for run_id in ids]
    uuids = [uuid for _, _, uuid in parts]
    return [
        shortened(uuid, uuids) if alone else f"{project}:{shortened(uuid, uuids)}"
        for project, _, uuid in parts
    ]
