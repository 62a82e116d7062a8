"""What the console asks of a stage's runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

from devbridge.console import model
from devbridge.console.text import row
from devbridge.errors import DevbridgeError, InvalidValue, NotFound
from devbridge.runs.base import Run, Wanted
from devbridge.runs.find import StageRuns
from devbridge.runs.model import State

MOST = 500
"""Runs of one page."""
PATIENCE = 1.0
"""Seconds that logs are searched for one page."""
_AT_ONCE = 20


def wanted(asked: model.Filter) -> Wanted:
    """
    Raises:
        InvalidValue: there is no such state.
    """
    return Wanted(
        job=asked.job or None,
        states=_states(asked.state),
        since=asked.since,
        until=asked.until,
        trigger=asked.trigger,
        text=asked.text,
    )


def page(runs: StageRuns, asked: model.RunsWanted, *, deployed: bool) -> model.Rows:
    """A page of the runs that are asked for."""
    limit = min(max(asked.limit, 1), MOST)
    if asked.log:
        return _with_log(runs, asked, limit, deployed=deployed)
    found = runs.search(wanted(asked), limit=limit, deployed=deployed, after=asked.after)
    return model.Rows([row(run.record) for run in found.runs], found.after, found.total)


def _with_log(
    runs: StageRuns, asked: model.RunsWanted, limit: int, *, deployed: bool
) -> model.Rows:
    """Those among them that have printed a text: as many as are found in a while."""
    sought, until = asked.log.encode("utf-8", "replace").lower(), time.monotonic() + PATIENCE
    found: list[model.Row] = []
    after = asked.after
    while True:
        page = runs.search(wanted(asked), limit=_AT_ONCE, deployed=deployed, after=after)
        found += [row(run.record) for run in page.runs if _printed(run, sought)]
        after = page.after
        if after is None or len(found) >= limit or time.monotonic() > until:
            return model.Rows(found, after, None)


def _printed(run: Run, sought: bytes) -> bool:
    """Whether a run has printed this, in whatever case."""
    rest = b""
    with contextlib.suppress(DevbridgeError):  # its log is gone
        for chunk in run.output(follow=False):
            text = rest + chunk.lower()
            if sought in text:
                return True
            rest = text[-len(sought) :]
    return False


def rows(runs: StageRuns, ids: Sequence[str]) -> Mapping[str, model.Row]:
    """The runs with these ids, as far as there are such."""
    found = {}
    for run_id in ids:
        with contextlib.suppress(NotFound):
            found[run_id] = row(runs.find(run_id).record)
    return found


def _states(text: str) -> tuple[State, ...]:
    try:
        return tuple(State(each.upper()) for each in text.split(",") if each)
    except ValueError:
        known = ", ".join(State)
        raise InvalidValue(f"{text!r} is no state", remedy=f"use some of {known}") from None
